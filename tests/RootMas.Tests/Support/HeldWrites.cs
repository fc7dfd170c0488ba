using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server.Platform.Data;

namespace RootMas.Tests.Support;

/// <summary>Holds back the first write of requests that ask for it: what the test does meanwhile comes between what they looked at and what they write.</summary>
internal sealed class HeldWrites
{
    private const string Header = "X-Hold-Write";
    private readonly AsyncLocal<StrongBox<int>?> _asked = new();
    private TaskCompletionSource _release = New();
    private int _waiting;

    /// <summary>For <see cref="TestAppOptions.Services"/>.</summary>
    public void AddTo(IServiceCollection services)
    {
        services.Wrap(inner => new HeldDatabase(inner, this));
        services.OnRequest(request => _asked.Value = request.Headers.ContainsKey(Header) ? new StrongBox<int>() : null);
    }

    public async Task<HttpResponseMessage> PostAsync(HttpClient client, string path, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Add(Header, "1");
        return await client.SendAsync(request);
    }

    /// <summary>Until so many of them wait.</summary>
    public Task HoldAsync(int count) => Wait.UntilAsync(() => Volatile.Read(ref _waiting) == count);

    public void Release()
    {
        Volatile.Write(ref _waiting, 0);
        Interlocked.Exchange(ref _release, New()).SetResult();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Task PassAsync()
    {
        if (_asked.Value is not { } asked || Interlocked.Increment(ref asked.Value) > 1)
        {
            return Task.CompletedTask;
        }

        var release = Volatile.Read(ref _release).Task; // before it is counted, so that who counts releases this one
        Interlocked.Increment(ref _waiting);
        return release;
    }

    private sealed class HeldDatabase(IDatabase inner, HeldWrites held) : WrappedDatabase(inner)
    {
        public override async Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
        {
            await held.PassAsync();
            return await Inner.WriteAsync(work, cancellationToken);
        }

        public override Task<T> WriteSoonAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => Inner.WriteSoonAsync(work, cancellationToken);
    }
}
