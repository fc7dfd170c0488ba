using System.Net;
using System.Text.Json;
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

    private static string Agent(string name, string description) => JsonSerializer.Serialize(new { name, role = "helps", description, instructions = "Help.", tier = "cheap" });

    private static string Team(string name, string description) => JsonSerializer.Serialize(new { name, description, pattern = "sequential", members = new[] { "researcher", "communicator" } });
}
