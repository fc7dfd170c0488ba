using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

/// <summary>
/// Every statement that the program prepares while it serves people is explained on a filled database, in the plan that PostgreSQL makes without knowing the parameters: none may read a large table from end to end.
/// Nothing is listed here by hand: the statements are those that the server itself remembers of the program's one connection.
/// </summary>
public sealed class QueryPlanTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const int Rows = 20_000;

    /// <summary>Asked for by the dashboard, once a minute at most: a count of everything is a walk over everything.</summary>
    private static readonly string[] Counts = ["select count(*) from messages where role = 'user'"];

    private static readonly string[] Large =
        ["runs", "run_events", "run_inbox", "run_contexts", "approvals", "conversations", "messages", "usage_ledger", "idempotency_keys", "outbox"];

    [PostgresFact]
    public async Task Every_statement_of_the_program_uses_an_index_on_large_tables()
    {
        using var folder = new Folder();
        var database = (await TestDatabase.ForFolderAsync(folder.Data))!;
        var server = await PostgresServer.SharedAsync();
        var name = database[(database.LastIndexOf('/') + 1)..];
        await server.ExecuteAsync(Fill, name);
        await server.ExecuteAsync("ANALYZE", name);
        try
        {
            await using var world = await ChatWorld.StartAsync(data: folder.Data, configure: static o =>
            {
                o.Settings["Database:PoolMin"] = "1";
                o.Settings["Database:PoolMax"] = "1"; // all statements meet on one connection
                o.Settings["Database:ConnectTimeout"] = "60s";
            });
            for (var i = 0; i < 3; i++)
            {
                await UseAsync(world, i);
            }

            var (statements, offences) = await ExplainAsync(world.App.Services.GetRequiredService<IDatabase>());
            Assert.InRange(statements, 40, 1_000);
            Assert.True(offences.Count == 0, string.Join("\n\n", offences));
        }
        finally
        {
            await TestDatabase.DropForFolderAsync(folder.Data);
        }
    }

    private static async Task UseAsync(ChatWorld world, int round)
    {
        await world.App.Get<RootMas.Server.Platform.Telemetry.Sampling>().SampleAsync(CancellationToken.None);
        var conversation = await world.NewConversationAsync();
        var run = (await world.SendAsync(conversation, new { message = "Hi" })).GetProperty("run_id").GetString()!;
        await world.EventsAsync(run);
        await world.EventsAsync((await world.SendAsync(conversation, new { message = "And now?" })).GetProperty("run_id").GetString()!);
        await world.AskAsync(new { message = "Hello", team = "solo" });
        await world.TryAskAsync(new { message = "Keyed", team = "solo" }, headers: ("Idempotency-Key", $"k{round}"));
        await world.TryAskAsync(new { title = "Named" }, "/api/v1/conversations", ("Idempotency-Key", $"c{round}"));
        var messages = await world.App.GetJsonAsync($"/api/v1/conversations/{conversation}/messages");
        foreach (var path in (string[])
        [
            "/api/v1/conversations", "/api/v1/conversations?archived=false", $"/api/v1/conversations/{conversation}", $"/api/v1/conversations/{conversation}/messages",
            "/api/v1/runs", "/api/v1/runs?status=completed", $"/api/v1/runs?conversation={conversation}", $"/api/v1/runs/{run}", $"/api/v1/runs/{run}?tree=1", $"/api/v1/runs/{run}/events",
            "/api/v1/approvals", "/api/v1/approvals?status=pending", "/api/v1/history", "/api/v1/agents", "/api/v1/teams", "/health", "/api/v1/usage", "/api/v1/usage?by=user&bucket=hour", "/api/v1/metrics/runs", "/api/v1/metrics/runs?scope=all&bucket=hour",
        ])
        {
            using var response = await world.App.Client.GetAsync(path);
            Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.NotFound or HttpStatusCode.BadRequest, $"{path}: {response.StatusCode}");
        }

        using var rated = await world.App.PostAsync("/api/v1/feedback", $$"""{"message_id":"{{messages.GetProperty("items")[1].GetProperty("id").GetString()}}","score":1}""");
        using var cancelled = await world.App.PostAsync($"/api/v1/runs/{run}/cancel", "{}");
        var owner = world.App.Services.GetRequiredService<RootMas.Server.Runs.RunOwnership>();
        await owner.RecoverAsync(default);
        await owner.RenewAsync([run], TimeSpan.FromSeconds(15), default);
        await owner.ClaimableAsync("", 1000, default);
        await owner.FireTimersAsync(default);
        await owner.CancelOrphansAsync(default);
    }

    private static Task<(int Statements, List<string> Offences)> ExplainAsync(IDatabase database) => database.ReadAsync(
        static async session =>
        {
            var prepared = await session.Prepared("SELECT name, statement, cardinality(parameter_types) FROM pg_prepared_statements").ListAsync(static r => (Name: r.GetString(0), Sql: r.GetString(1), Parameters: r.GetInt32(2)));
            await session.Prepared("SET LOCAL plan_cache_mode = force_generic_plan").RunAsync();
            List<string> offences = [];
            foreach (var (name, sql, parameters) in prepared.Where(static p => !Counts.Contains(p.Sql, StringComparer.Ordinal) && Explainable(p.Sql)))
            {
                var nulls = parameters == 0 ? "" : $"({string.Join(", ", Enumerable.Repeat("NULL", parameters))})";
                var plan = await session.Prepared($"EXPLAIN EXECUTE \"{name}\"{nulls}").ListAsync(static r => r.GetString(0));
                offences.AddRange(plan.Where(static line => Large.Any(table => line.Contains($"Seq Scan on {table}", StringComparison.Ordinal)))
                    .Take(1).Select(_ => $"{sql}\n{string.Join('\n', plan)}"));
            }

            return (prepared.Count, offences);
        },
        default);

    private static bool Explainable(string sql) =>
        (string[])["select", "insert", "update", "delete", "with"] is var verbs && verbs.Any(verb => sql.TrimStart().StartsWith(verb, StringComparison.OrdinalIgnoreCase));

    /// <summary>Many users with a long past: most runs are over.</summary>
    private static string Fill => $$"""
        INSERT INTO runs (id, owner_id, root_run_id, parent_run_id, conversation_id, input_message_id, branch_id, team, entry_agent, snapshot_hash, status, worker, lease_until, wake_at, last_seq, answer_seq, created_at, started_at, ended_at)
            SELECT 'r' || lpad(i::text, 8, '0'), 'u' || i % 500, CASE WHEN i % 4 = 0 THEN 'r' || lpad((i + 1)::text, 8, '0') ELSE 'r' || lpad(i::text, 8, '0') END,
                CASE WHEN i % 4 = 0 THEN 'r' || lpad((i + 1)::text, 8, '0') END, 'c' || i % 5000, 'm' || i, 'b' || i % 5000, 'solo', 'a', 'h', CASE WHEN i % 100 = 0 THEN 'waiting_timer' WHEN i % 500 = 1 THEN 'waiting_input' ELSE 'completed' END,
                NULL, NULL, CASE WHEN i % 100 = 0 THEN 9000000000000000 + i END, 5, 4, i, i, CASE WHEN i % 100 <> 0 AND i % 500 <> 1 THEN i END FROM generate_series(1, {{Text(Rows)}}) i;
        INSERT INTO run_events (run_id, seq, type, json, created_at) SELECT 'r' || lpad(i::text, 8, '0'), s, 'model.requested', '\x7b7d', i FROM generate_series(1, {{Text(Rows)}}) i, generate_series(1, 5) s;
        INSERT INTO run_inbox (run_id, key, payload, created_at) SELECT 'r' || lpad(i::text, 8, '0'), 'k', '{}', i FROM generate_series(1, {{Text(Rows)}}) i;
        INSERT INTO run_contexts (run_id, options) SELECT 'r' || lpad(i::text, 8, '0'), '{}' FROM generate_series(1, {{Text(Rows)}}) i;
        INSERT INTO approvals (id, run_id, owner_id, agent, call, tool, arguments, arguments_hash, approver, reason, status, created_at, expires_at)
            SELECT 'a' || i, 'r' || lpad(i::text, 8, '0'), 'u' || i % 500, 'a', 1, 't', '{}', 'h', 'owner', 'r', CASE WHEN i % 50 = 0 THEN 'pending' ELSE 'approved' END, i, i FROM generate_series(1, {{Text(Rows)}}) i;
        INSERT INTO conversations (id, owner_id, title, created_at, updated_at) SELECT 'c' || i, 'u' || i % 500, 't', i, i FROM generate_series(1, {{Text(Rows)}}) i;
        INSERT INTO messages (id, conversation_id, owner_id, parent_id, branch_id, depth, role, content, run_id, status, created_at)
            SELECT 'm' || i, 'c' || 1 + i % 5000, 'u' || i % 500, 'm' || i - 5000, 'b' || i % 5000, 1 + i / 5000, CASE WHEN i % 2 = 0 THEN 'user' ELSE 'assistant' END, repeat('x', 200), 'r' || i, 'complete', i FROM generate_series(1, {{Text(Rows)}}) i;
        INSERT INTO usage_ledger (id, run_id, owner_id, purpose, provider, model, tier, input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost_micro_usd, outcome, estimated, latency_us, created_at)
            SELECT 'l' || i, 'r' || i, 'u' || i % 500, 'answer', 'p', 'm', 'cheap', 1, 1, 1, 1, 1, 'ok', 0, 1, i FROM generate_series(1, {{Text(Rows)}}) i;
        INSERT INTO idempotency_keys (owner_id, scope, key, body_hash, instance, created_at) SELECT 'u' || i % 500, 's', 'k' || i, 'h', 'i', 9000000000000000 + i FROM generate_series(1, {{Text(Rows)}}) i;
        INSERT INTO outbox (topic, payload, created_at) SELECT 't' || i % 50, '{}', i FROM generate_series(1, {{Text(Rows)}}) i;
        """;

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed class Folder : IDisposable
    {
        private readonly string root = Directory.CreateTempSubdirectory("rootmas-test-").FullName;

        public string Data => Path.Combine(root, "data");

        public void Dispose() => Directory.Delete(root, recursive: true);
    }
}
