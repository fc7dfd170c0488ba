namespace RootMas.Server.Platform.Caching;

/// <summary>What an answer was made from. Whoever changes it raises it; whatever was made before is never given again.</summary>
/// <param name="Kind">A word of this program.</param>
/// <param name="Id">Whose; empty: everybody's.</param>
public readonly record struct CacheScope(string Kind, string Id = "")
{
    /// <summary>Agents and teams.</summary>
    public static CacheScope Catalog { get; } = new("catalog");

    /// <summary>Models, their providers and keys.</summary>
    public static CacheScope Models { get; } = new("models");

    /// <summary>Anybody's runs, and what is counted over them.</summary>
    public static CacheScope Runs { get; } = new("runs");

    /// <summary>What one user has.</summary>
    public static CacheScope OfUser(string userId) => new("user", userId);

    public override string ToString() => Id.Length > 0 ? $"{Kind}:{Id}" : Kind;
}

/// <param name="Version">Of the scopes when it was looked; what is made now is kept under it. Null: the cache cannot be used now, neither for this answer nor to keep one.</param>
/// <param name="Answer">Null: it is not there.</param>
/// <param name="Until">When what is kept under this look has to be forgotten; by the cache's own clock.</param>
public readonly record struct CacheLook(string? Version, byte[]? Answer, long Until = 0);

/// <summary>
/// Answers that were given before. A seam: in memory for one process, in Redis for several. For each of them: after <see cref="SettledAsync"/> no instance gives an answer that was made before what was raised.
/// </summary>
public interface IAnswerCache
{
    /// <summary>Others change things too, which this instance may not know yet.</summary>
    bool IsShared { get; }

    ValueTask<CacheLook> LookAsync(string key, IReadOnlyList<CacheScope> scopes, TimeSpan longest);

    /// <summary>Keeps an answer that was made after <paramref name="look"/>.</summary>
    ValueTask KeepAsync(string key, CacheLook look, byte[] answer);

    /// <summary>Something of this scope was changed, and the change is committed. Returns at once; for the hot path.</summary>
    void Raise(CacheScope scope);

    /// <summary>Completes when everything that was raised so far counts everywhere. At once, if nothing was.</summary>
    Task SettledAsync();
}

/// <summary>Several processes and nothing to share: each answer is made anew.</summary>
internal sealed class NoAnswerCache : IAnswerCache
{
    public bool IsShared => true;

    public ValueTask<CacheLook> LookAsync(string key, IReadOnlyList<CacheScope> scopes, TimeSpan longest) => default;

    public ValueTask KeepAsync(string key, CacheLook look, byte[] answer) => default;

    public void Raise(CacheScope scope)
    {
    }

    public Task SettledAsync() => Task.CompletedTask;
}
