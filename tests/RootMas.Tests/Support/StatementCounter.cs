using System.Collections.Concurrent;
using System.Data.Common;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
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
        var database = services.Last(static d => d.ServiceType == typeof(IDatabase));
        services.Remove(database);
        services.AddSingleton<IDatabase>(p => new CountedDatabase((IDatabase)database.ImplementationFactory!(p), this));
        services.AddSingleton<IStartupFilter>(new Filter(this));
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

    private sealed class Filter(StatementCounter counter) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (context, rest) =>
            {
                if (context.Request.Headers.TryGetValue(Header, out var id))
                {
                    counter._current.Value = counter._notes[id.ToString()] = new ConcurrentQueue<string>();
                }

                await rest(context);
            });
            next(app);
        };
    }

    private sealed class CountedDatabase(IDatabase inner, StatementCounter counter) : IDatabase, IAsyncDisposable
    {
        public DatabaseKind Kind => inner.Kind;

        public bool KeepsOrder => inner.KeepsOrder;

        public Task OpenAsync() => inner.OpenAsync();

        public Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.WriteAsync(Counted(work), cancellationToken);

        public Task<T> WriteSoonAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.WriteSoonAsync(Counted(work), cancellationToken);

        public Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.ReadAsync(Counted(work), cancellationToken);

        // PostgreSQL's is the container's own.
        public ValueTask DisposeAsync() => Kind == DatabaseKind.Sqlite ? ((IAsyncDisposable)inner).DisposeAsync() : ValueTask.CompletedTask;

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
