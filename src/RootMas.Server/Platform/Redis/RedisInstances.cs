using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Redis;

/// <summary>
/// How many instances there are, counted by those who listen to one another. Needed when Redis is away and each may allow only its part: the most of the last minute, so that instances that are just coming back are not forgotten.
/// It also sees whether another installation counts here: they would share limits and what everybody may spend, and hear each other.
/// </summary>
internal sealed partial class RedisInstances(RedisPool pool, IClusterBus bus, RedisOptions options, IDatabase database, TimeProvider time, ILogger<RedisInstances> logger) : SupervisedService
{
    /// <summary>Nothing is said there; that an instance listens is all.</summary>
    private const string Topic = "instances";

    private const int UnknownNumber = 4;
    private const int Kept = 6;
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan MarkLasts = TimeSpan.FromMinutes(1);
    private readonly int[] _counted = new int[Kept];
    private string? _own;

    /// <summary>Id of another installation that uses the same <c>Redis:KeyPrefix</c>; null: none is known.</summary>
    public string? Neighbour { get; private set; }

    public int Count => options.InstancesAssumed > 0 ? options.InstancesAssumed
        : _counted.Max() is var most and > 0 ? most
        : UnknownNumber;

    protected override (TimeProvider Clock, ILogger Logger) Means => (time, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var here = bus.Subscribe(Topic, static _ => { });
        using var timer = new PeriodicTimer(Every, time);
        var place = 0;
        do
        {
            var answer = await pool.TryAsync("instances", session => session.Commands.ExecuteAsync("PUBSUB", "NUMSUB", RedisBus.ChannelPrefix(options) + Topic), stoppingToken);
            if (answer.IsThere)
            {
                _counted[place++ % Kept] = (int)((StackExchange.Redis.RedisResult[])answer.Value)[1];
            }

            await LookForNeighboursAsync(stoppingToken);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>Who was first keeps its mark there; whoever comes later sees it.</summary>
    private async Task LookForNeighboursAsync(CancellationToken cancellationToken)
    {
        var own = _own ??= await InstallationId.ReadAsync(database, cancellationToken);
        var key = pool.Prefix + "installation";
        var answer = await pool.TryAsync("instances", session => session.Commands.StringGetAsync(key), cancellationToken);
        if (!answer.IsThere)
        {
            return;
        }

        var before = Neighbour;
        Neighbour = InstallationId.Is(answer.Value) && answer.Value != own ? (string?)answer.Value : null;
        if (Neighbour is null)
        {
            await pool.TryAsync("instances", session => session.Commands.StringSetAsync(key, own, MarkLasts), cancellationToken);
        }
        else if (Neighbour != before)
        {
            LogNeighbour(Neighbour);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The installation {Installation}, which is another one, uses this Redis with the same Redis:KeyPrefix, or did so until a minute ago: both count the same limits and budgets, and hear each other's messages. Give each a prefix, or a database number, of its own")]
    private partial void LogNeighbour(string installation);
}
