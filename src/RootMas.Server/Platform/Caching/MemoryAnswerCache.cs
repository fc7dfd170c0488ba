using System.Globalization;
using System.Text;
using Microsoft.Extensions.Caching.Memory;

namespace RootMas.Server.Platform.Caching;

/// <summary>
/// For one process. A scope's version is one of a fixed number of counters: scopes that share one invalidate each other, which costs an answer now and then and is never wrong. So raising is one addition, and memory is bounded.
/// </summary>
internal sealed class MemoryAnswerCache(CacheOptions options) : IAnswerCache, IDisposable
{
    private const int Counters = 4_096;
    private readonly long[] _versions = new long[Counters];
    private readonly MemoryCache _answers = new(new MemoryCacheOptions { SizeLimit = options.MemoryMegabytes * 1024L * 1024 });

    public bool IsShared => false;

    public ValueTask<CacheLook> LookAsync(string key, IReadOnlyList<CacheScope> scopes, TimeSpan longest)
    {
        var version = new StringBuilder(scopes.Count * 8);
        for (var i = 0; i < scopes.Count; i++)
        {
            version.Append(CultureInfo.InvariantCulture, $"{Volatile.Read(ref _versions[PlaceOf(scopes[i])])}.");
        }

        var text = version.ToString();
        return ValueTask.FromResult(new CacheLook(text, _answers.Get<byte[]>(key + text), longest.Ticks));
    }

    public ValueTask KeepAsync(string key, CacheLook look, byte[] answer)
    {
        _answers.Set(key + look.Version, answer, new MemoryCacheEntryOptions { Size = answer.Length + 512, AbsoluteExpirationRelativeToNow = TimeSpan.FromTicks(look.Until) });
        return default;
    }

    public void Raise(CacheScope scope) => Interlocked.Increment(ref _versions[PlaceOf(scope)]);

    public Task SettledAsync() => Task.CompletedTask;

    public void Dispose() => _answers.Dispose();

    private static int PlaceOf(CacheScope scope) => (int)((uint)HashCode.Combine(scope.Kind, scope.Id) % Counters);
}
