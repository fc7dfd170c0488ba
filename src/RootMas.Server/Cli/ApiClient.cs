using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Cli;

/// <summary>One event of a run's stream as it came over the wire.</summary>
internal sealed record WireEvent(string? Id, string Type, JsonElement Data)
{
    /// <summary>Not an event of a run: the stream has begun, and whatever happens from now on is in it. Its data are empty.</summary>
    public const string Opened = "open";

    /// <summary>Nor is this: nothing has happened for a while, and the stream lives.</summary>
    public const string Quiet = "quiet";
}

/// <summary>The command line's view of a server: JSON calls, problem documents as exit codes, and event streams.</summary>
internal sealed class ApiClient(HttpClient http)
{
    /// <summary>In place of the members of an answer: it has no content.</summary>
    public const string Nothing = "";

    /// <summary>What to do about a key that is not taken.</summary>
    public const string AnotherKey = "Set ROOTMAS_API_KEY, or store another key with 'rootmas login'.";

    private const int MostCuts = 5;
    private const string EventStream = "text/event-stream";

    private static readonly string[] Gone = [Nothing];
    private static readonly string[] OfList = [JsonText.List];
    private static readonly string[] OfOne = ["id"];
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(10);

    /// <summary>How long looks are waited for that ask for no work.</summary>
    public TimeSpan LooksWithin { get; init; } = TimeSpan.FromSeconds(20);

    /// <param name="members">What the answer of a server of ours has, here as below: without one of them another program has answered.</param>
    public Task<JsonElement> GetAsync(string path, CancellationToken cancellationToken, params string[] members) => SendAsync(HttpMethod.Get, path, null, cancellationToken, members: members);

    /// <summary>One page of a list.</summary>
    public Task<JsonElement> ListAsync(string path, CancellationToken cancellationToken) => SendAsync(HttpMethod.Get, path, null, cancellationToken, members: OfList);

    public Task<JsonElement> PostAsync(string path, object body, CancellationToken cancellationToken, params string[] members) => SendAsync(HttpMethod.Post, path, body, cancellationToken, members: members);

    /// <summary>With an <c>Idempotency-Key</c>: sent again with the same one it has its effect once.</summary>
    public Task<JsonElement> PostOnceAsync(string path, object body, string key, CancellationToken cancellationToken, params string[] members) =>
        SendAsync(HttpMethod.Post, path, body, cancellationToken, key: key, members: members);

    /// <summary>
    /// For work that takes longer than a single request is waited for, by us or by a proxy in between, and that the server goes on with by itself: it is asked for again, with the same key, until there is an answer.
    /// Work that fails without anybody there to hear it is begun anew by the next request: once, then the command ends.
    /// </summary>
    public async Task<JsonElement> PostPatientlyAsync(string path, object body, CancellationToken cancellationToken, params string[] members)
    {
        var key = Guid.NewGuid().ToString("N");
        for (var (cuts, wait) = (0, TimeSpan.FromSeconds(1)); ; wait = wait * 2 < LongestLook ? wait * 2 : LongestLook)
        {
            try
            {
                return await PostOnceAsync(path, body, key, cancellationToken, members);
            }
            catch (CliException e) when (e.Failure == CallFailure.Running || (cuts < MostCuts && (e.Failure is CallFailure.CutOff or CallFailure.Later || (e.Failure == CallFailure.Unreached && cuts > 0))))
            {
                // Once it was under way, whoever is cut off has begun it anew.
                cuts = e.Failure == CallFailure.Running ? Math.Max(cuts, MostCuts - 1) : cuts + 1;
                await Task.Delay(e.After > wait ? e.After.Value : wait, cancellationToken);
            }
        }
    }

    /// <summary>Changes or deletes what is at the path, as it is now.</summary>
    public async Task<JsonElement> ChangeAsync(HttpMethod method, string path, object? body, CancellationToken cancellationToken)
    {
        using var read = await ReachAsync(new(HttpMethod.Get, path), HttpCompletionOption.ResponseContentRead, cancellationToken);
        await RefuseAsync(read, cancellationToken);
        return await SendAsync(method, path, body, cancellationToken, read.Headers.ETag, members: method == HttpMethod.Delete ? Gone : OfOne);
    }

    /// <summary>Makes or replaces what is at the path.</summary>
    public async Task PutAsync(string path, object body, CancellationToken cancellationToken, params string[] members)
    {
        using var read = await ReachAsync(new(HttpMethod.Get, path), HttpCompletionOption.ResponseContentRead, cancellationToken);
        await SendAsync(HttpMethod.Put, path, body, cancellationToken, read.Headers.ETag, members: members);
    }

    public Task<JsonElement> DeleteAsync(string path, CancellationToken cancellationToken, string member = Nothing) => SendAsync(HttpMethod.Delete, path, null, cancellationToken, members: [member]);

    /// <summary>Uploads bytes as they are.</summary>
    public async Task<JsonElement> UploadAsync(string path, Stream content, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StreamContent(content) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using var answer = await ReachAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken);
        await RefuseAsync(answer, cancellationToken);
        return await ReadAsync(answer, OfOne, cancellationToken);
    }

    /// <summary>Any status is an answer here: for health, whose 503 carries the details. It is not waited for as long as for work.</summary>
    public Task<(HttpStatusCode Status, JsonElement Body)> ProbeAsync(string path, CancellationToken cancellationToken) => SoonAsync(path, static async (answer, stop) => (answer.StatusCode, await JsonAsync(answer, stop)), cancellationToken);

    /// <summary>The server's clock, to the second; null: it does not tell.</summary>
    public Task<DateTimeOffset?> ClockAsync(CancellationToken cancellationToken) => SoonAsync("/health/live", static (answer, _) => Task.FromResult(answer.Headers.Date), cancellationToken);

    /// <summary>A GET that is not waited for as long as for work.</summary>
    public Task<JsonElement> LookAsync(string path, CancellationToken cancellationToken, params string[] members) => SoonAsync(
        path,
        async (answer, stop) =>
        {
            await RefuseAsync(answer, stop);
            return await ReadAsync(answer, members, stop);
        },
        cancellationToken);

    /// <summary><see cref="WireEvent.Opened"/>, then a run's events after an id, until its last one, and <see cref="WireEvent.Quiet"/> in between. Ends early if the connection is lost: ask again with the last id.</summary>
    public async IAsyncEnumerable<WireEvent> EventsAsync(string runId, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{Segment.Of(runId, "run")}/events?tree=1");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(EventStream));
        if (after is not null)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", after);
        }

        using var answer = await ReachAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        await RefuseAsync(answer, cancellationToken);
        if (answer.StatusCode == HttpStatusCode.NoContent)
        {
            yield break;
        }

        if (answer.Content.Headers.ContentType?.MediaType != EventStream)
        {
            throw Foreign(answer);
        }

        yield return new(null, WireEvent.Opened, default);
        await using var stream = await answer.Content.ReadAsStreamAsync(cancellationToken);
        using var reader = new StreamReader(stream);
        string? id = null;
        var type = "message";
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.StartsWith("id:", StringComparison.Ordinal))
            {
                id = line[3..].Trim();
            }
            else if (line.StartsWith("event:", StringComparison.Ordinal))
            {
                type = line[6..].Trim();
            }
            else if (line.StartsWith("data:", StringComparison.Ordinal))
            {
                using var document = JsonDocument.Parse(line.AsMemory(5));
                yield return new(id, type, document.RootElement.Clone());
                id = null;
            }
            else if (line.StartsWith(':'))
            {
                yield return new(null, WireEvent.Quiet, default);
            }
        }
    }

    private async Task<JsonElement> SendAsync(HttpMethod method, string path, object? body, CancellationToken cancellationToken, EntityTagHeaderValue? etag = null, string? key = null, string[]? members = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        if (body is not null)
        {
            request.Content = JsonContent.Create(body);
            await request.Content.LoadIntoBufferAsync(cancellationToken); // its length is said first, so that a server that does not take so much answers, and does not close while we send
        }

        if (etag is not null)
        {
            request.Headers.IfMatch.Add(etag);
        }

        using var answer = await ReachAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken);
        await RefuseAsync(answer, cancellationToken);
        return await ReadAsync(answer, members ?? [], cancellationToken);
    }

    private async Task<T> SoonAsync<T>(string path, Func<HttpResponseMessage, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(LooksWithin);
        try
        {
            using var answer = await ReachAsync(new(HttpMethod.Get, path), HttpCompletionOption.ResponseContentRead, limit.Token);
            return await read(answer, limit.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException(ExitCodes.Unreachable, $"The server at {http.BaseAddress} has not answered within {LooksWithin.TotalSeconds:0} seconds. See its log, or whether another program listens there.", e) { Failure = CallFailure.CutOff };
        }
    }

    /// <exception cref="CliException">A member is not there: something else answers, whatever its status.</exception>
    private static async Task<JsonElement> ReadAsync(HttpResponseMessage answer, string[] members, CancellationToken cancellationToken)
    {
        if (members is [Nothing] or [] && answer.StatusCode == HttpStatusCode.NoContent)
        {
            return default;
        }

        var json = await JsonAsync(answer, cancellationToken);
        return Array.Find(members, m => !Has(json, m)) is { } missing ? throw Foreign(answer, missing == Nothing ? null : $"JSON without '{missing}'") : json;
    }

    private static bool Has(JsonElement json, string member) => json.ValueKind == JsonValueKind.Object && json.TryGetProperty(member, out var value)
        && (member == JsonText.List ? value.ValueKind == JsonValueKind.Array : value.ValueKind != JsonValueKind.Null);

    /// <exception cref="CliException">It is none: something else answers there.</exception>
    public static async Task<JsonElement> JsonAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        if (answer.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.OrdinalIgnoreCase) != true)
        {
            throw Foreign(answer);
        }

        try
        {
            return await answer.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
        }
        catch (JsonException e)
        {
            throw Foreign(answer, "JSON that is none", e);
        }
    }

    /// <param name="what">What it answers with; null: its media type says it.</param>
    public static CliException Foreign(HttpResponseMessage answer, string? what = null, Exception? why = null)
    {
        var where = answer.RequestMessage?.RequestUri?.GetLeftPart(UriPartial.Authority) ?? "What was asked";
        return new(
            answer.IsSuccessStatusCode ? ExitCodes.Failed : ExitCodes.Of(answer.StatusCode),
            $"{where} is not a Root-MAS server, or a proxy answers for it: {(int)answer.StatusCode} with {what ?? answer.Content.Headers.ContentType?.MediaType ?? "nothing"}. Look at the address, and at what stands before the server.",
            why) { Failure = CallFailure.Refused };
    }

    private async Task<HttpResponseMessage> ReachAsync(HttpRequestMessage request, HttpCompletionOption completion, CancellationToken cancellationToken)
    {
        try
        {
            return await http.SendAsync(request, completion, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw e is { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError, InnerException: not OutboundUnavailableException { IsTimeout: true } }
                ? new CliException(ExitCodes.Unreachable, $"The server at {http.BaseAddress} cannot be reached ({e.HttpRequestError}). Start it with 'rootmas serve', or name another with --server.", e) { Failure = CallFailure.Unreached }
                : new CliException(ExitCodes.Unreachable, $"The server at {http.BaseAddress} has not answered ({e.Message.TrimEnd('.')}). What was asked for may be done all the same, or be under way. Look before you ask again.", e) { Failure = CallFailure.CutOff };
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException(ExitCodes.Unreachable, $"The server at {http.BaseAddress} did not answer in time. Try again, or see its log.", e) { Failure = CallFailure.CutOff };
        }
    }

    private static async Task RefuseAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        if (answer.IsSuccessStatusCode)
        {
            return;
        }

        var text = $"The server, or a proxy before it, answered {(int)answer.StatusCode}.";
        string? code = null;
        var isOfKey = false;
        if (answer.Content.Headers.ContentType?.MediaType == "application/problem+json")
        {
            var problem = await JsonAsync(answer, cancellationToken);
            code = problem.Text("code");
            text = problem.Text("detail") ?? problem.Text("title") ?? text;
            isOfKey = answer.StatusCode == HttpStatusCode.Unauthorized;
            text = isOfKey ? OfKey(text, code) : text;
            foreach (var error in problem.TryGetProperty("errors", out var errors) && errors.ValueKind == JsonValueKind.Object ? errors.EnumerateObject().ToList() : [])
            {
                text += $"\n  {error.Name}: {string.Join(" ", error.Value.EnumerateArray().Select(v => v.GetString()))}";
            }

            text += problem.Text("trace_id") is { } trace ? $"\n  (trace {trace})" : "";
        }

        throw new CliException(ExitCodes.Of(answer.StatusCode), text) { Failure = FailureOf(answer.StatusCode, code), SaysWhatToDo = isOfKey, After = answer.Headers.RetryAfter?.Delta };
    }

    /// <summary>The server tells programs of routes and headers. At a terminal there is a key, or none.</summary>
    private static string OfKey(string detail, string? code) => $"{(code == "token_invalid" ? "The server does not take this key: it is not valid, or no longer. Nothing was done." : detail)} {AnotherKey}";

    private static CallFailure FailureOf(HttpStatusCode status, string? code) => status switch
    {
        HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout when code is null => CallFailure.CutOff, // of a proxy
        HttpStatusCode.TooManyRequests => CallFailure.Later,
        HttpStatusCode.Conflict when code == "idempotency_running" => CallFailure.Running,
        _ => CallFailure.Refused,
    };
}

internal static class JsonText
{
    /// <summary>The member that every list has.</summary>
    public const string List = "items";

    /// <summary>A member as text, or null.</summary>
    public static string? Text(this JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value)
            ? value.ValueKind switch
            {
                JsonValueKind.String => value.GetString(),
                JsonValueKind.Null => null,
                _ => value.GetRawText(),
            }
            : null;

    public static IEnumerable<JsonElement> Items(this JsonElement json, string name = List) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var items) && items.ValueKind == JsonValueKind.Array ? items.EnumerateArray() : [];
}
