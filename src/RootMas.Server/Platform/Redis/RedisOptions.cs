using System.ComponentModel.DataAnnotations;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Redis;

/// <summary>Redis: what several instances share for speed. Without it the same is in memory, and everything works. Section <c>Redis</c>.</summary>
public sealed record RedisOptions : IValidatableObject
{
    /// <summary>Empty (default): no Redis. <c>redis://:password@host:6379/0</c>, with TLS <c>rediss://…</c>; or <c>host:6379,password=…,ssl=true,defaultDatabase=0</c>. One server, 6.2 or later; the user is the default one.</summary>
    [Secret]
    public string ConnectionString { get; init; } = "";

    /// <summary>Connections of one process in all. Two of them carry messages between instances, the others commands.</summary>
    [Range(3, 50)]
    public int PoolSize { get; init; } = 6;

    /// <summary>How long a connection may take to be made; tries, waits and the time of one command are those of <c>Resilience:Redis</c>. The start waits for the first ones so long, and goes on without Redis.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>All keys and channels begin with it. Installations that share a server need different ones.</summary>
    [RegularExpression("^[A-Za-z0-9._:-]{1,64}$")]
    public string KeyPrefix { get; init; } = "rootmas:";

    /// <summary>A PEM file with the certificates of those who may vouch for the server; empty: those that the system trusts.</summary>
    public string CaFile { get; init; } = "";

    /// <summary>Messages to other instances that may wait to be sent; further ones are dropped, and whoever missed them asks the database.</summary>
    [Range(16, 1_000_000)]
    public int QueueLength { get; init; } = 8_192;

    /// <summary>While Redis is away each instance allows this part of a shared limit: one in so many. 0 (default): as many as there were when Redis was last there, 4 if it never was.</summary>
    [Range(0, 1_000)]
    public int InstancesAssumed { get; init; }

    /// <summary>There is a Redis to use.</summary>
    internal bool IsUsed => ConnectionString.Length > 0;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (IsUsed && RedisAddress.Problem(ConnectionString) is { } problem)
        {
            yield return new ValidationResult(problem, [nameof(ConnectionString)]);
        }

        if (CaFile.Length > 0 && !File.Exists(CaFile))
        {
            yield return new ValidationResult($"'{CaFile}' does not exist", [nameof(CaFile)]);
        }
    }
}
