using RootMas.Runtime.Agents;
using RootMas.Runtime.Tools;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Agents;

/// <summary>
/// The catalog that counts now. Files and stored overrides make an immutable <see cref="Catalog"/>, which is swapped as a whole; whoever holds the old one goes on with it.
/// An edit that does not fit is told and changes nothing.
/// </summary>
/// <param name="tools">Looked up late: tools may need what itself needs the catalog.</param>
/// <param name="isModel">Whether there is a model of this name now; null: nobody knows.</param>
public sealed partial class AgentCatalog(
    string directory, AgentsOptions options, CatalogOverrides store, Lazy<IToolCatalog> tools, ILogger<AgentCatalog> logger, Func<string, bool>? isModel = null)
    : INewestCatalog, IDisposable
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private volatile State? _state;

    /// <summary>The catalog in force.</summary>
    public Catalog Current => (_state ?? throw new InvalidOperationException("The catalog is read before it was loaded.")).Catalog;

    /// <summary>Another object whenever anything is different: the catalog, or its problems.</summary>
    internal object Revision => (object?)_state ?? this;

    /// <summary>Whether no agent or team was changed that this process has not taken over yet; others' changes come about a second later, perhaps between the begin of a run, which keeps its agents, and its call. Edits of the files are each process's own.</summary>
    public async Task<bool> IsNewestAsync(ModelCall call, CancellationToken cancellationToken) =>
        _state is { } state && await store.RevisionAsync(cancellationToken) == state.Revision && (call.Agent is not { } agent || state.Catalog.FindAgent(agent)?.Agent.Version == call.PromptVersion);

    /// <summary>Whether <see cref="Current"/> is there.</summary>
    public bool IsLoaded => _state is not null;

    /// <summary>Errors of the newest edit that was not taken, then stored changes that are not applied, then warnings of what is in force. Empty: all is well.</summary>
    public IReadOnlyList<CatalogProblem> Problems => _state is { } state ? [.. state.Rejected, .. state.LeftOut.SelectMany(static l => l.Problems), .. state.Warnings, .. WithoutModel(state.Catalog)] : [];

    /// <summary>The newest edit of the files is not in force, because it has errors.</summary>
    public bool HasRejectedEdit => _state is { Rejected.Count: > 0 };

    /// <summary>How many stored changes do not fit the files and are not applied.</summary>
    public int NotApplied => _state?.LeftOut.Count ?? 0;

    /// <summary>Of the files that are in force; empty: none yet.</summary>
    public string Fingerprint => _state?.Files.Fingerprint ?? "";

    /// <summary>The snapshot for a new run; see <see cref="Catalog.SnapshotFor"/>.</summary>
    public SnapshotLookup SnapshotFor(string? team, string? agent) => Current.SnapshotFor(team, agent);

    /// <summary>The same, also for what another instance added a moment ago: only a name that is not known here costs a look at the database.</summary>
    public async ValueTask<SnapshotLookup> FindSnapshotAsync(string? team, string? agent, CancellationToken cancellationToken) =>
        SnapshotFor(team, agent) is { Snapshot: not null } known ? known : (await NewestAsync(cancellationToken)).SnapshotFor(team, agent);

    /// <summary>The entity tag that a change of this name has to tell: of what is in force, else of a definition that is stored and not applied. Null: there is neither.</summary>
    internal string? TagOf(CatalogKind kind, string name) => _state?.TagOf(kind, name);

    /// <summary>The definition that <see cref="TagOf"/> is of, as JSON.</summary>
    internal string? JsonOf(CatalogKind kind, string name) => _state?.JsonOf(kind, name);

    /// <summary>Reads files and overrides for the first time.</summary>
    /// <exception cref="CatalogException">The files have errors; all are named.</exception>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            var files = await CatalogFiles.ReadAsync(directory, cancellationToken);
            var revision = await store.RevisionAsync(cancellationToken);
            var overrides = await store.LoadAsync(cancellationToken);
            var fit = Fit(files, overrides, []);
            if (fit.Build.Catalog is null)
            {
                throw new CatalogException([.. fit.Build.Problems.Where(p => !p.IsWarning)]);
            }

            Swap(new State
            {
                Catalog = fit.Build.Catalog,
                Files = files,
                SeenFingerprint = files.Fingerprint,
                Revision = revision,
                Overrides = overrides,
                LeftOut = fit.LeftOut,
                Warnings = fit.Build.Problems,
            });
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Takes over what changed in files or in the database. True: another catalog is in force now.</summary>
    public async Task<bool> ReloadAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            return await TakeNewestAsync(cancellationToken);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>With what any instance has changed until now: for requests that follow another one, which may have gone elsewhere.</summary>
    public async Task<Catalog> NewestAsync(CancellationToken cancellationToken)
    {
        await ReloadAsync(cancellationToken);
        return Current;
    }

    /// <summary>Checks and stores a change and puts it in force. Nothing is stored that would not fit.</summary>
    public async Task<CatalogChange> ChangeAsync(CatalogEdit edit, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            await TakeNewestAsync(cancellationToken); // another instance may have changed it a moment ago
            var state = _state!;
            var newest = state.Overrides.FirstOrDefault(o => o.Kind == edit.Kind && o.Name == edit.Name);
            if (Refusal(edit, newest, state) is { } refusal)
            {
                return refusal;
            }

            var next = new CatalogOverride(edit.Kind, edit.Name, (newest?.Version ?? 0) + 1, edit.State, edit.Json, edit.OwnerId);
            var after = state with { Overrides = [.. state.Overrides.Where(o => o != newest), next], LeftOut = [.. state.LeftOut.Where(l => l.Change != newest)] };
            var build = CatalogBuild.Make(state.Files, after.Applied, tools.Value, options);
            if (build.Catalog is null)
            {
                return new CatalogChange.Invalid([.. build.Problems.Where(p => !p.IsWarning)]);
            }

            // Not cancelled by a client that goes away: what is stored and what is in force stay the same.
            if (!await store.AppendAsync(next, edit.Record.And(edit.Also), CancellationToken.None))
            {
                await TakeNewestAsync(CancellationToken.None);
                return new CatalogChange.Stale(TagOf(edit.Kind, edit.Name) ?? "");
            }

            // What was left out may fit now.
            var fit = after.LeftOut.Count == 0 ? new CatalogFit(build, []) : Fit(state.Files, after.Overrides, after.LeftOut);
            Swap(after with
            {
                Catalog = fit.Build.Catalog ?? build.Catalog,
                Revision = state.Revision + 1,
                LeftOut = fit.LeftOut,
                Warnings = fit.Build.Problems,
                SeenFingerprint = HasRejectedEdit ? "" : state.SeenFingerprint, // files that did not fit what was told before may fit now: they are looked at again
            });
            LogChanged(edit.State, edit.Kind, edit.Name, next.Version);
            return new CatalogChange.Done();
        }
        finally
        {
            _gate.Release();
        }
    }

    public void Dispose() => _gate.Dispose();

    private async Task<bool> TakeNewestAsync(CancellationToken cancellationToken)
    {
        var state = _state ?? throw new InvalidOperationException("The catalog is reloaded before it was loaded.");
        var files = await CatalogFiles.ReadAsync(directory, cancellationToken);
        var revision = await store.RevisionAsync(cancellationToken);
        if (files.Fingerprint == state.SeenFingerprint && revision == state.Revision)
        {
            return false;
        }

        var overrides = revision == state.Revision ? state.Overrides : await store.LoadAsync(cancellationToken);
        return Take(state with { SeenFingerprint = files.Fingerprint, Revision = revision, Overrides = overrides }, files, sameOverrides: revision == state.Revision);
    }

    private bool Take(State seen, CatalogFiles files, bool sameOverrides)
    {
        // What other instances were told counts, whatever becomes of an edit here, and so it is put on the files in force first: a change made here must see theirs.
        var kept = !sameOverrides && Fit(seen.Files, seen.Overrides, seen.LeftOut) is { Build.Catalog: { } theirs } told
            ? seen with { Catalog = theirs, LeftOut = told.LeftOut, Warnings = told.Build.Problems }
            : seen;

        // Stored changes that are left out already do not block the files; an edit that would leave out another one is not taken.
        var fit = Fit(files, kept.Overrides, kept.LeftOut);
        if (fit.Build.Catalog is { } catalog && fit.LeavesOutOnly(kept.LeftOut))
        {
            Swap(kept with { Catalog = catalog, Files = files, LeftOut = fit.LeftOut, Rejected = [], Warnings = fit.Build.Problems });
            return true;
        }

        var errors = CatalogBuild.Make(files, kept.Applied, tools.Value, options).Problems.Where(p => !p.IsWarning).ToList();
        if (_state is not { Rejected.Count: > 0 } before || files.Fingerprint != before.SeenFingerprint)
        {
            LogRejected(errors.Count, string.Join("; ", errors));
        }

        return KeepFiles(kept with { Rejected = errors }, seen.Catalog);
    }

    /// <summary>The files before stay in force.</summary>
    private bool KeepFiles(State kept, Catalog before)
    {
        if (ReferenceEquals(kept.Catalog, before))
        {
            _state = kept;
            return false;
        }

        Swap(kept);
        return true;
    }

    private CatalogFit Fit(CatalogFiles files, IReadOnlyList<CatalogOverride> overrides, IReadOnlyList<LeftOutChange> before) => CatalogFit.Make(files, overrides, before, tools.Value, options);

    private static CatalogChange? Refusal(CatalogEdit edit, CatalogOverride? newest, State state) => (state.TagOf(edit.Kind, edit.Name), edit.IsCreation) switch
    {
        (not null, true) => new CatalogChange.Exists(IsApplied: state.InForce(edit.Kind, edit.Name) is not null),
        (null, false) => new CatalogChange.NotFound(),
        ({ } current, false) when edit.ExpectedETag != current => new CatalogChange.Stale(current),
        _ when edit.State == OverrideState.Reverted && newest is not { State: OverrideState.Live } && !state.LeftOut.Any(l => l.Change == newest) => new CatalogChange.NotOverridden(),
        _ => null,
    };

    /// <summary>Agents of a fixed model that there is not. Looked at when it is told: models come and go with their keys.</summary>
    private IEnumerable<CatalogProblem> WithoutModel(Catalog catalog) => catalog.Agents
        .Where(a => a.Agent.Model is { Length: > 0 } model && isModel?.Invoke(model) == false)
        .Select(static a => new CatalogProblem(
            a.IsFromFile ? CatalogFiles.AgentsFile : CatalogBuild.Api, $"agents.{a.Agent.Name}.model",
            $"there is no model '{CatalogProblems.Clip(a.Agent.Model)}' now, and the agent fails when it is asked until there is one: name a model of GET /api/v1/models, or enter the key of its provider.", IsWarning: true));

    private void Swap(State state)
    {
        _state = state;
        foreach (var warning in state.LeftOut.SelectMany(static l => l.Problems).Concat(state.Warnings))
        {
            LogWarning(warning.Source, warning.Key, warning.Message);
        }

        LogInForce(state.Catalog.Agents.Count, state.Catalog.Teams.Count);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Catalog in force: {Agents} agents, {Teams} teams")]
    private partial void LogInForce(int agents, int teams);

    [LoggerMessage(Level = LogLevel.Error, Message = "The edited catalog has {Count} error(s) and is not used; the one before stays in force: {Errors}")]
    private partial void LogRejected(int count, string errors);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Source}: {Key}: {Problem}")]
    private partial void LogWarning(string source, string key, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "{State} {Kind} {Name}, version {Version}")]
    private partial void LogChanged(OverrideState state, CatalogKind kind, string name, int version);

    private sealed record State
    {
        public required Catalog Catalog { get; init; }

        /// <summary>The files that are in force.</summary>
        public required CatalogFiles Files { get; init; }

        /// <summary>Of the newest read, taken or not, so that an error is told once.</summary>
        public required string SeenFingerprint { get; init; }

        public required long Revision { get; init; }

        /// <summary>All stored changes, the newest of each name.</summary>
        public required IReadOnlyList<CatalogOverride> Overrides { get; init; }

        /// <summary>Those that do not fit the files.</summary>
        public required IReadOnlyList<LeftOutChange> LeftOut { get; init; }

        /// <summary>The others: part of the catalog.</summary>
        public IReadOnlyList<CatalogOverride> Applied => [.. Overrides.Where(o => !LeftOut.Any(l => l.Change == o))];

        public IReadOnlyList<CatalogProblem> Rejected { get; init; } = [];

        public required IReadOnlyList<CatalogProblem> Warnings { get; init; }

        /// <summary>The tag of what is in force; null: nothing of this name is.</summary>
        public string? InForce(CatalogKind kind, string name) => kind == CatalogKind.Agent ? Catalog.FindAgent(name)?.ETag : Catalog.FindTeam(name)?.ETag;

        public string? TagOf(CatalogKind kind, string name) => InForce(kind, name) ?? NotApplied(kind, name)?.ETag;

        public string? JsonOf(CatalogKind kind, string name) => kind == CatalogKind.Agent
            ? Catalog.FindAgent(name) is { } agent ? AgentsJson.Serialize(agent.Definition) : NotApplied(kind, name)?.Json
            : Catalog.FindTeam(name) is { } team ? AgentsJson.Serialize(team.Definition) : NotApplied(kind, name)?.Json;

        private CatalogOverride? NotApplied(CatalogKind kind, string name) =>
            LeftOut.Select(static l => l.Change).FirstOrDefault(o => o.Kind == kind && o.Name == name && o.State == OverrideState.Live);
    }
}

/// <summary>A change that somebody asks for.</summary>
public sealed record CatalogEdit
{
    public required CatalogKind Kind { get; init; }

    public required string Name { get; init; }

    public required OverrideState State { get; init; }

    /// <summary>The definition; only with <see cref="OverrideState.Live"/>.</summary>
    public string? Json { get; init; }

    /// <summary>The name must not exist yet.</summary>
    public bool IsCreation { get; init; }

    /// <summary>The entity tag that must be in force; not asked for a creation.</summary>
    public string ExpectedETag { get; init; } = "";

    public required string OwnerId { get; init; }

    /// <summary>Its row of the audit log, written in the transaction of the change.</summary>
    public AuditWrite? Record { get; init; }

    /// <summary>Written in the transaction of the change, with the name.</summary>
    public Made? Also { get; init; }
}

/// <summary>What became of a change.</summary>
public abstract record CatalogChange
{
    public sealed record Done : CatalogChange;

    public sealed record NotFound : CatalogChange;

    /// <param name="IsApplied">False: it is stored and does not fit the files.</param>
    public sealed record Exists(bool IsApplied) : CatalogChange;

    /// <summary>Somebody changed it first; <paramref name="ETag"/> is in force.</summary>
    public sealed record Stale(string ETag) : CatalogChange;

    /// <summary>There is no stored change to take back.</summary>
    public sealed record NotOverridden : CatalogChange;

    public sealed record Invalid(IReadOnlyList<CatalogProblem> Problems) : CatalogChange;
}
