using System.Net;
using System.Text;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>F4 at the OpenAI-compatible API: a server that stops ends its calls, and cancels nothing.</summary>
public sealed class CompletionStopTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stopping_server_says_which_run_goes_on_and_does_not_cancel_it(bool stream)
    {
        await using var sim = await Simulator.StartAsync($"default: {{ text: \"{string.Join(' ', Enumerable.Range(0, 1_000))}\", tokens_per_second: 1 }}");
        using var data = new TempFolder();
        string run;
        await using (var world = await ChatWorld.StartAsync(sim: sim, data: data.Path))
        {
            run = await StopWhileAskedAsync(world, stream);
        }

        sim.Use("default: { text: \"Here it is.\" }");
        await using var again = await ChatWorld.StartAsync(sim: sim, data: data.Path);
        Assert.Equal("run.completed", (await again.EventsAsync(run))[^1].Type);
    }

    private static async Task<string> StopWhileAskedAsync(ChatWorld world, bool stream)
    {
        using var body = new StringContent($$"""{"model":"solo","messages":[{"role":"user","content":"Hi"}],"stream":{{(stream ? "true" : "false")}}}""", Encoding.UTF8, "application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = body };
        var asking = world.App.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await world.Sim.WaitForCallsAsync(1);
        if (stream)
        {
            await asking; // before its first piece it would be answered as without a stream
        }

        var run = "";
        await Wait.UntilAsync(async w => (run = await NewestAsync(w)).Length > 0, world, "The run was not listed"); // the model may be asked before the run is on the disk
        await world.App.StopAsync();

        using (var response = await asking)
        {
            var text = await response.Content.ReadAsStringAsync();
            var error = JsonElement.Parse(stream ? text.Split("\n\n").First(static f => f.StartsWith("data: {\"error\"", StringComparison.Ordinal))["data: ".Length..] : text).GetProperty("error");
            Assert.Equal(stream, text.Contains("\"finish_reason\":\"error\"", StringComparison.Ordinal) && text.EndsWith("data: [DONE]\n\n", StringComparison.Ordinal));
            Assert.Equal(("server_stopping", "server_error"), (error.GetProperty("code").GetString(), error.GetProperty("type").GetString()));
            Assert.Contains(run, error.GetProperty("message").GetString(), StringComparison.Ordinal);
            Assert.Equal(stream ? HttpStatusCode.OK : HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.Equal(!stream, response.Headers.RetryAfter is not null && response.Headers.GetValues("x-should-retry").Single() == "false");
        }

        return run;
    }

    private static async Task<string> NewestAsync(ChatWorld world) =>
        (await world.App.GetJsonAsync("/api/v1/runs")).GetProperty("items").EnumerateArray().Select(static r => r.GetProperty("id").GetString()!).FirstOrDefault("");
}
