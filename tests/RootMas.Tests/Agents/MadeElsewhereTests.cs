using System.Net;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Agents;

/// <summary>An instance dies between making something and answering, and the client asks another one with the same key, which has not heard of it yet.</summary>
public sealed class MadeElsewhereTests
{
    [PostgresFact]
    public async Task What_another_instance_made_with_the_key_a_moment_ago_is_the_answer()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        for (var i = 0; i < 8; i++)
        {
            var agent = JsonSerializer.Serialize(new { name = $"helper_{i}", role = "helps", description = "Helps.", instructions = "Help.", tier = "cheap" });
            var team = JsonSerializer.Serialize(new { name = $"duo_{i}", description = "Two.", pattern = "sequential", members = new[] { "researcher", "communicator" } });
            foreach (var (path, body) in new[] { ("/api/v1/agents", agent), ("/api/v1/teams", team) })
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
}
