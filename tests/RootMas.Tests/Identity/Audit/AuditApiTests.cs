using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Audit;

public sealed class AuditApiOnSqliteTests() : AuditApiTests(DatabaseKind.Sqlite);

public sealed class AuditApiOnPostgresTests() : AuditApiTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What gets into the audit log, and how it is read.</summary>
public abstract class AuditApiTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Translator = """{"name":"translator","role":"Translator","description":"Translates.","instructions":"You translate, canary-prompt.","tier":"cheap","tools":["calculator"]}""";

    [DatabaseFact]
    public async Task Start_and_stop_are_rows_and_the_head_is_in_the_log()
    {
        using var folder = new TempFolder();
        await using (var app = await TestApp.StartAsync(o => o.Data = Path.Combine(folder.Path, "data")))
        {
            Assert.Contains(await app.AuditAsync(), r => r.Text("action") == "server.start");
            await app.StopAsync();
            var head = await HeadInLogAsync(app);
            Assert.Contains(head, HeadLines(app));
        }

        await using var again = await TestApp.StartAsync(o => o.Data = Path.Combine(folder.Path, "data"));
        Assert.Equal(["server.start", "server.stop", "server.start"], (await again.AuditAsync("&action=server.")).Select(r => r.Text("action")).Reverse());
    }

    [DatabaseFact]
    public async Task Settings_that_changed_since_the_last_start_are_one_row_without_secrets()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        await using (await TestApp.StartAsync(o => { o.Data = data; o.Settings["Tools:Search:ApiKey"] = "canary-old"; }))
        {
        }

        await using var app = await TestApp.StartAsync(o =>
        {
            o.Data = data;
            o.Settings["Tools:Search:ApiKey"] = "canary-new";
            o.Settings["Runs:Parallelism"] = "17";
        });
        var row = Assert.Single(await app.AuditAsync("&action=settings."));
        Assert.Equal("17", row.GetProperty("after").GetProperty("Runs:Parallelism").GetString());
        Assert.Equal("4096", row.GetProperty("before").GetProperty("Runs:Parallelism").GetString());
        Assert.NotEqual(row.GetProperty("before").Text("Tools:Search:ApiKey"), row.GetProperty("after").Text("Tools:Search:ApiKey"));
        Assert.DoesNotContain("canary", row.GetRawText(), StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task A_changed_agent_is_a_row_with_what_changed_and_without_the_prompt()
    {
        await using var app = await TestApp.StartAsync();
        using var created = await app.PostAsync("/api/v1/agents", Translator);
        var tag = created.Headers.ETag!.ToString();
        using var replaced = await app.SendAsync(HttpMethod.Put, "/api/v1/agents/translator", Translator.Replace("cheap", "premium", StringComparison.Ordinal), ("If-Match", tag));
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        var rows = await app.AuditAsync("&target=translator");
        Assert.Equal(["agent.replace", "agent.create"], rows.Select(r => r.Text("action")));
        Assert.Equal("""{"tier":"cheap"}""", rows[0].GetProperty("before").GetRawText());
        Assert.Equal("""{"tier":"premium"}""", rows[0].GetProperty("after").GetRawText());
        Assert.Equal(64, rows[1].GetProperty("after").GetProperty("instructions").Text("sha256").Length);
        Assert.Equal("local", rows[0].Text("credential"));
        Assert.NotEqual("", rows[0].Text("request_id"));
        Assert.DoesNotContain("canary", string.Concat(rows.Select(r => r.GetRawText())), StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task A_refused_change_leaves_no_row()
    {
        await using var app = await TestApp.StartAsync();
        var before = await app.LastRowAsync();
        using var invalid = await app.PostAsync("/api/v1/agents", Translator.Replace("calculator", "no_such_tool_canary!", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.BadRequest, invalid.StatusCode);
        using var stale = await app.SendAsync(HttpMethod.Delete, "/api/v1/agents/researcher", null, ("If-Match", "\"old\""));
        Assert.Equal(HttpStatusCode.PreconditionFailed, stale.StatusCode);
        Assert.Empty(await app.NewRowsAsync(before));
    }

    [DatabaseFact]
    public async Task Filters_and_pages_give_exactly_the_wanted_rows()
    {
        await using var app = await TestApp.StartAsync();
        var log = app.Get<AuditLog>();
        for (var i = 0; i < 7; i++)
        {
            var entry = new AuditEntry { Action = i % 2 == 0 ? "probe.even" : "probe.odd", ActorId = "u" + i, ActorName = "name" + i, TargetId = "t" + i, Outcome = i == 3 ? AuditOutcome.Failed : AuditOutcome.Done };
            await app.Get<IDatabase>().WriteAsync(session => log.AppendAsync(session, entry), default);
        }

        Assert.Equal(["t6", "t4", "t2", "t0"], (await app.AuditAsync("&action=probe.e")).Select(r => r.Text("target_id")));
        Assert.Equal(["t3"], (await app.AuditAsync("&action=probe.&outcome=failed")).Select(r => r.Text("target_id")));
        Assert.Equal(["t5"], (await app.AuditAsync("&actor=u5")).Select(r => r.Text("target_id")));
        Assert.Equal(["t5"], (await app.AuditAsync("&actor=name5")).Select(r => r.Text("target_id")));
        Assert.Equal(["u2"], (await app.AuditAsync("&target=t2")).Select(r => r.Text("actor_id")));
        var at = (await app.AuditAsync("&target=t2"))[0].Text("at");
        Assert.Contains("t2", (await app.AuditAsync($"&action=probe.&from={Uri.EscapeDataString(at)}")).Select(r => r.Text("target_id")));
        Assert.DoesNotContain("t2", (await app.AuditAsync($"&action=probe.&to={Uri.EscapeDataString(at)}")).Select(r => r.Text("target_id")));
        List<string> paged = [];
        for (var path = "/api/v1/audit?action=probe.&limit=3"; ;)
        {
            var page = await app.GetJsonAsync(path);
            paged.AddRange(page.GetProperty("items").EnumerateArray().Select(r => r.Text("target_id")));
            if (page.GetProperty("next_cursor").GetString() is not { } cursor)
            {
                break;
            }

            path = $"/api/v1/audit?action=probe.&limit=3&cursor={cursor}";
        }

        Assert.Equal(["t6", "t5", "t4", "t3", "t2", "t1", "t0"], paged);
    }

    [DatabaseFact]
    public async Task Nonsense_in_a_filter_is_400_and_named()
    {
        await using var app = await TestApp.StartAsync();
        foreach (var (query, field) in ((string, string)[])
        [
            ("outcome=perhaps", "outcome"),
            ("limit=0", "limit"),
            ("cursor=!!", "cursor"),
            ("cursor=eA", "cursor"),
            ("from=yesterday", "from"),
        ])
        {
            using var response = await app.Client.GetAsync("/api/v1/audit?" + query);
            ProblemAssert.Names(await ProblemAssert.IsProblemAsync(response, 400), field);
        }
    }

    [DatabaseFact]
    public async Task Refused_rights_are_rows_but_a_flood_of_them_is_few_rows()
    {
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Audit:DenialsPerMinute"] = "3";
            o.Configure = a => Refusing(a);
        });
        var before = await app.LastRowAsync();
        for (var i = 0; i < 200; i++)
        {
            using var response = await app.Client.GetAsync($"/api/v1/refused{i % 20}");
            Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        }

        var first = await app.NewRowsAsync(before);
        Assert.InRange(first.Count, 3, 6);
        Assert.All(first, r => Assert.Equal(("access.denied", "denied", "not_yours"), (r.Text("action"), r.Text("outcome"), r.GetProperty("after").Text("code"))));
        await app.Get<Denials>().FlushAsync(all: true, default);
        var rows = await app.NewRowsAsync(before);
        Assert.InRange(rows.Count, 4, 16);
        var counted = rows.Sum(r => r.GetProperty("after").TryGetProperty("further", out var further) ? further.GetInt32() : 1);
        Assert.Equal(200, counted);
    }

    [DatabaseFact]
    public async Task Refusals_that_were_counted_while_the_database_was_away_are_rows_when_it_is_back()
    {
        var database = new DatabaseThatGoes();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Configure = Refusing;
            o.Services = database.AddTo;
        });
        var before = await app.LastRowAsync();
        for (var i = 0; i < 5; i++)
        {
            using var response = await app.Client.GetAsync("/api/v1/refused0");
            Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        }

        var denials = app.Get<Denials>();
        database.IsAway = true;
        await Assert.ThrowsAsync<StorageUnavailableException>(() => denials.FlushAsync(all: true, default));
        database.IsAway = false;
        await denials.FlushAsync(all: true, default);
        await denials.FlushAsync(all: true, default);
        Assert.Equal(5, (await app.NewRowsAsync(before)).Sum(static r => r.GetProperty("after").TryGetProperty("further", out var further) ? further.GetInt32() : 1));
    }

    [DatabaseFact]
    public async Task Reading_the_log_is_a_row()
    {
        await using var app = await TestApp.StartAsync();
        await app.GetJsonAsync("/api/v1/logs");
        Assert.Single(await app.AuditAsync("&action=logs.read"));
    }

    /// <summary>Nothing can be written while the test says so.</summary>
    private sealed class DatabaseThatGoes
    {
        private volatile bool _isAway;

        public bool IsAway
        {
            get => _isAway;
            set => _isAway = value;
        }

        public void AddTo(IServiceCollection services) => services.Wrap(inner => new Wrapped(inner, this));

        private sealed class Wrapped(IDatabase inner, DatabaseThatGoes whether) : WrappedDatabase(inner)
        {
            public override Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) =>
                whether.IsAway ? Task.FromException<T>(new StorageUnavailableException("away")) : Inner.WriteAsync(work, cancellationToken);
        }
    }

    private static void Refusing(WebApplication app)
    {
        var routes = app.MapRoutes();
        for (var i = 0; i < 20; i++)
        {
            routes.MapGet($"/api/v1/refused{i}", IResult () => Problems.Forbidden("not_yours", "This is not yours.")).AllowPublic();
        }
    }

    private static async Task<string> HeadInLogAsync(TestApp app) => (await app.Get<AuditStore>().HeadAsync(default)).ToString();

    private static IEnumerable<string> HeadLines(TestApp app) =>
        app.Get<LogRing>().Read(Microsoft.Extensions.Logging.LogLevel.Information, "AuditUpkeep", 100).Select(l => l.Message.Split(' ')).Where(w => w is ["Audit", "head", ..]).Select(w => w[2].TrimEnd(':'));
}
