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

    /// <summary>How long a connection may take to be made. The start waits for the first ones so long, and goes on without Redis.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long one command may take. Then Redis is not asked again until it answers a check.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>All keys and channels begin with it. Installations that share a server need different ones.</summary>
    [RegularExpression("^[A-Za-z0-9._:-]{1,64}$")]
    public string KeyPrefix { get; init; } = "rootmas:";

    /// <summary>A PEM file with the certificates of those who may vouch for the server; empty: those that the system trusts.</summary>
    public string CaFile { get; init; } = "";

    /// <summary>Messages to other instances that may wait to be sent; further ones are dropped, and whoever missed them asks the database.</summary>
    [Range(16, 1_000_000)]
    public int QueueLength { get; init; } = 8_192;

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
