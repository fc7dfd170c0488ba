using System.Collections.Concurrent;
using System.Data.Common;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server.Platform.Data;

namespace RootMas.Tests.Support;

/// <summary>Notes the statements that a request of a server in this process executes, and only its own: what goes on beside it is somebody else's.</summary>
internal sealed class StatementCounter
{
    private const string Header = "X-Statements-Of";
    private readonly AsyncLocal<ConcurrentQueue<string>?> _current = new();
    private readonly ConcurrentDictionary<string, ConcurrentQueue<string>> _notes = new(StringComparer.Ordinal);

    /// <summary>For <see cref="TestAppOptions.Services"/>.</summary>
    public void AddTo(IServiceCollection services)
    {
        services.Wrap(inner => new CountedDatabase(inner, this));
        services.OnRequest(request =>
        {
            if (request.Headers.TryGetValue(Header, out var id))
            {
                _current.Value = _notes[id.ToString()] = new ConcurrentQueue<string>();
            }
        });
    }

    /// <summary>GETs JSON and gives it with the statements that it took.</summary>
    public async Task<(JsonElement Body, IReadOnlyList<string> Statements)> GetAsync(HttpClient client, string path)
    {
        var id = Guid.NewGuid().ToString("N");
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add(Header, id);
        using var response = await client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"GET {path}: {(int)response.StatusCode} {text}");
        return (JsonElement.Parse(text), _notes.TryRemove(id, out var noted) ? [.. noted] : []);
    }

    private sealed class CountedDatabase(IDatabase inner, StatementCounter counter) : WrappedDatabase(inner)
    {
        public override Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => Inner.WriteAsync(Counted(work), cancellationToken);

        public override Task<T> WriteSoonAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => Inner.WriteSoonAsync(Counted(work), cancellationToken);

        public override Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => Inner.ReadAsync(Counted(work), cancellationToken);

        /// <summary>Who asks is known here: SQLite does the work on a thread of its own.</summary>
        private Func<DbSession, ValueTask<T>> Counted<T>(Func<DbSession, ValueTask<T>> work) =>
            counter._current.Value is { } notes ? session => work(new CountedSession(session, notes)) : work;
    }

    private sealed class CountedSession(DbSession inner, ConcurrentQueue<string> notes) : DbSession
    {
        public override DatabaseKind Kind => inner.Kind;

        /// <summary>Asked for once for each statement of Dapper.</summary>
        public override DbConnection Connection
        {
            get
            {
                notes.Enqueue("(Dapper)");
                return inner.Connection;
            }
        }

        public override DbTransaction? Transaction => inner.Transaction;

        public override DateTimeOffset Now => inner.Now;

        public override DbCommand Prepared(string sql)
        {
            notes.Enqueue(sql);
            return inner.Prepared(sql);
        }

        public override ValueTask SendAsync(DbCommand command) => inner.SendAsync(command);

        public override ValueTask ReadAllAsync(params IReadOnlyList<RowRead> reads)
        {
            foreach (var read in reads)
            {
                notes.Enqueue(read.Sql);
            }

            return inner.ReadAllAsync(reads);
        }

        public override ValueTask FlushAsync() => inner.FlushAsync();

        public override void AfterCommit(Action action) => inner.AfterCommit(action);
    }
}
