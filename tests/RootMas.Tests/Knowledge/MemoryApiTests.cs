using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class MemoryApiOnSqliteTests() : MemoryApiTests(DatabaseKind.Sqlite);

public sealed class MemoryApiOnPostgresTests() : MemoryApiTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What people can do with what is remembered about them, over HTTP.</summary>
[Covers(typeof(MemoryStore))]
public abstract class MemoryApiTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_fact_that_contradicts_an_older_one_replaces_it_and_the_history_says_why_it_is_known()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var kazan = await alice.PostAsync("/api/v1/memory", new { text = "I live in Kazan" }, HttpStatusCode.Created);
        Assert.Equal("home", kazan.GetProperty("attribute").GetString());
        var again = await alice.PostAsync("/api/v1/memory", new { text = "i live in  Kazan!" }, HttpStatusCode.Created);
        Assert.Equal(kazan.Id(), again.Id());
        var moscow = await alice.PostAsync("/api/v1/memory", new { text = "Я переехал в Москву" }, HttpStatusCode.Created);

        var listed = (await alice.GetAsync("/api/v1/memory")).GetProperty("items");
        Assert.Equal(["Я переехал в Москву"], listed.EnumerateArray().Select(static f => f.GetProperty("text").GetString()));
        var why = await alice.GetAsync($"/api/v1/memory/{moscow.Id()}/why");
        Assert.Equal(["superseded", "active"], why.GetProperty("history").EnumerateArray().Select(static f => f.GetProperty("status").GetString()));
        Assert.Contains("entered by the user", why.GetProperty("because").GetString(), StringComparison.Ordinal);
        var before = await alice.GetAsync($"/api/v1/memory/{kazan.Id()}");
        Assert.Equal(moscow.Id(), before.GetProperty("replaced_by").GetString());
        Assert.NotEqual(JsonValueKind.Null, before.GetProperty("valid_until").ValueKind);
    }

    [DatabaseFact]
    public async Task A_fact_is_found_corrected_and_forgotten_and_a_stale_change_is_refused()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var tea = await alice.PostAsync("/api/v1/memory", new { text = "I like green tea" }, HttpStatusCode.Created);
        await alice.PostAsync("/api/v1/memory", new { text = "My sister's name is Anna" }, HttpStatusCode.Created);
        var found = (await alice.GetAsync("/api/v1/memory?q=what%20is%20my%20sister%20called")).GetProperty("items");
        Assert.Equal("My sister's name is Anna", found[0].GetProperty("text").GetString());

        Assert.Equal((HttpStatusCode)428, (await ChangeAsync(alice, HttpMethod.Patch, tea.Id(), new { text = "I like black tea" }, null)).StatusCode);
        using var corrected = await ChangeAsync(alice, HttpMethod.Patch, tea.Id(), new { text = "I like black tea" });
        Assert.Equal(HttpStatusCode.OK, corrected.StatusCode);
        var black = JsonElement.Parse(await corrected.Content.ReadAsStringAsync());
        Assert.NotEqual(tea.Id(), black.Id());
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await ChangeAsync(alice, HttpMethod.Delete, black.Id(), null, "\"1\"")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await ChangeAsync(alice, HttpMethod.Delete, black.Id(), null)).StatusCode);
        // Gone with its history: not even the corrected version is left.
        await alice.GetAsync($"/api/v1/memory/{tea.Id()}", HttpStatusCode.NotFound);
        Assert.DoesNotContain("tea", (await alice.GetAsync("/api/v1/memory/export")).ToString(), StringComparison.Ordinal);
    }

    [DatabaseTheory]
    [InlineData("My password is hunter2 and it works everywhere")]
    [InlineData("Мой пароль — солнышко")]
    [InlineData("My card is 4111 1111 1111 1111")]
    [InlineData("The key is sk-abcdefghijklmnop1234")]
    public async Task What_looks_like_a_secret_is_not_kept(string text)
    {
        await using var app = await TestApp.StartAsync();
        var refused = await app.PostJsonAsync("/api/v1/memory", new { text }, HttpStatusCode.UnprocessableEntity);
        Assert.Equal("looks_like_secret", refused.GetProperty("code").GetString());
        Assert.Empty((await app.GetJsonAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task Notes_of_the_team_are_for_everybody_and_only_administrators_change_them()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory/team", new { text = "We ship on Fridays" }, HttpStatusCode.Forbidden);
        var note = await app.PostJsonAsync("/api/v1/memory/team", new { text = "We never ship on Fridays" }, HttpStatusCode.Created);
        Assert.Equal("team", note.GetProperty("scope").GetString());
        Assert.Equal(note.Id(), (await alice.GetAsync("/api/v1/memory/team")).GetProperty("items")[0].Id());
        Assert.Contains("note of the team", (await alice.GetAsync($"/api/v1/memory/{note.Id()}/why")).GetProperty("because").GetString(), StringComparison.Ordinal);
        // It is no fact about alice, and not hers to change.
        Assert.Empty((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
        Assert.Equal(HttpStatusCode.NotFound, (await ChangeAsync(alice, HttpMethod.Delete, note.Id(), null, "\"1\"")).StatusCode);
        using var removed = await app.SendAsync(HttpMethod.Delete, $"/api/v1/memory/team/notes/{note.Id()}");
        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
    }

    [DatabaseFact]
    public async Task Nobody_sees_changes_or_decides_what_is_remembered_about_somebody_else()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        using var bob = await app.AsAsync("bob");
        using var bot = await app.AsAsync("bot", "agent");
        var secret = await alice.PostAsync("/api/v1/memory", new { text = "My canary is CANARY-ALICE-77 in Kazan" }, HttpStatusCode.Created);
        foreach (var (method, path, body) in ((HttpMethod, string, object?)[])
            [(HttpMethod.Get, "", null), (HttpMethod.Get, "/why", null), (HttpMethod.Patch, "", new { text = "My canary is gone" }), (HttpMethod.Delete, "", null), (HttpMethod.Post, "/decision", new { decision = "keep" })])
        {
            using var request = new HttpRequestMessage(method, $"/api/v1/memory/{secret.Id()}{path}") { Content = body is null ? null : JsonContent.Create(body) };
            request.Headers.TryAddWithoutValidation("If-Match", "*");
            using var answer = await bob.Client.SendAsync(request);
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }

        // What an agent keeps for its own end users lies apart, from each other and from the users of this server.
        await bot.PostAsync("/api/v1/memory?user_id=alice", new { text = "My canary is CANARY-END-USER" }, HttpStatusCode.Created);
        Assert.Contains("CANARY-END-USER", (await bot.GetAsync("/api/v1/memory?user_id=alice")).ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("CANARY", (await bot.GetAsync("/api/v1/memory?user_id=carol")).ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("CANARY", (await bot.GetAsync("/api/v1/memory")).ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("END-USER", (await alice.GetAsync("/api/v1/memory/export")).ToString(), StringComparison.Ordinal);
        foreach (var path in (string[])["/api/v1/memory", "/api/v1/memory?q=canary", "/api/v1/memory/export", "/api/v1/graph/export"])
        {
            Assert.DoesNotContain("CANARY", (await bob.GetAsync(path)).ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain("CANARY", (await app.GetJsonAsync(path)).ToString(), StringComparison.Ordinal);
        }

        await bob.GetAsync("/api/v1/memory?user_id=alice", HttpStatusCode.Forbidden);
        using var admin = await app.Client.GetAsync("/api/v1/memory?user_id=alice");
        Assert.Equal(HttpStatusCode.Forbidden, admin.StatusCode);
    }

    [DatabaseFact]
    public async Task Erasing_a_user_removes_every_row_of_their_memory_and_graph_and_leaves_that_of_others()
    {
        await using var app = await TestApp.StartAsync();
        using var bob = await app.AsAsync("bob");
        await bob.PostAsync("/api/v1/memory", new { text = "I live in Perm" }, HttpStatusCode.Created);
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory", new { text = "I live in Kazan" }, HttpStatusCode.Created);
        await alice.PostAsync("/api/v1/memory", new { text = "I live in Moscow" }, HttpStatusCode.Created);
        Assert.NotEqual(0, await CountAsync(app, "graph_relations", alice.Id));
        using var read = await app.Client.GetAsync($"/api/v1/users/{alice.Id}");
        using var gone = await app.SendAsync(HttpMethod.Delete, $"/api/v1/users/{alice.Id}", null, ("If-Match", read.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        foreach (var table in (string[])["memory_facts", "memory_owners", "memory_jobs", "memory_calls", "graph_entities", "graph_names", "graph_name_uses", "graph_words", "graph_relations"])
        {
            Assert.Equal(0, await CountAsync(app, table, alice.Id));
        }

        Assert.Equal(0, await CountAsync(app, "graph_evidence e where excerpt like '%Kazan%' or excerpt like '%Moscow%' or", "x"));
        Assert.Equal("I live in Perm", (await bob.GetAsync("/api/v1/memory")).GetProperty("items")[0].GetProperty("text").GetString());
    }

    /// <summary>True only for a time: neither what is over nor what is still to come is told.</summary>
    [DatabaseTheory]
    [InlineData(-60, -1)]
    [InlineData(1, null)]
    public async Task A_fact_is_told_and_recalled_only_while_it_is_valid(int from, int? until)
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory", new { text = "I like tea with nuts" }, HttpStatusCode.Created);
        var (database, store, recall, now) = (app.Get<IDatabase>(), app.Get<MemoryStore>(), app.Get<MemoryRecall>(), TimeProvider.System.GetUtcNow());
        var fact = new NewFact
        {
            Text = "I work at Romashka and pack nuts", Attribute = "employer", AuthorKind = "user", Author = alice.Id, ValidFrom = now.AddDays(from), ValidUntil = until is { } days ? now.AddDays(days) : null,
        };
        var kept = (await store.KeepAsync(alice.Id, fact, null, CancellationToken.None)).Fact!;
        var run = new RootMas.Runtime.Runs.NewRun { RunId = "r", RootRunId = "r", OwnerId = alice.Id, Team = "t", EntryAgent = "a", SnapshotHash = "", Input = "Where do I work, and what of nuts?" };
        Assert.Equal(["I like tea with nuts"], (await recall.RecallAsync(run, CancellationToken.None)).Select(static f => f.Text));
        Assert.Equal(["I like tea with nuts"], (await recall.SearchAsync(alice.Id, "nuts", 5, CancellationToken.None)).Select(static f => f.Text));
        Assert.Equal(["I like tea with nuts"], (await recall.SearchPlainAsync(alice.Id, "nuts", 5, CancellationToken.None)).Select(static f => f.Text));

        // Its user sees it all the same, and it is told as soon as its time is now.
        Assert.Equal(2, (await alice.GetAsync("/api/v1/memory")).GetProperty("items").GetArrayLength());
        await database.WriteAsync(
            async session =>
            {
                await store.ChangeAsync(session, alice.Id);
                await session.Prepared("update memory_facts set valid_from = @from, valid_until = null where id = @id").Set("from", session.Now.AddDays(-1)).Set("id", kept.Id).RunAsync();
            },
            CancellationToken.None);
        Assert.Equal(2, (await recall.RecallAsync(run, CancellationToken.None)).Count);
        Assert.Equal(2, (await recall.SearchAsync(alice.Id, "nuts", 5, CancellationToken.None)).Count);
    }

    [DatabaseFact]
    public async Task Everything_can_be_forgotten_at_once_and_what_is_sensitive_is_told_only_when_asked()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var allergy = await alice.PostAsync("/api/v1/memory", new { text = "I am allergic to nuts" }, HttpStatusCode.Created);
        Assert.Equal("sensitive", allergy.GetProperty("sensitivity").GetString());
        await alice.PostAsync("/api/v1/memory", new { text = "I like tea" }, HttpStatusCode.Created);
        var recall = app.Get<MemoryRecall>();
        var run = new RootMas.Runtime.Runs.NewRun { RunId = "r", RootRunId = "r", OwnerId = alice.Id, Team = "t", EntryAgent = "a", SnapshotHash = "", Input = "What may I eat, nuts?" };
        Assert.Equal(["I like tea"], (await recall.RecallAsync(run, CancellationToken.None)).Select(static f => f.Text));
        Assert.Equal("I am allergic to nuts", (await recall.SearchAsync(alice.Id, "nuts", 5, CancellationToken.None))[0].Text);
        using var all = await alice.Client.DeleteAsync("/api/v1/memory");
        Assert.Equal(2, JsonElement.Parse(await all.Content.ReadAsStringAsync()).GetProperty("facts").GetInt32());
        Assert.Empty((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task What_is_only_proposed_makes_nothing_surer_that_is_known_already()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var known = new NewFact { Text = "The user lives in Kazan", AuthorKind = "agent", Author = "communicator", Confidence = 50 };
        Task<KeptFact> KeepAsync(NewFact fact) => app.Get<IDatabase>().WriteAsync(session => FactWrites.KeepAsync(session, alice.Id, fact, 100), CancellationToken.None);
        async Task<int> ConfidenceAsync() => Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray()).GetProperty("confidence").GetInt32();
        await KeepAsync(known);
        var proposed = await KeepAsync(known with { Confidence = 90, Tainted = true, Proposed = true });
        Assert.Equal((Kept.Known, 50, 50), (proposed.Outcome, proposed.Fact!.Confidence, await ConfidenceAsync()));
        await KeepAsync(known);
        Assert.Equal(55, await ConfidenceAsync());
    }

    [DatabaseTheory]
    [InlineData("keep")]
    [InlineData("correct")]
    public async Task A_proposal_that_its_user_agrees_to_ends_what_it_contradicted_as_if_it_had_been_written_at_once(string how)
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        Task<KeptFact> KeepAsync(NewFact fact) => app.Get<IDatabase>().WriteAsync(session => FactWrites.KeepAsync(session, alice.Id, fact, 100), CancellationToken.None);
        var tea = (await KeepAsync(new NewFact { Text = "The user drinks only tea", AuthorKind = "extraction", Author = "memory" })).Fact!;
        var cake = (await KeepAsync(new NewFact { Text = "The user never eats cake", AuthorKind = "extraction", Author = "memory" })).Fact!;
        var proposal = (await KeepAsync(new NewFact { Text = "The user has coffee and cake", AuthorKind = "extraction", Author = "memory", Tainted = true, Proposed = true, Replaces = [tea.Id, cake.Id] })).Fact!;
        Assert.Equal(3, (await alice.GetAsync("/api/v1/memory")).GetProperty("items").GetArrayLength()); // nothing ends until then

        // What it contradicts has a newer version by then.
        using (var corrected = await ChangeAsync(alice, HttpMethod.Patch, tea.Id, new { text = "The user drinks only green tea" }))
        {
            Assert.Equal(HttpStatusCode.OK, corrected.StatusCode);
        }

        if (how == "keep")
        {
            await alice.PostAsync($"/api/v1/memory/{proposal.Id}/decision", new { decision = "keep" });
        }
        else
        {
            using var corrected = await ChangeAsync(alice, HttpMethod.Patch, proposal.Id, new { text = "The user has coffee and pie" });
            Assert.Equal(HttpStatusCode.OK, corrected.StatusCode);
        }

        var left = Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
        Assert.StartsWith("The user has coffee", left.GetProperty("text").GetString(), StringComparison.Ordinal);
        var history = (await alice.GetAsync($"/api/v1/memory/{left.Id()}/why")).GetProperty("history");
        Assert.Equal(["The user drinks only tea", "The user drinks only green tea", left.GetProperty("text").GetString()], history.EnumerateArray().Select(static f => f.GetProperty("text").GetString()));
        Assert.Equal(left.Id(), (await alice.GetAsync($"/api/v1/memory/{cake.Id}")).GetProperty("replaced_by").GetString());
    }

    [DatabaseFact]
    public async Task A_correction_to_something_sensitive_is_sensitive_unless_its_user_says_otherwise()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var tea = await alice.PostAsync("/api/v1/memory", new { text = "I like tea" }, HttpStatusCode.Created);
        using var corrected = await ChangeAsync(alice, HttpMethod.Patch, tea.Id(), new { text = "I have diabetes" });
        var now = JsonElement.Parse(await corrected.Content.ReadAsStringAsync());
        Assert.Equal("sensitive", now.GetProperty("sensitivity").GetString());
        using var said = await ChangeAsync(alice, HttpMethod.Patch, now.Id(), new { text = "I live with diabetes", sensitive = false });
        Assert.Equal("normal", JsonElement.Parse(await said.Content.ReadAsStringAsync()).GetProperty("sensitivity").GetString());
    }

    [DatabaseFact]
    public async Task What_is_known_already_is_as_sensitive_and_as_long_true_as_its_user_says_now()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var until = new DateTimeOffset(2099, 1, 1, 0, 0, 0, TimeSpan.Zero);
        Task<JsonElement> SayAsync(object fact) => alice.PostAsync("/api/v1/memory", fact, HttpStatusCode.Created);
        var kazan = await SayAsync(new { text = "I live in Kazan" });
        Assert.NotEqual(0, await CountAsync(app, "graph_relations", alice.Id));

        var hidden = await SayAsync(new { text = "I live in Kazan", sensitive = true, valid_until = until });
        Assert.Equal((kazan.Id(), "sensitive", until), (hidden.Id(), hidden.GetProperty("sensitivity").GetString(), hidden.GetProperty("valid_until").GetDateTimeOffset()));
        Assert.Equal("sensitive", (await alice.GetAsync($"/api/v1/memory/{kazan.Id()}")).GetProperty("sensitivity").GetString());
        Assert.Equal(0, await CountAsync(app, "graph_relations", alice.Id)); // nothing of it is told by the graph

        var again = await SayAsync(new { text = "I live in Kazan" }); // who says nothing of it changes nothing of it
        Assert.Equal(("sensitive", until), (again.GetProperty("sensitivity").GetString(), again.GetProperty("valid_until").GetDateTimeOffset()));
        var shown = await SayAsync(new { text = "I live in Kazan", sensitive = false });
        Assert.Equal("normal", shown.GetProperty("sensitivity").GetString());
        Assert.NotEqual(0, await CountAsync(app, "graph_relations", alice.Id));
    }

    [DatabaseFact]
    public async Task The_end_of_a_fact_stays_when_nothing_is_said_of_it_and_goes_with_null()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var tea = await alice.PostAsync("/api/v1/memory", new { text = "I drink tea", valid_until = "2099-01-01T00:00:00Z" }, HttpStatusCode.Created);
        async Task<JsonElement> CorrectAsync(string id, object change)
        {
            using var answer = await ChangeAsync(alice, HttpMethod.Patch, id, change);
            Assert.True(answer.StatusCode == HttpStatusCode.OK, await answer.Content.ReadAsStringAsync());
            return JsonElement.Parse(await answer.Content.ReadAsStringAsync());
        }

        var black = await CorrectAsync(tea.Id(), new { text = "I drink black tea" });
        Assert.Equal(JsonValueKind.String, black.GetProperty("valid_until").ValueKind);
        var read = new NewFact { Text = "I drink black tea", AuthorKind = "extraction", Author = "memory", ValidUntil = DateTimeOffset.UtcNow.AddDays(9), SaidAt = DateTimeOffset.UtcNow.AddMinutes(-1) };
        var always = await CorrectAsync(black.Id(), new { valid_until = (string?)null });
        Assert.False(always.TryGetProperty("valid_until", out var end) && end.ValueKind == JsonValueKind.String);
        Assert.Null((await app.Get<MemoryStore>().FindAsync(alice.Id, always.Id(), CancellationToken.None))!.ValidUntil);
        await app.Get<IDatabase>().WriteAsync(session => FactWrites.KeepAsync(session, alice.Id, read, 10), CancellationToken.None); // said before the correction, and read after it
        Assert.Null((await app.Get<MemoryStore>().FindAsync(alice.Id, always.Id(), CancellationToken.None))!.ValidUntil);
        Assert.Equal(JsonValueKind.String, (await CorrectAsync(always.Id(), new { valid_until = "2098-01-01T00:00:00Z" })).GetProperty("valid_until").ValueKind);
    }

    [DatabaseFact]
    public async Task A_search_keeps_to_its_status_and_to_ones_own_however_many_notes_the_team_has()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.PostAsync("/api/v1/memory", new { text = "I live in Kazan" }, HttpStatusCode.Created);
        await alice.PostAsync("/api/v1/memory", new { text = "I live in Moscow" }, HttpStatusCode.Created);
        await app.Get<IDatabase>().WriteAsync(
            async session =>
            {
                await FactWrites.KeepAsync(session, alice.Id, new NewFact { Text = "Lives alone in a house", AuthorKind = "extraction", Author = "memory", Tainted = true, Proposed = true }, 100);
                for (var i = 0; i < 30; i++)
                {
                    await FactWrites.KeepAsync(session, FactWords.Team, new NewFact { Text = $"We live and work in Moscow, office {i}", AuthorKind = "user", Author = "admin" }, 100);
                }
            },
            CancellationToken.None);
        async Task<List<string?>> FindAsync(string query) =>
            [.. (await alice.GetAsync($"/api/v1/memory?limit=5&q={query}")).GetProperty("items").EnumerateArray().Select(static f => f.GetProperty("text").GetString()).Order(StringComparer.Ordinal)];
        Assert.Equal(["I live in Moscow", "Lives alone in a house"], await FindAsync("live"));
        Assert.Equal(["I live in Moscow"], await FindAsync("live&status=active"));
        Assert.Equal(["Lives alone in a house"], await FindAsync("live&status=proposed"));
        Assert.Equal(["I live in Kazan"], await FindAsync("live&status=superseded"));
    }

    [DatabaseFact]
    public async Task A_fact_that_is_corrected_to_what_another_one_says_ends()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var tea = await alice.PostAsync("/api/v1/memory", new { text = "I like green tea" }, HttpStatusCode.Created);
        var coffee = await alice.PostAsync("/api/v1/memory", new { text = "I like coffee" }, HttpStatusCode.Created);
        using var corrected = await ChangeAsync(alice, HttpMethod.Patch, tea.Id(), new { text = "I like coffee" });
        Assert.Equal(HttpStatusCode.OK, corrected.StatusCode);
        Assert.Equal(coffee.Id(), Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray()).Id());
    }

    [DatabaseFact]
    public async Task A_proposal_stays_when_what_should_take_its_place_is_refused()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Knowledge:Memory:MaxFacts"] = "10");
        using var alice = await app.AsAsync("alice");
        Task<KeptFact> KeepAsync(string text, bool proposed) => app.Get<IDatabase>().WriteAsync(
            session => FactWrites.KeepAsync(session, alice.Id, new NewFact { Text = text, AuthorKind = "extraction", Author = "memory", Tainted = proposed, Proposed = proposed }, 10), CancellationToken.None);
        for (var i = 1; i < 10; i++)
        {
            Assert.Equal(Kept.New, (await KeepAsync($"The user has read book {i}", proposed: false)).Outcome);
        }

        var proposal = (await KeepAsync("The user likes tea", proposed: true)).Fact!;
        using var refused = await ChangeAsync(alice, HttpMethod.Patch, proposal.Id, new { text = "My password is hunter2" });
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        Assert.Equal(proposal.Id, (await alice.GetAsync("/api/v1/memory?status=proposed")).GetProperty("items")[0].Id());
        // It counts among the facts that may be kept, and makes room for its own correction.
        using var corrected = await ChangeAsync(alice, HttpMethod.Patch, proposal.Id, new { text = "The user likes green tea" });
        Assert.Equal(HttpStatusCode.OK, corrected.StatusCode);
        var items = (await alice.GetAsync("/api/v1/memory")).GetProperty("items");
        Assert.Equal((10, "The user likes green tea", "active"), (items.GetArrayLength(), items[0].GetProperty("text").GetString(), items[0].GetProperty("status").GetString()));
    }

    private static async Task<HttpResponseMessage> ChangeAsync(TestUser user, HttpMethod method, string id, object? body, string? etag = "read")
    {
        using var request = new HttpRequestMessage(method, $"/api/v1/memory/{id}") { Content = body is null ? null : JsonContent.Create(body) };
        if (etag == "read")
        {
            using var read = await user.Client.GetAsync($"/api/v1/memory/{id}");
            etag = read.Headers.ETag!.ToString();
        }

        if (etag is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", etag);
        }

        return await user.Client.SendAsync(request);
    }

    private static async Task<long?> CountAsync(TestApp app, string table, string owner)
    {
        var column = table.StartsWith("graph_evidence", StringComparison.Ordinal) ? "relation_id = @owner" : table.StartsWith("graph", StringComparison.Ordinal) ? "where realm = @owner" : "where owner_id = @owner";
        return await app.Get<IDatabase>().ReadAsync(session => session.Prepared($"select count(*) from {table} {column}").Set("owner", owner).Int64Async(), CancellationToken.None);
    }
}

/// <summary>Short forms.</summary>
internal static class KnowledgeJson
{
    public static string Id(this JsonElement json) => json.GetProperty("id").GetString()!;
}
