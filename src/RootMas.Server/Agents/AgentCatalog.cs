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
public sealed partial class AgentCatalog(string directory, AgentsOptions options, CatalogOverrides store, Lazy<IToolCatalog> tools, ILogger<AgentCatalog> logger)
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

    /// <summary>Errors of the newest edit that was not taken, then warnings of what is in force. Empty: all is well.</summary>
    public IReadOnlyList<CatalogProblem> Problems => _state is { } state ? [.. state.Rejected, .. state.Warnings] : [];

    /// <summary>The newest edit of the files is not in force, because it has errors.</summary>
    public bool HasRejectedEdit => _state is { Rejected.Count: > 0 };

    /// <summary>Of the files that are in force; empty: none yet.</summary>
    public string Fingerprint => _state?.Files.Fingerprint ?? "";

    /// <summary>The snapshot for a new run; see <see cref="Catalog.SnapshotFor"/>.</summary>
    public SnapshotLookup SnapshotFor(string? team, string? agent) => Current.SnapshotFor(team, agent);

    /// <summary>The same, also for what another instance added a moment ago: only a name that is not known here costs a look at the database.</summary>
    public async ValueTask<SnapshotLookup> FindSnapshotAsync(string? team, string? agent, CancellationToken cancellationToken) =>
        SnapshotFor(team, agent) is { Snapshot: not null } known ? known : (await NewestAsync(cancellationToken)).SnapshotFor(team, agent);

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
            var (build, applied) = CatalogBuild.MakeLenient(files, overrides, tools.Value, options);
            if (build.Catalog is null)
            {
                throw new CatalogException([.. build.Problems.Where(p => !p.IsWarning)]);
            }

            Swap(new State
            {
                Catalog = build.Catalog,
                Files = files,
                SeenFingerprint = files.Fingerprint,
                Revision = revision,
                Overrides = overrides,
                Applied = applied,
                Warnings = build.Problems,
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
            if (Refusal(edit, state.Catalog) is { } refusal)
            {
                return refusal;
            }

            var newest = state.Overrides.FirstOrDefault(o => o.Kind == edit.Kind && o.Name == edit.Name);
            if (edit.State == OverrideState.Reverted && newest is not { State: OverrideState.Live })
            {
                return new CatalogChange.NotOverridden();
            }

            var next = new CatalogOverride(edit.Kind, edit.Name, (newest?.Version ?? 0) + 1, edit.State, edit.Json, edit.OwnerId);
            List<CatalogOverride> applied = [.. state.Applied.Where(o => o.Kind != edit.Kind || o.Name != edit.Name), next];
            var build = CatalogBuild.Make(state.Files, applied, tools.Value, options);
            if (build.Catalog is null)
            {
                return new CatalogChange.Invalid([.. build.Problems.Where(p => !p.IsWarning)]);
            }

            // Not cancelled by a client that goes away: what is stored and what is in force stay the same.
            if (!await store.AppendAsync(next, edit.Record.And(edit.Also), CancellationToken.None))
            {
                await TakeNewestAsync(CancellationToken.None);
                return new CatalogChange.Stale(ETagOf(edit, Current) ?? "");
            }

            Swap(state with
            {
                Catalog = build.Catalog,
                Revision = state.Revision + 1,
                Overrides = [.. state.Overrides.Where(o => o != newest), next],
                Applied = applied,
                Warnings = build.Problems,
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
        // Overrides that were left out at the start get another chance; if they still do not fit, they must not block the files.
        CatalogBuild build;
        IReadOnlyList<CatalogOverride> applied;
        if (sameOverrides)
        {
            (build, applied) = (CatalogBuild.Make(files, seen.Overrides, tools.Value, options), seen.Overrides);
            if (build.Catalog is null && seen.Applied.Count != seen.Overrides.Count)
            {
                (build, applied) = (CatalogBuild.Make(files, seen.Applied, tools.Value, options), seen.Applied);
            }
        }
        else
        {
            (build, applied) = CatalogBuild.MakeLenient(files, seen.Overrides, tools.Value, options);
        }

        if (build.Catalog is null)
        {
            var errors = build.Problems.Where(p => !p.IsWarning).ToList();
            if (_state is not { Rejected.Count: > 0 } before || files.Fingerprint != before.SeenFingerprint)
            {
                LogRejected(errors.Count, string.Join("; ", errors));
            }

            return KeepFiles(seen with { Rejected = errors }, sameOverrides);
        }

        Swap(seen with { Catalog = build.Catalog, Files = files, Applied = applied, Rejected = [], Warnings = build.Problems });
        return true;
    }

    /// <summary>The files before stay in force, but what other instances were told counts: a change made here must see theirs.</summary>
    private bool KeepFiles(State seen, bool sameOverrides)
    {
        if (!sameOverrides && CatalogBuild.MakeLenient(seen.Files, seen.Overrides, tools.Value, options) is ({ Catalog: { } catalog } build, var applied))
        {
            Swap(seen with { Catalog = catalog, Applied = applied, Warnings = build.Problems });
            return true;
        }

        _state = seen;
        return false;
    }

    private static CatalogChange? Refusal(CatalogEdit edit, Catalog catalog) => (ETagOf(edit, catalog), edit.IsCreation) switch
    {
        (not null, true) => new CatalogChange.Exists(),
        (null, false) => new CatalogChange.NotFound(),
        ({ } current, false) when edit.ExpectedETag != current => new CatalogChange.Stale(current),
        _ => null,
    };

    private static string? ETagOf(CatalogEdit edit, Catalog catalog) =>
        edit.Kind == CatalogKind.Agent ? catalog.FindAgent(edit.Name)?.ETag : catalog.FindTeam(edit.Name)?.ETag;

    private void Swap(State state)
    {
        _state = state;
        foreach (var warning in state.Warnings)
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

        /// <summary>Those that are part of the catalog.</summary>
        public required IReadOnlyList<CatalogOverride> Applied { get; init; }

        public IReadOnlyList<CatalogProblem> Rejected { get; init; } = [];

        public required IReadOnlyList<CatalogProblem> Warnings { get; init; }
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

    public sealed record Exists : CatalogChange;

    /// <summary>Somebody changed it first; <paramref name="ETag"/> is in force.</summary>
    public sealed record Stale(string ETag) : CatalogChange;

    /// <summary>There is no stored change to take back.</summary>
    public sealed record NotOverridden : CatalogChange;

    public sealed record Invalid(IReadOnlyList<CatalogProblem> Problems) : CatalogChange;
}
