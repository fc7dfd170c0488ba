using System.Data.Common;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Idempotency;

/// <summary>The database goes away while a key is taken or given back: the process lives, and the request is not at work any more. A repeat is answered, here at once and elsewhere within moments, and not told for a day that the first one is still at work.</summary>
public abstract class LeftBehindKeysTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private const string Lose = "X-Lose";
    private readonly LossyDatabase lossy = new();
    private TestApp app = null!;
    private int effects;

    public async Task InitializeAsync() => app = await TestApp.StartAsync(options =>
    {
        options.Services = lossy.AddTo;
        options.Configure = web =>
        {
            var routes = web.MapRoutes();
            routes.MapPost("/api/v1/test/make", () => TypedResults.Ok(new { n = Interlocked.Increment(ref effects) })).AllowPublic();
            routes.MapPost("/api/v1/test/away", static (HttpContext context) =>
                context.Request.Headers.ContainsKey(Lose) ? throw new StorageUnavailableException("away", new TimeoutException()) : TypedResults.Ok()).AllowPublic();
        };
    });

    public async Task DisposeAsync() => await app.DisposeAsync();

    [DatabaseTheory]
    [InlineData("make", "1 after", 0)] // taken, and the answer of that was lost
    [InlineData("make", "1 before", 0)]
    [InlineData("away", "2 before", 0)] // the route could not do its work, and could not give the key back either
    [InlineData("make", "2 before", 1)] // done, and its answer could not be stored
    public async Task A_request_that_could_not_settle_its_key_does_not_keep_it(string route, string lost, int done)
    {
        var test = new TestDatabase(app.Get<IDatabase>());
        using (var first = await PostAsync(route, lost))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, first.StatusCode);
        }

        Assert.Equal(done, effects);
        while (true)
        {
            using var again = await PostAsync(route, lost: null);
            if (again.StatusCode == HttpStatusCode.Conflict && again.Headers.RetryAfter is not null)
            {
                await Task.Delay(20); // it is being given back at this moment
                continue;
            }

            Assert.True(again.StatusCode == HttpStatusCode.OK, await again.Content.ReadAsStringAsync());
            break;
        }

        using var repeated = await PostAsync(route, lost: null);
        Assert.Equal(HttpStatusCode.OK, repeated.StatusCode);
        Assert.Equal(route == "make" ? done + 1 : 0, effects);
    }

    [DatabaseTheory]
    [InlineData("make", "1 after")]
    [InlineData("away", "2 before")]
    public async Task It_is_given_back_for_repeats_that_other_instances_get(string route, string lost)
    {
        var test = new TestDatabase(app.Get<IDatabase>());
        using (var first = await PostAsync(route, lost))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, first.StatusCode);
        }

        await Wait.UntilAsync(static async at => await at.ScalarAsync("SELECT COUNT(*) FROM idempotency_keys") == 0, test, "the key was kept");
        Assert.Equal(0, effects);
    }

    private Task<HttpResponseMessage> PostAsync(string route, string? lost) =>
        app.SendAsync(HttpMethod.Post, "/api/v1/test/" + route, "{}", lost is null ? [("Idempotency-Key", "once")] : [("Idempotency-Key", "once"), (Lose, lost)]);

    /// <summary>Of a request that asks for it, one write is lost: before it was done, or its answer only.</summary>
    private sealed class LossyDatabase
    {
        private readonly AsyncLocal<Loss?> _loss = new();

        public void AddTo(IServiceCollection services)
        {
            services.Wrap(inner => new Wrapped(inner, this));
            services.OnRequest(request =>
            {
                if (request.Headers.TryGetValue(Lose, out var asked) && asked.ToString().Split(' ') is [var write, var when])
                {
                    _loss.Value = new Loss(int.Parse(write, CultureInfo.InvariantCulture), when == "before");
                }
            });
        }

        private sealed class Loss(int write, bool before)
        {
            private int _writes;

            public bool Before => before;

            /// <summary>A write of a key begins. True: it is the one to be lost.</summary>
            public bool Meet() => Interlocked.Increment(ref _writes) == write;
        }

        private sealed class Wrapped(IDatabase inner, LossyDatabase lossy) : WrappedDatabase(inner)
        {
            public override async Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
            {
                if (lossy._loss.Value is not { } loss)
                {
                    return await Inner.WriteAsync(work, cancellationToken);
                }

                var turn = new Turn(loss);
                var done = await Inner.WriteAsync(session => work(new Watched(session, turn)), cancellationToken);
                return turn.IsLost ? throw new StorageUnavailableException("lost", new TimeoutException()) : done;
            }
        }

        /// <summary>One call: what it does may be begun several times.</summary>
        private sealed class Turn(Loss loss)
        {
            private bool _met;

            public bool IsLost { get; private set; }

            public void Meet()
            {
                (IsLost, _met) = (_met ? IsLost : loss.Meet(), true);
                if (IsLost && loss.Before)
                {
                    throw new StorageUnavailableException("lost", new TimeoutException());
                }
            }
        }

        private sealed class Watched(DbSession inner, Turn turn) : DbSession
        {
            public override DatabaseKind Kind => inner.Kind;

            public override DbConnection Connection => inner.Connection;

            public override DbTransaction? Transaction => inner.Transaction;

            public override DateTimeOffset Now => inner.Now;

            public override DbCommand Prepared(string sql)
            {
                if (sql.Contains("idempotency_keys", StringComparison.Ordinal))
                {
                    turn.Meet();
                }

                return inner.Prepared(sql);
            }

            public override ValueTask SendAsync(DbCommand command) => inner.SendAsync(command);

            public override ValueTask ReadAllAsync(params IReadOnlyList<RowRead> reads) => inner.ReadAllAsync(reads);

            public override ValueTask FlushAsync() => inner.FlushAsync();

            public override void AfterCommit(Action action) => inner.AfterCommit(action);
        }
    }
}

public sealed class LeftBehindKeysOnSqliteTests() : LeftBehindKeysTests(DatabaseKind.Sqlite);

public sealed class LeftBehindKeysOnPostgresTests() : LeftBehindKeysTests(DatabaseKind.Postgres), IOnPostgres;
