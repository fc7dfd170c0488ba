using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F14 of CHECKS.md where the process is killed; what needs no kill is in Chat/RunKeysTests.</summary>
public sealed class IdempotencyFaultTests
{
    public static TheoryData<int> Seeds() => TestLength.Seeds(21, usually: 2, inTheLongForm: 40);

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_key_repeated_after_a_kill_at_a_random_moment_has_one_run(int seed)
    {
        await using var world = await FaultWorld.StartAsync("""default: { text: "The one and only answer.", first_token_ms: 50, tokens_per_second: 20 }""");
        var random = new Random(seed);
        for (var round = 0; round < 3; round++)
        {
            var (key, message) = ($"key-{round}", $"message {round}");
            var twins = Enumerable.Range(0, 20).Select(_ => TryAsync(world, key, message)).ToList();
            await Task.Delay(random.Next(0, 120));
            await world.KillAndRestartAsync();
            var before = (await Task.WhenAll(twins)).OfType<string>().Distinct(StringComparer.Ordinal).ToList();

            var after = await TryAsync(world, key, message);
            Assert.NotNull(after);
            Assert.All(before, id => Assert.Equal(after, id));
            await RefusedAsync(world, key, "something else");
            var run = await world.WaitAsync(after, "completed");
            Assert.Equal("The one and only answer.", run.GetProperty("answer").GetProperty("text").GetString());
            Assert.Equal(after, await TryAsync(world, key, message));
            world.Checker.Accepted.Add(after);
        }

        var runs = JsonElement.Parse(await world.Server.Http.GetStringAsync("/api/v1/runs")).GetProperty("items");
        Assert.Equal(3, runs.GetArrayLength());
        world.Checker.UnaccountedCalls = 3 * 20; // a request may have left for a run whose first commit never came
        await world.Checker.CheckAsync(seed);
    }

    /// <summary>The run's id; null: the server was killed before it answered.</summary>
    private static async Task<string?> TryAsync(FaultWorld world, string key, string message)
    {
        try
        {
            using var response = await SendAsync(world, key, message);
            var body = JsonElement.Parse(await response.Content.ReadAsStringAsync());
            Assert.True(response.IsSuccessStatusCode, Told(world, body));
            return body.GetProperty("run_id").GetString();
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return null;
        }
    }

    private static async Task RefusedAsync(FaultWorld world, string key, string message)
    {
        using var response = await SendAsync(world, key, message);
        Assert.True(response.StatusCode == HttpStatusCode.UnprocessableEntity, Told(world, JsonElement.Parse(await response.Content.ReadAsStringAsync())));
    }

    /// <summary>An answer nobody expected, with what the server said of it, over all its lives.</summary>
    private static string Told(FaultWorld world, JsonElement answer) => $"{answer}\n{world.Server.Stdout}\n{world.Server.Stderr}";

    private static async Task<HttpResponseMessage> SendAsync(FaultWorld world, string key, string message)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(new { message, team = "solo" }) };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        return await world.Server.Http.SendAsync(request);
    }
}
