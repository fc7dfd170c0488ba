using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Cluster;

/// <summary>Files of this instance that should be the same in all: what is told of them is a fingerprint. Slices register theirs.</summary>
/// <param name="Name">A word for people: <c>agents</c>, <c>models</c>.</param>
/// <param name="Fingerprint">Of what is in force now; empty: nothing yet.</param>
public sealed record ConfigPart(string Name, Func<string> Fingerprint);

/// <summary>An instance as its row shows it.</summary>
public sealed record ListedInstance(string Name, string Role, string Version, string? Url, string Config, DateTimeOffset StartedAt, DateTimeOffset SeenAt);

/// <summary>What an instance tells of itself.</summary>
internal sealed record InstanceFacts(IServer Server, IEnumerable<ConfigPart> Parts)
{
    public string? Url => Server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();

    public string Config => string.Join(' ', Parts.OrderBy(static p => p.Name, StringComparer.Ordinal).Select(static p => $"{p.Name}={Short(p.Fingerprint())}"));

    private static string Short(string fingerprint) => fingerprint.Length > 12 ? fingerprint[..12] : fingerprint;
}

/// <summary>The processes that work on this database: each keeps a row, and holds a lock that tells that it lives. Tells when files of the others differ from this instance's.</summary>
public sealed partial class InstanceRegistry : SupervisedService, IHostedLifecycleService
{
    private const string Upsert = """
        INSERT INTO instances (name, role, version, url, config, started_at, seen_at) VALUES (@name, @role, @version, @url, @config, @now, @now)
        ON CONFLICT (name) DO UPDATE SET url = excluded.url, config = excluded.config, seen_at = excluded.seen_at
        """;

    private const string All = "SELECT name, role, version, url, config, started_at, seen_at FROM instances ORDER BY started_at, name";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Rows of processes that were killed go after this.</summary>
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1);

    /// <summary>Whoever has not shown itself for so long may be counted as gone soon.</summary>
    internal static readonly TimeSpan Lapse = TimeSpan.FromSeconds(12);

    private readonly IDatabase _database;
    private readonly IPresence _presence;
    private readonly Instance _instance;
    private readonly InstanceFacts _facts;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private string _told = "";
    private long _shownAt;
    private int _lapses;

    internal InstanceRegistry(IDatabase database, IPresence presence, Instance instance, InstanceFacts facts, TimeProvider clock, ILogger<InstanceRegistry> logger) =>
        (_database, _presence, _instance, _facts, _clock, _logger) = (database, presence, instance, facts, clock, logger);

    /// <summary>What <c>/health</c> says of the instances.</summary>
    public HealthState State { get; private set; } = HealthState.Healthy();

    /// <summary>How often it has not shown itself to the others for longer than <see cref="Lapse"/>; null: that is so now.</summary>
    internal int? Shown() => Volatile.Read(ref _shownAt) is var at and not 0 && _clock.GetElapsedTime(at) < Lapse ? Volatile.Read(ref _lapses) : null;

    /// <summary>Those that live, oldest first.</summary>
    public async Task<IReadOnlyList<ListedInstance>> ListAsync(CancellationToken cancellationToken)
    {
        var rows = await _database.LookAsync(
            static session => session.Prepared(All).ListAsync(static r => new ListedInstance(
                r.GetString(0), r.GetString(1), r.GetString(2), r.StringOrNull(3), r.GetString(4), r.Time(5), r.Time(6))),
            cancellationToken);
        var gone = await _presence.GoneAsync([.. rows.Select(static r => r.Name)], cancellationToken);
        return [.. rows.Where(r => !gone.Contains(r.Name, StringComparer.Ordinal))];
    }

    /// <summary>Before anything is done in this instance's name.</summary>
    public Task StartingAsync(CancellationToken cancellationToken) => SignInAsync(cancellationToken);

    /// <summary>It listens now.</summary>
    public Task StartedAsync(CancellationToken cancellationToken) => TryAsync(cancellationToken);

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _database.WriteAsync(session => session.Prepared("DELETE FROM instances WHERE name = @name").Set("name", _instance.Name).RunAsync(), cancellationToken);
        }
        catch (StorageUnavailableException error)
        {
            LogFailed(error); // its lock goes with the process; the row goes later
        }
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (_clock, _logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, _clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await TryAsync(stoppingToken);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException && stoppingToken.IsCancellationRequested)
        {
            // The process stops.
        }
    }

    private async Task TryAsync(CancellationToken cancellationToken)
    {
        try
        {
            await SignInAsync(cancellationToken);
            Compare(await ListAsync(cancellationToken));
        }
        catch (Exception error) when (error is StorageUnavailableException or Npgsql.NpgsqlException)
        {
            LogFailed(error); // again in a moment
        }
    }

    private async Task SignInAsync(CancellationToken cancellationToken)
    {
        var at = _clock.GetTimestamp();
        await _presence.HoldAsync(_instance.Name, cancellationToken);
        await _database.WriteAsync(
            async session =>
            {
                await session.Prepared(Upsert).Set("name", _instance.Name).Set("role", _instance.Role).Set("version", ProgramVersion.Text)
                    .Set("url", _facts.Url).Set("config", _facts.Config).Set("now", session.Now).RunAsync();
                await session.Prepared("DELETE FROM instances WHERE seen_at < @oldest").Set("oldest", session.Now - Kept).RunAsync();
            },
            cancellationToken);
        if (Shown() is null)
        {
            Interlocked.Increment(ref _lapses);
        }

        Volatile.Write(ref _shownAt, at);
    }

    private void Compare(IReadOnlyList<ListedInstance> living)
    {
        var mine = PartsOf(_facts.Config);
        var others = living.Where(i => i.Name != _instance.Name).ToList();
        var differing = others
            .SelectMany(i => PartsOf(i.Config).Where(p => p.Value.Length > 0 && mine.GetValueOrDefault(p.Key) is { Length: > 0 } own && own != p.Value).Select(p => (Part: p.Key, i.Name)))
            .ToList();
        var told = string.Join(", ", differing.Select(static d => $"{d.Part} of {d.Name}"));
        if (told != _told && told.Length > 0)
        {
            LogDiffers(told);
        }

        _told = told;
        var counts = string.Join(", ", living.GroupBy(static i => i.Role, StringComparer.Ordinal).OrderBy(static g => g.Key, StringComparer.Ordinal).Select(static g => $"{g.Count()} {g.Key}"));
        var versions = living.Select(static i => i.Version).Distinct(StringComparer.Ordinal).ToList();
        State = differing.Count > 0
            ? HealthState.Degraded($"{counts}. Files differ between instances ({string.Join(", ", differing.Select(static d => d.Part).Distinct(StringComparer.Ordinal))}): bring the config folders in line; the log names the instances.")
            : HealthState.Healthy(versions.Count > 1 ? $"{counts}; versions {string.Join(", ", versions)} side by side" : counts);
    }

    private static Dictionary<string, string> PartsOf(string config) =>
        config.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static part => part.Split('=', 2)).Where(static p => p.Length == 2).ToDictionary(static p => p[0], static p => p[1], StringComparer.Ordinal);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Files differ from those of other instances: {Differing}. What a run gets depends on which instance starts it; bring the config folders in line")]
    private partial void LogDiffers(string differing);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The list of instances could not be kept; it is tried again")]
    private partial void LogFailed(Exception exception);
}

/// <summary>The instances in <c>/health</c>.</summary>
internal sealed class InstancesProbe(InstanceRegistry registry) : IHealthProbe
{
    public string Name => "instances";

    public bool IsCritical => false;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken) => ValueTask.FromResult(registry.State);
}
