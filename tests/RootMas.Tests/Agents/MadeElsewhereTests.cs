using System.Net;
using System.Text.Json;
using RootMas.Server.Agents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Agents;

/// <summary>A client's next request may reach an instance that has not heard yet what the last one did: what it says is true all the same.</summary>
public sealed class MadeElsewhereTests
{
    [PostgresFact]
    public async Task What_another_instance_made_with_the_key_a_moment_ago_is_the_answer()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        for (var i = 0; i < 8; i++)
        {
            foreach (var (path, body) in new[] { ("/api/v1/agents", Agent($"helper_{i}", "Helps.")), ("/api/v1/teams", Team($"duo_{i}", "Two.")) })
            {
                var key = Guid.NewGuid().ToString("N");
                using var made = await cluster[0].SendAsync(HttpMethod.Post, path, body, ("Idempotency-Key", key));
                Assert.True(made.StatusCode == HttpStatusCode.Created, await made.Content.ReadAsStringAsync());
                await cluster.ExecuteAsync($"UPDATE idempotency_keys SET status = NULL, answer = NULL, instance = 'gone' WHERE key = '{key}'");
                using var again = await cluster[1].SendAsync(HttpMethod.Post, path, body, ("Idempotency-Key", key));
                Assert.True(again.StatusCode == HttpStatusCode.Created, await again.Content.ReadAsStringAsync());
                Assert.Equal(await made.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());
            }
        }
    }

    [PostgresFact]
    public async Task What_one_instance_was_told_the_next_request_finds_on_another()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        foreach (var (list, body, of) in new (string, string, Func<int, string>)[]
        {
            ("/api/v1/agents", Agent("helper", "Helps."), static i => Agent("helper", $"Helps {i}.")),
            ("/api/v1/teams", Team("duo", "Two."), static i => Team("duo", $"Two {i}.")),
        })
        {
            using var made = await cluster[0].SendAsync(HttpMethod.Post, list, body);
            Assert.True(made.StatusCode == HttpStatusCode.Created, await made.Content.ReadAsStringAsync());
            var (path, tag) = (made.Headers.Location!.ToString(), made.Headers.ETag!.ToString());
            for (var i = 1; i < 9; i++)
            {
                using var changed = await cluster[i % 2].SendAsync(HttpMethod.Put, path, of(i), ("If-Match", tag));
                Assert.True(changed.StatusCode == HttpStatusCode.OK, await changed.Content.ReadAsStringAsync());
                tag = changed.Headers.ETag!.ToString();
                using var read = await cluster[(i + 1) % 2].Client.GetAsync(path);
                Assert.Equal((HttpStatusCode.OK, tag), (read.StatusCode, read.Headers.ETag?.ToString()));
            }

            using var gone = await cluster[1].SendAsync(HttpMethod.Delete, path, null, ("If-Match", tag));
            Assert.True(gone.StatusCode == HttpStatusCode.NoContent, await gone.Content.ReadAsStringAsync());
            using var none = await cluster[0].Client.GetAsync(path);
            Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
        }
    }

    /// <summary>Each instance has files of its own: who edits one must not lose sight of the others, nor undo what they were told.</summary>
    [PostgresFact]
    public async Task While_an_edit_of_its_files_is_refused_an_instance_takes_over_what_others_were_told_and_overwrites_nothing()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var (one, other) = (cluster[0], cluster[1]);
        using var made = await one.SendAsync(HttpMethod.Post, "/api/v1/agents", Agent("helper", "Helps."));
        var tag = made.Headers.ETag!.ToString();
        using (var read = await other.Client.GetAsync("/api/v1/agents/helper"))
        {
            Assert.Equal(tag, read.Headers.ETag?.ToString());
        }

        await File.WriteAllTextAsync(Path.Combine(other.Config, "agents.yaml"), "agents: [oops");
        await TestCluster.UntilAsync(() => Task.FromResult(other.Get<AgentCatalog>().HasRejectedEdit), "the edit is refused");
        using var changed = await one.SendAsync(HttpMethod.Put, "/api/v1/agents/helper", Agent("helper", "Helps more."), ("If-Match", tag));
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        using var late = await other.SendAsync(HttpMethod.Put, "/api/v1/agents/helper", Agent("helper", "Helps less."), ("If-Match", tag));
        await ProblemAssert.IsProblemAsync(late, 412, "etag_mismatch");
        using var second = await one.SendAsync(HttpMethod.Post, "/api/v1/agents", Agent("second", "Helps too."));
        Assert.Equal(HttpStatusCode.Created, second.StatusCode);
        using (var read = await other.Client.GetAsync("/api/v1/agents/second"))
        {
            Assert.Equal((HttpStatusCode.OK, second.Headers.ETag!.ToString()), (read.StatusCode, read.Headers.ETag?.ToString()));
        }

        Assert.True(other.Get<AgentCatalog>().HasRejectedEdit);
        Assert.Contains(other.Get<AgentCatalog>().Problems, static p => p is { Source: "agents.yaml", IsWarning: false });
        File.Copy(Path.Combine(one.Config, "agents.yaml"), Path.Combine(other.Config, "agents.yaml"), overwrite: true);
        using var again = await other.SendAsync(HttpMethod.Put, "/api/v1/agents/helper", Agent("helper", "Helps most."), ("If-Match", changed.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        Assert.False(other.Get<AgentCatalog>().HasRejectedEdit);
    }

    [PostgresFact]
    public async Task What_one_instance_was_told_the_next_request_works_with_on_another()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var (one, other) = (cluster[0], cluster[1]);
        for (var i = 0; i < 6; i++)
        {
            foreach (var ask in new Func<TestApp, string, string, Task<HttpResponseMessage>>[]
            {
                static (app, agent, _) => app.SendAsync(HttpMethod.Post, "/api/v1/chat", JsonSerializer.Serialize(new { message = "What is 2 + 2?", agent })),
                static (app, _, team) => app.SendAsync(HttpMethod.Post, "/api/v1/conversations", JsonSerializer.Serialize(new { team })),
                static (app, agent, _) => app.Client.GetAsync($"/v1/models/agent:{agent}"),
                static (app, agent, _) => app.Client.GetAsync($"/api/v1/agents/{agent}/avatar.svg"),
                static (app, agent, _) => ListingAsync(app, $"agent:{agent}"),
                static (app, _, team) => ListingAsync(app, team),
            })
            {
                var number = Guid.NewGuid().ToString("N")[..8];
                await MakeAsync(one, "/api/v1/agents", Agent($"helper_{number}", "Helps."));
                await MakeAsync(one, "/api/v1/teams", Team($"duo_{number}", "Two."));
                using var answer = await ask(other, $"helper_{number}", $"duo_{number}");
                Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
            }

            (one, other) = (other, one);
        }

        using var nobody = await other.SendAsync(HttpMethod.Post, "/api/v1/chat", """{"message":"Hello","agent":"nobody"}""");
        await ProblemAssert.IsProblemAsync(nobody, 400, "agent_not_found");
    }

    private static async Task MakeAsync(TestApp app, string path, string body)
    {
        using var made = await app.SendAsync(HttpMethod.Post, path, body);
        Assert.True(made.StatusCode == HttpStatusCode.Created, await made.Content.ReadAsStringAsync());
    }

    /// <summary>GET /v1/models, if the name is in it; else 404.</summary>
    private static async Task<HttpResponseMessage> ListingAsync(TestApp app, string name)
    {
        var answer = await app.Client.GetAsync("/v1/models");
        if (!(await answer.Content.ReadAsStringAsync()).Contains($"\"{name}\"", StringComparison.Ordinal))
        {
            answer.StatusCode = HttpStatusCode.NotFound;
        }

        return answer;
    }

    private static string Agent(string name, string description) => JsonSerializer.Serialize(new { name, role = "helps", description, instructions = "Help.", tier = "cheap" });

    private static string Team(string name, string description) => JsonSerializer.Serialize(new { name, description, pattern = "sequential", members = new[] { "researcher", "communicator" } });
}
