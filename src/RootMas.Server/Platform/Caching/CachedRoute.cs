namespace RootMas.Server.Platform.Caching;

/// <summary>A reading route whose answers are given again while nothing that they were made from has changed. The key holds caller, permissions, query, and what <paramref name="Of"/> says.</summary>
/// <param name="Scopes">What its answers are made from, beside what the caller has.</param>
/// <param name="Longest">Null: as the settings say.</param>
/// <param name="Of">What else an answer depends on: this process's own state. Null: nothing.</param>
/// <param name="Freshen">Brings this instance up to date before an answer is made, where others may have changed what it holds in memory.</param>
public sealed record CachedRoute(IReadOnlyList<CacheScope> Scopes, TimeSpan? Longest = null, Func<IServiceProvider, object?>? Of = null, Func<IServiceProvider, CancellationToken, Task>? Freshen = null);

/// <summary>A route that changes what others see too. What the caller has changes with every request that is not a read.</summary>
public sealed record RouteChanges(CacheScope Scope);

/// <summary>What routes declare.</summary>
public static class CachingConventions
{
    public static TBuilder Cached<TBuilder>(this TBuilder route, CachedRoute how)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(how);

    public static TBuilder Changes<TBuilder>(this TBuilder route, CacheScope scope)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteChanges(scope));
}
