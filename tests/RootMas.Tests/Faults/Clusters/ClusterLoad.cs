using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Tests.Chat;
using RootMas.Tests.Support.Clusters;

namespace RootMas.Tests.Faults.Clusters;

/// <summary>
/// What people do to a cluster all the time: chats, streams, tools, plans, cancels, messages in quick succession, approvals, changes by an administrator. Each request has its Idempotency-Key and is repeated until it is answered, as a good
/// client does; whatever was accepted is noted.
/// </summary>
internal sealed class ClusterLoad(IReadOnlyList<ClusterUser> users, ClusterUser admin, int seed)
{
    /// <summary>Time for one act after everything is well again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly CancellationTokenSource _giveUp = new();
    private int _unanswered;
    private int _acts;
    private int _changes;

    /// <summary>A model's answers, tools, children and a plan; every answer repeats what was asked.</summary>
    public const string Script = """
        default: { text: "You said {{last_user}} and this is an answer in a few more words.", first_token_ms: 40, tokens_per_second: 40 }
        rules:
          - name: plan
            match: { structured: true, last_message: "Write a plan for the request" }
            answer: { json: { goal: "g", tasks: [
              { id: "a", agent: "researcher", task: "part a", depends_on: [], done_when: "found" },
              { id: "b", agent: "multi_tool", task: "part b", depends_on: ["a"], done_when: "done" } ] } }
          - name: review
            match: { structured: true, last_message: "All tasks are settled" }
            answer: { json: { verdict: "done", summary: "Planned and done." } }
          - name: checker
            match: { structured: true }
            answer: { json: { claims: [] } }
          - match: { last_role: tool }
            answer: { text: "It is done, says the tool, and that is all.", first_token_ms: 40, tokens_per_second: 40 }
          - match: { last_role: user, last_user: "ask three" }
            answer:
              tool_calls:
                - { name: delegate, arguments: { agent: researcher, task: "task one" } }
                - { name: delegate, arguments: { agent: fact_checker, task: "task two" } }
                - { name: delegate, arguments: { agent: multi_tool, task: "task three" } }
          - match: { last_role: user, last_user: "make a plan" }
            answer: { tool_calls: [ { name: delegate, arguments: { agent: meta, task: "plan it" } } ] }
          - match: { last_role: user, last_user: "look it up" }
            answer: { tool_calls: [ { name: http_request, arguments: { method: GET, url: "BASE/_tool/look" } } ] }
          - match: { last_role: user, last_user: "put it there" }
            answer: { tool_calls: [ { name: http_request, arguments: { method: PUT, url: "BASE/_tool/idempotent", json: { n: 1 } } } ] }
          - match: { last_role: user, last_user: "order it" }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "BASE/_tool/order", json: { n: 1 } } } ] }
        """;

    /// <summary>Runs that clients were told of, and whose they are.</summary>
    public ConcurrentDictionary<string, ClusterUser> Accepted { get; } = new(StringComparer.Ordinal);

    /// <summary>Requests whose answer was lost: each may have made the model server count one call of a run that does not exist.</summary>
    public int Unanswered => _unanswered;

    public int Acts => _acts;

    /// <summary>Agents that the administrator has made.</summary>
    public ConcurrentBag<string> Changes { get; } = [];

    /// <summary>What only this user may see.</summary>
    public static string Canary(ClusterUser user) => $"canary-{user.Name}-canary";

    /// <summary>So many clients, until they are told to stop; each ends what it has begun.</summary>
    public async Task RunAsync(int clients, CancellationToken stop)
    {
        await using var late = stop.Register(() => _giveUp.CancelAfter(Patience));
        await Task.WhenAll(Enumerable.Range(0, clients).Select(i => Task.Run(() => ActUntilAsync(users[i % users.Count], new Random((seed * 1000) + i), stop), CancellationToken.None))
            .Append(Task.Run(() => AdministrateAsync(stop), CancellationToken.None)));
    }

    /// <summary>People who approve and resolve whatever waits for them, until they are told to stop.</summary>
    public Task DecideAsync(CancellationToken stop) => Task.WhenAll(users.Select((user, i) => Task.Run(() => DecideAsync(user, new Random((seed * 77) + i), stop), CancellationToken.None)));

    private async Task ActUntilAsync(ClusterUser user, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var act = random.Next(10);
            var text = Canary(user) + " " + (act switch { 4 => "look it up", 5 => "put it there", 6 => "order it", 7 => "ask three", 8 => "make a plan", _ => "hello" });
            try
            {
                await (act switch
                {
                    < 2 => StreamAsync(user, new { message = text, team = "solo" }, random),
                    2 => SucceedAsync(user, random),
                    3 => CancelAsync(user, text, random),
                    4 or 5 or 6 => AskAsync(user, new { message = text, agent = "multi_tool" }, random),
                    7 => StreamAsync(user, new { message = text }, random),
                    _ => AskAsync(user, new { message = text }, random),
                });
                Interlocked.Increment(ref _acts);
            }
            catch (OperationCanceledException e) when (_giveUp.IsCancellationRequested)
            {
                throw new TimeoutException($"{user.Name}: \"{text}\" was not answered although everything is well; last: {user.Refused}", e);
            }
        }
    }

    /// <summary>A message whose end is waited for a while; sometimes the request is repeated, and means the same run.</summary>
    private async Task<string?> AskAsync(ClusterUser user, object body, Random random)
    {
        var key = Guid.NewGuid().ToString("N");
        var run = await AcceptAsync(user, "/api/v1/chat", body, key, random);
        if (run is not null && random.Next(4) == 0)
        {
            Assert.Equal(run, await AcceptAsync(user, "/api/v1/chat", body, key, random));
        }

        return run;
    }

    /// <summary>Reads a stream to its end, however often it is cut and wherever it goes on.</summary>
    private async Task StreamAsync(ClusterUser user, object body, Random random)
    {
        var key = Guid.NewGuid().ToString("N");
        var client = new StreamClient();
        string? run = null;
        while (!client.Ended)
        {
            try
            {
                using var request = run is null
                    ? new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat/stream") { Content = JsonContent.Create(body), Headers = { { "Idempotency-Key", key } } }
                    : new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events") { Headers = { { "Accept", "text/event-stream" } } };
                if (run is not null && client.LastId is { } last)
                {
                    request.Headers.TryAddWithoutValidation("Last-Event-ID", last);
                }

                using var response = await user.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _giveUp.Token);
                if (await IsAnswerAsync(response, random) && response.StatusCode == HttpStatusCode.OK)
                {
                    await ReadAsync(response, client, id => run ??= Note(id, user), random);
                }
            }
            catch (Exception e) when (IsLoss(e))
            {
                await LoseAsync(random);
            }
        }

        if (client.Stored[^1].Type == "run.completed")
        {
            client.FinalText();
        }
    }

    private async Task ReadAsync(HttpResponseMessage response, StreamClient client, Action<string> seen, Random random)
    {
        var left = random.Next(3) == 0 ? random.Next(1, 20) : int.MaxValue;
        await foreach (var e in SseEvent.ReadAsync(await response.Content.ReadAsStreamAsync(_giveUp.Token)).WithCancellation(_giveUp.Token))
        {
            if (e.Type == "error")
            {
                break; // the server could not go on; it says so and the client comes back
            }

            seen(e.Data.GetProperty("run_id").GetString()!);
            client.See(e);
            if (--left == 0)
            {
                break; // this client goes away by itself
            }
        }
    }

    private async Task CancelAsync(ClusterUser user, string text, Random random)
    {
        var run = await AcceptAsync(user, "/api/v1/chat", new { message = text, team = "solo" }, Guid.NewGuid().ToString("N"), random, wait: 0);
        await Task.Delay(random.Next(0, 400), _giveUp.Token);
        if (run is not null)
        {
            await PostAsync(user, $"/api/v1/runs/{run}/cancel", new { }, Guid.NewGuid().ToString("N"), random);
        }
    }

    /// <summary>Messages to one conversation in quick succession, with every wish about the busy branch.</summary>
    private async Task SucceedAsync(ClusterUser user, Random random)
    {
        var (_, conversation) = await PostAsync(user, "/api/v1/conversations", new { title = Canary(user) }, Guid.NewGuid().ToString("N"), random);
        var id = conversation.GetProperty("id").GetString();
        string[] wishes = ["enqueue", "interrupt", "enqueue", "rollback", "reject"];
        for (var i = random.Next(2, 5); i > 0; i--)
        {
            var body = new { message = $"{Canary(user)} number {i}", on_busy = wishes[random.Next(wishes.Length)], team = "solo" };
            var (status, answer) = await PostAsync(user, $"/api/v1/conversations/{id}/runs", body, Guid.NewGuid().ToString("N"), random);
            if (status == HttpStatusCode.Accepted)
            {
                Note(answer.GetProperty("run_id").GetString()!, user);
            }
            else
            {
                Assert.Equal(HttpStatusCode.Conflict, status);
            }

            await Task.Delay(random.Next(0, 300), _giveUp.Token);
        }
    }

    private async Task AdministrateAsync(CancellationToken stop)
    {
        var random = new Random(seed);
        while (!stop.IsCancellationRequested)
        {
            var name = $"helper_{Interlocked.Increment(ref _changes)}";
            var (status, answer) = await PostAsync(
                admin, "/api/v1/agents", new { name, role = "helps", description = "Helps.", instructions = "Help.", tier = "cheap", tools = Array.Empty<string>() }, Guid.NewGuid().ToString("N"), random);
            Assert.True(status == HttpStatusCode.Created, answer.ToString());
            Changes.Add(name);
            await Task.Delay(random.Next(500, 3000), CancellationToken.None);
        }
    }

    private async Task DecideAsync(ClusterUser user, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                foreach (var approval in await ListAsync(user, "/api/v1/approvals?limit=50"))
                {
                    var decision = random.Next(6) == 0 ? "deny" : "approve";
                    await TryPostAsync(user, $"/api/v1/approvals/{approval.GetProperty("id").GetString()}", new { decision, arguments_hash = approval.GetProperty("arguments_hash").GetString() });
                }

                foreach (var run in await ListAsync(user, "/api/v1/runs?status=needs_review&limit=50"))
                {
                    var id = run.GetProperty("id").GetString();
                    foreach (var review in (await ListAsync(user, $"/api/v1/runs/{id}/events?limit=200")).Where(static e => e.GetProperty("type").GetString() == "run.needs_review"))
                    {
                        await TryPostAsync(user, $"/api/v1/runs/{id}/resolve", new { call_id = review.GetProperty("call_id").GetString(), outcome = "done", result = "a person has looked" });
                    }
                }
            }
            catch (Exception e) when (IsLoss(e) || e is JsonException)
            {
                // tried again
            }

            await Task.Delay(200, CancellationToken.None);
        }
    }

    private static async Task<List<JsonElement>> ListAsync(ClusterUser user, string path)
    {
        using var response = await user.Client.GetAsync(path);
        return response.IsSuccessStatusCode ? [.. JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("items").EnumerateArray()] : [];
    }

    private static async Task TryPostAsync(ClusterUser user, string path, object body)
    {
        using var response = await user.Client.PostAsJsonAsync(path, body);
    }

    private async Task<string?> AcceptAsync(ClusterUser user, string path, object body, string key, Random random, int wait = 3)
    {
        var (status, answer) = await PostAsync(user, path, body, key, random, wait);
        Assert.True(status is HttpStatusCode.OK or HttpStatusCode.Accepted, $"{status} {answer}");
        return Note(answer.GetProperty("run_id").GetString()!, user);
    }

    private async Task<(HttpStatusCode Status, JsonElement Answer)> PostAsync(ClusterUser user, string path, object body, string key, Random random, int? wait = null)
    {
        while (true)
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body), Headers = { { "Idempotency-Key", key } } };
                if (wait is { } seconds)
                {
                    request.Headers.TryAddWithoutValidation("Prefer", $"wait={seconds}");
                }

                using var response = await user.Client.SendAsync(request, _giveUp.Token);
                if (await IsAnswerAsync(response, random))
                {
                    return (response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync(_giveUp.Token)));
                }

                user.Refused = $"{path} {await response.Content.ReadAsStringAsync(_giveUp.Token)}";
            }
            catch (Exception e) when (IsLoss(e))
            {
                user.Refused = $"{path} {e.Message}";
                await LoseAsync(random);
            }
        }
    }

    /// <summary>False: it says that nothing was done, or that the same request is still at work; it is worth another try.</summary>
    private async Task<bool> IsAnswerAsync(HttpResponseMessage response, Random random)
    {
        var isConflict = response.StatusCode == HttpStatusCode.Conflict && response.Headers.RetryAfter is not null;
        if ((int)response.StatusCode < 500 && response.StatusCode != HttpStatusCode.TooManyRequests && !isConflict)
        {
            return true;
        }

        var text = await response.Content.ReadAsStringAsync(_giveUp.Token);
        Assert.DoesNotContain("   at ", text, StringComparison.Ordinal); // I10
        Assert.DoesNotContain("SELECT ", text, StringComparison.Ordinal);
        await LoseAsync(random);
        return false;
    }

    private async Task LoseAsync(Random random)
    {
        Interlocked.Increment(ref _unanswered);
        await Task.Delay(random.Next(100, 500), _giveUp.Token);
    }

    private bool IsLoss(Exception e) => e is HttpRequestException or IOException || (e is OperationCanceledException && !_giveUp.IsCancellationRequested);

    private string Note(string run, ClusterUser user)
    {
        Accepted[run] = user;
        return run;
    }
}
