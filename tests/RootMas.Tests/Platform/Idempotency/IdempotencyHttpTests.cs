using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Idempotency;

public abstract class IdempotencyHttpTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private readonly TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TestApp app = null!;
    private int effects;

    public async Task InitializeAsync() => app = await TestApp.StartAsync(options => options.Configure = web =>
    {
        var routes = web.MapRoutes();
        routes.MapPost("/api/v1/test/make", (Thing thing) => TypedResults.Created($"/things/{Interlocked.Increment(ref effects)}", new { id = effects, thing.Name, secret = "s3cret" }))
            .AllowPublic().WithSecretMembers("secret");
        routes.MapPost("/api/v1/test/fail", () =>
        {
            Interlocked.Increment(ref effects);
            return TypedResults.StatusCode(effects == 1 ? 503 : 204);
        }).AllowPublic();
        routes.MapPost("/api/v1/test/slow", async () =>
        {
            entered.TrySetResult();
            await release.Task;
            return TypedResults.Ok(new { n = Interlocked.Increment(ref effects) });
        }).AllowPublic();
        routes.MapPost("/api/v1/test/own", (HttpContext context) => TypedResults.Text(context.Idempotency()?.Request.Key ?? "none")).AllowPublic().HandlesIdempotency();
    });

    public async Task DisposeAsync() => await app.DisposeAsync();

    [DatabaseFact]
    public async Task A_repeat_gets_the_first_answer_with_null_for_secrets()
    {
        using var first = await Post("make", """{"name":"a"}""");
        using var again = await Post("make", """{"name":"a"}""");
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        Assert.Equal("""{"id":1,"name":"a","secret":"s3cret"}""", await first.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.Created, again.StatusCode);
        Assert.Equal(first.Headers.Location, again.Headers.Location);
        Assert.Equal("""{"id":1,"name":"a","secret":null}""", await again.Content.ReadAsStringAsync());
        Assert.Equal(1, effects);
    }

    [DatabaseFact]
    public async Task Another_body_is_422_and_no_key_is_no_repeat()
    {
        using var first = await Post("make", """{"name":"a"}""");
        using var other = await Post("make", """{"name":"b"}""");
        using var without = await app.SendAsync(HttpMethod.Post, "/api/v1/test/make", """{"name":"a"}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, other.StatusCode);
        Assert.Contains("idempotency_mismatch", await other.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Created, without.StatusCode);
        Assert.Equal(2, effects);
    }

    [DatabaseFact]
    public async Task Another_query_is_422_and_the_same_one_is_a_repeat()
    {
        using var first = await Post("make?for=ann", """{"name":"a"}""");
        using var again = await Post("make?for=ann", """{"name":"a"}""");
        using var other = await Post("make?for=bob", """{"name":"a"}""");
        using var without = await Post("make", """{"name":"a"}""");
        Assert.Equal(
            [HttpStatusCode.Created, HttpStatusCode.Created, HttpStatusCode.UnprocessableEntity, HttpStatusCode.UnprocessableEntity],
            [first.StatusCode, again.StatusCode, other.StatusCode, without.StatusCode]);
        Assert.Contains("another body or query", await other.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(1, effects);
    }

    [DatabaseFact]
    public async Task A_failure_of_the_server_is_not_kept()
    {
        using var first = await Post("fail", null);
        using var second = await Post("fail", null);
        using var third = await Post("fail", null);
        Assert.Equal([HttpStatusCode.ServiceUnavailable, HttpStatusCode.NoContent, HttpStatusCode.NoContent], [first.StatusCode, second.StatusCode, third.StatusCode]);
        Assert.Equal(2, effects);
    }

    [DatabaseFact]
    public async Task A_twin_is_told_to_come_back_while_the_first_is_at_work()
    {
        var first = Post("slow", null);
        await entered.Task.WaitAsync(TimeSpan.FromMinutes(2));
        using var twin = await Post("slow", null);
        Assert.Equal(HttpStatusCode.Conflict, twin.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), twin.Headers.RetryAfter?.Delta);
        release.SetResult();
        using var done = await first;
        using var again = await Post("slow", null);
        Assert.Equal(await done.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());
        Assert.Equal(1, effects);
    }

    [DatabaseTheory]
    [InlineData("a b")]
    [InlineData("a,b\tc")]
    public async Task A_key_that_is_no_key_is_400(string key)
    {
        using var answer = await Post("make", """{"name":"a"}""", key);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(0, effects);
    }

    [DatabaseFact]
    public async Task A_route_that_looks_after_its_key_gets_it()
    {
        using var answer = await Post("own", null);
        Assert.Equal("k1", await answer.Content.ReadAsStringAsync());
    }

    private Task<HttpResponseMessage> Post(string route, string? body, string key = "k1") =>
        app.SendAsync(HttpMethod.Post, "/api/v1/test/" + route, body, ("Idempotency-Key", key));

    public sealed record Thing
    {
        public required string Name { get; init; }
    }
}

public sealed class IdempotencyHttpOnSqliteTests() : IdempotencyHttpTests(DatabaseKind.Sqlite);

public sealed class IdempotencyHttpOnPostgresTests() : IdempotencyHttpTests(DatabaseKind.Postgres), IOnPostgres;
