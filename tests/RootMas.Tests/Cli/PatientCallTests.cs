using Microsoft.AspNetCore.Http;
using RootMas.Server.Cli;
using RootMas.Server.Platform.Resilience;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>Commands whose work takes longer than any request is waited for.</summary>
public sealed class PatientCallTests
{
    [Fact]
    public async Task Work_that_outlives_its_request_is_asked_for_again_with_the_same_key_until_there_is_an_answer()
    {
        await using var server = await ServerAsync(
            static async http =>
            {
                await Task.Delay(Timeout.Infinite, http.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // nobody waits that long
            },
            static http => ProblemAsync(http, 409, "idempotency_running"),
            static http => ProblemAsync(http, 429, "rate_limited"),
            static http => AnswerAsync(http, 201, "application/json", """{"id":"made"}"""));
        using var http = Client(server, TimeSpan.FromSeconds(1));
        var answer = await new ApiClient(http).PostPatientlyAsync("/api/v1/backups", new { verify = true }, default);
        Assert.Equal("made", answer.GetProperty("id").GetString());
        var asked = server.Requests.ToArray();
        Assert.Equal(4, asked.Length);
        Assert.Single(asked.Select(static r => r.Headers["Idempotency-Key"].ToString()).Distinct(StringComparer.Ordinal));
        Assert.NotEmpty(asked[0].Headers["Idempotency-Key"].ToString());
    }

    [Fact]
    public async Task A_proxy_that_gives_up_is_no_answer_and_a_refusal_of_the_server_is_one()
    {
        await using var server = await ServerAsync(
            static http => AnswerAsync(http, 504, "text/html", "<h1>504 Gateway Time-out</h1>"),
            static http => ProblemAsync(http, 503, "backup_failed"));
        using var http = Client(server, TimeSpan.FromMinutes(1));
        var refused = await Assert.ThrowsAsync<CliException>(() => new ApiClient(http).PostPatientlyAsync("/api/v1/backups", new { }, default));
        Assert.Equal((CallFailure.Refused, "It says backup_failed."), (refused.Failure, refused.Message));
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task Work_that_fails_unheard_is_begun_once_more_and_not_for_ever()
    {
        await using var server = await ServerAsync([.. Enumerable.Repeat<RequestDelegate[]>(
            [static http => AnswerAsync(http, 504, "text/html", "<h1>504 Gateway Time-out</h1>"), static http => ProblemAsync(http, 409, "idempotency_running")], 10).SelectMany(static a => a)]);
        using var http = Client(server, TimeSpan.FromMinutes(1));
        Assert.Equal(CallFailure.CutOff, (await Assert.ThrowsAsync<CliException>(() => new ApiClient(http).PostPatientlyAsync("/api/v1/backups", new { }, default))).Failure);
        Assert.Equal(5, server.Requests.Count); // cut off, under way, cut off, under way, cut off
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_told_at_once_and_one_that_never_answers_in_the_end()
    {
        using var nobody = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ServerProcess.FreePort()}") };
        Assert.Equal(CallFailure.Unreached, (await Assert.ThrowsAsync<CliException>(() => new ApiClient(nobody).PostPatientlyAsync("/x", new { }, default))).Failure);

        await using var server = await ServerAsync(static http =>
        {
            http.Abort();
            return Task.CompletedTask;
        });
        using var http = Client(server, TimeSpan.FromMinutes(1));
        var cut = await Assert.ThrowsAsync<CliException>(() => new ApiClient(http).PostPatientlyAsync("/x", new { }, default));
        Assert.Equal((CallFailure.CutOff, ExitCodes.Unreachable), (cut.Failure, cut.ExitCode));
        Assert.Contains("Look before you ask again", cut.Message, StringComparison.Ordinal);
        Assert.Equal(6, server.Requests.Count);
    }

    [Fact]
    public async Task A_look_at_a_server_that_never_answers_ends_by_itself()
    {
        await using var server = await ServerAsync(static async http => await Task.Delay(Timeout.Infinite, http.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing));
        using var http = Client(server, TimeSpan.FromMinutes(10));
        var api = new ApiClient(http) { LooksWithin = TimeSpan.FromSeconds(1) };
        foreach (var look in (Func<Task>[])[() => api.ProbeAsync("/health", default), () => api.ClockAsync(default), () => api.LookAsync("/api/v1/models", default)])
        {
            var silent = await Assert.ThrowsAsync<CliException>(look);
            Assert.Equal((CallFailure.CutOff, ExitCodes.Unreachable), (silent.Failure, silent.ExitCode));
        }
    }

    [Fact]
    public async Task A_body_says_its_length_first_so_that_a_server_can_refuse_it_and_be_heard()
    {
        await using var server = await ServerAsync(static http => AnswerAsync(http, 201, "application/json", """{"id":"made"}"""));
        using var http = Client(server, TimeSpan.FromMinutes(1));
        await new ApiClient(http).PostAsync("/x", new { value = "four" }, default, "id");
        Assert.Equal("16", server.Requests.Single().Headers["Content-Length"].ToString());
    }

    /// <summary>Answers in turn, the last one again and again.</summary>
    private static Task<LoopbackServer> ServerAsync(params RequestDelegate[] answers)
    {
        var next = -1;
        return LoopbackServer.StartAsync(http => answers[Math.Min(Interlocked.Increment(ref next), answers.Length - 1)](http));
    }

    private static Task ProblemAsync(HttpContext http, int status, string code) => AnswerAsync(http, status, "application/problem+json", $$"""{"code":"{{code}}","detail":"It says {{code}}."}""");

    private static Task AnswerAsync(HttpContext http, int status, string type, string body)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = type;
        return http.Response.WriteAsync(body);
    }

    private static HttpClient Client(LoopbackServer server, TimeSpan patience)
    {
        var options = new ResilienceOptions();
        typeof(ResilienceOptions).GetProperty("Cli")!.SetValue(options, options.Cli with { Base = TimeSpan.FromMilliseconds(1), Timeout = patience });
        return new HttpClient(new PatientHandler(new OutboundPolicies(options, TimeProvider.System).Get("cli"), new SocketsHttpHandler())) { BaseAddress = server.Url, Timeout = Timeout.InfiniteTimeSpan };
    }
}
