using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Redis;

/// <summary>
/// How many instances there are, counted by those who listen to one another. Needed when Redis is away and each may allow only its part: the most of the last minute, so that instances that are just coming back are not forgotten.
/// </summary>
internal sealed class RedisInstances(RedisPool pool, IClusterBus bus, RedisOptions options, TimeProvider time, ILogger<RedisInstances> logger) : SupervisedService
{
    /// <summary>Nothing is said there; that an instance listens is all.</summary>
    private const string Topic = "instances";

    private const int UnknownNumber = 4;
    private const int Kept = 6;
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);
    private readonly int[] _counted = new int[Kept];

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
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
