using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Routing;
using RootMas.Server.Platform.Web;
using RootMas.Tests.Architecture;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.BadInput;

/// <summary>
/// The tables are made from the API description, so a new route is covered as soon as it is mapped. Each offence names the operation and the input; all are listed.
/// </summary>
public sealed class BadInputTests : IAsyncLifetime
{
    private static readonly string[] Hostile =
    [
        "'; DROP TABLE users; --", "a\r\nSet-Cookie: x=1", "{{7*7}}${7*7}<%= 7*7 %>", "../../../etc/passwd", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "\u202Eabc\uFEFF", new string('я', 12_000),
    ];

    /// <summary>Members that no body has, and that would matter if they were read.</summary>
    private static readonly string[] Foreign = ["role", "owner", "owner_id", "cost", "__proto__"];

    /// <summary>Routes that are not in the description: pages, redirects, sockets. They have tests of their own.</summary>
    private static readonly string[] Undescribed =
        ["/docs", "/docs/start.js", "/docs/{file}", "/openapi/v1.json", "/openapi.json", "/redoc", "/ws", "/ws/visualization", "/assets/{file}", "/sw.js", .. WebPages.Files.Select(static file => "/" + file), .. WebPages.Pages];

    private TestApp _app = null!;
    private IReadOnlyList<ApiOperation> _operations = [];

    public async Task InitializeAsync()
    {
        _app = await TestApp.StartAsync();
        _operations = ApiOperation.Read(await _app.GetJsonAsync("/openapi/v1.json"));
    }

    public async Task DisposeAsync() => await _app.DisposeAsync();

    [Fact]
    public void Every_route_is_covered()
    {
        var described = _operations.Select(o => o.Template.TrimEnd('/')).ToHashSet(StringComparer.Ordinal);
        var missing = ((IEndpointRouteBuilder)_app.App).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
            .Select(e => "/" + e.RoutePattern.RawText!.Trim('/')).Distinct()
            .Where(t => !described.Contains(t.TrimEnd('/')) && !Undescribed.Contains(t));
        Assert.Empty(missing);
        Assert.Empty(_operations.Where(o => (o.Fields.Count > 0) != (o.Body is not null)).Select(o => o.Name));
    }

    /// <summary>The control: a body that is refused as it stands would be refused whatever a row changes.</summary>
    [Fact]
    public async Task The_bodies_that_the_tables_change_are_right_before_they_are_changed()
    {
        var offences = new List<string>();
        foreach (var operation in _operations.Where(o => o.Body is not null))
        {
            using var response = await SendAsync(operation, operation.PathOfBody(), operation.Body!.ToJsonString());
            if (response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity)
            {
                offences.Add($"{operation.Name}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
            }
        }

        await AliveAsync(offences);
    }

    [Fact]
    public async Task Every_body_that_is_not_right_is_refused_and_the_field_is_named()
    {
        var offences = new List<string>();
        foreach (var operation in _operations.Where(o => o.Body is not null))
        {
            foreach (var (what, body, field) in BodiesOf(operation))
            {
                await CheckAsync(operation, what, body, "application/json", 400, field, offences);
            }

            foreach (var type in (string[])["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "multipart/form-data; boundary=b"])
            {
                await CheckAsync(operation, type, Encoding.UTF8.GetBytes(operation.Body!.ToJsonString()), type, 415, null, offences);
            }
        }

        await AliveAsync(offences);
    }

    /// <summary>The clients of OpenAI's API send members that no server of another maker knows, and null for what they leave out.</summary>
    [Fact]
    public async Task What_the_clients_of_OpenAI_send_besides_is_ignored()
    {
        var offences = new List<string>();
        foreach (var operation in _operations.Where(o => o is { IsOpenAi: true, Body: not null }))
        {
            List<(string What, string Body)> bodies = [("a doubled member", $"{operation.Body!.ToJsonString()[..^1]},\"model\":{operation.Body["model"]!.ToJsonString()}}}")];
            bodies.AddRange(Foreign.Select(name => ($"unknown member {name}", With(operation, name, "1"))));
            bodies.AddRange(operation.Fields.Where(static f => f.Types.Contains("null")).Select(f => ($"null in {f.Name}", With(operation, f.Name, "null"))));
            foreach (var (what, body) in bodies)
            {
                using var response = await SendAsync(operation, operation.PathOfBody(), body);
                if (response.StatusCode != HttpStatusCode.OK)
                {
                    offences.Add($"{operation.Name}: {what}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
                }
            }
        }

        await AliveAsync(offences);
    }

    [Fact]
    public async Task Fifty_megabytes_are_refused_before_they_are_read()
    {
        var offences = new List<string>();
        foreach (var operation in _operations.Where(o => o.Body is not null))
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(IPAddress.Loopback, _app.Url.Port);
            var head = $"{operation.Method} {operation.PathWith(Guid.CreateVersion7().ToString())} HTTP/1.1\r\nHost: {_app.Url.Authority}\r\nAuthorization: Bearer {_app.LocalToken}\r\nContent-Type: application/json\r\nContent-Length: 52428800\r\n\r\n{{";
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head));
            using var reader = new StreamReader(socket.GetStream());
            var status = await reader.ReadLineAsync();
            if (status?.StartsWith("HTTP/1.1 413", StringComparison.Ordinal) != true)
            {
                offences.Add($"{operation.Name}: {status}");
            }
        }

        await AliveAsync(offences);
    }

    [Fact]
    public async Task Ids_and_parameters_that_are_nonsense_or_somebody_elses_are_client_errors()
    {
        var offences = new List<string>();
        string[] ids = [Guid.CreateVersion7().ToString(), "x", "%00", "..%2f..%2fetc%2fpasswd", "'%20OR%201=1--", "%ff%fe", new string('9', 3_000), "-1", "null"];
        foreach (var operation in _operations.Where(o => o.HasId))
        {
            // Where PUT makes what is not there yet, the client chooses the name, and these two are names.
            foreach (var id in operation.MakesByName ? ids.Except(["x", "null"]) : ids)
            {
                await ExpectClientErrorAsync(operation, operation.PathWith(id), $"id {Short(id)}", offences);
            }
        }

        string[] values = ["abc", "-1", "0", "99999999999999999999999", "NaN", "%00", "'%20OR%201=1--", "%ff", "%0d%0aX:1", ""];
        foreach (var operation in _operations.Where(o => o.Method == HttpMethod.Get))
        {
            foreach (var (name, value) in operation.Query.SelectMany(q => values.Select(v => (q, v))))
            {
                await ExpectNoServerErrorAsync(operation, $"{operation.PathWith(Guid.CreateVersion7().ToString())}?{name}={value}", $"{name}={value}", null, offences);
            }
        }

        await AliveAsync(offences);
    }

    [Fact]
    public async Task Hostile_text_in_every_field_harms_nothing()
    {
        var offences = new List<string>();
        foreach (var operation in _operations.Where(o => o.Body is not null))
        {
            foreach (var (field, text) in operation.Fields.Where(f => f.IsText).SelectMany(f => Hostile.Select(h => (f, h))))
            {
                var body = operation.Body!.DeepClone().AsObject();
                body[field.Name] = text;
                await ExpectNoServerErrorAsync(operation, operation.PathOfBody(), $"{field.Name}={Short(text)}", body.ToJsonString(), offences);
            }
        }

        await AliveAsync(offences);
    }

    private static IEnumerable<(string What, byte[] Body, string? Field)> BodiesOf(ApiOperation operation)
    {
        var example = operation.Body!.ToJsonString();
        var name = operation.Fields[0].Name;
        if (!operation.BodyIsOptional)
        {
            yield return ("empty", [], "$");
            yield return ("null", "null"u8.ToArray(), "$");
        }

        yield return ("an array", "[]"u8.ToArray(), null);
        yield return ("truncated", Encoding.UTF8.GetBytes(example[..^1]), null);
        yield return ("BOM", [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(example)], "$");
        yield return ("UTF-16", [0xFF, 0xFE, .. Encoding.Unicode.GetBytes(example)], "$");
        yield return ("invalid UTF-8", [.. Encoding.UTF8.GetBytes($"{{\"{name}\":\""), 0xC3, 0x28, .. "\"}"u8], null);
        yield return ("a thousand levels", Encoding.UTF8.GetBytes(With(operation, name, new string('[', 1_000) + new string(']', 1_000))), null);
        foreach (var field in operation.Fields)
        {
            if (field.WrongType is { } wrong)
            {
                yield return ($"wrong type of {field.Name}", Encoding.UTF8.GetBytes(With(operation, field.Name, wrong)), field.Name);
            }

            yield return ($"NaN in {field.Name}", Encoding.UTF8.GetBytes(With(operation, field.Name, "NaN")), null);
            yield return ($"1e999 in {field.Name}", Encoding.UTF8.GetBytes(With(operation, field.Name, "1e999")), null);
            if (field.IsText)
            {
                yield return ($"NUL in {field.Name}", Encoding.UTF8.GetBytes(With(operation, field.Name, "\"a\\u0000b\"")), field.Name);
                yield return ($"half a character in {field.Name}", Encoding.UTF8.GetBytes(With(operation, field.Name, "\"\\ud800\"")), field.Name);
            }
        }

        if (!operation.IsOpenAi)
        {
            foreach (var list in operation.Fields.Where(static f => f.HoldsTexts))
            {
                yield return ($"null in the list {list.Name}", Encoding.UTF8.GetBytes(With(operation, list.Name, "[null]")), list.Name + "[0]");
            }

            yield return ("a doubled member", Encoding.UTF8.GetBytes($"{example[..^1]},\"{name}\":{operation.Body![name]?.ToJsonString() ?? "null"}}}"), name);
            foreach (var unknown in Foreign)
            {
                if (operation.Fields.All(f => f.Name != unknown))
                {
                    yield return ($"unknown member {unknown}", Encoding.UTF8.GetBytes(With(operation, unknown, "1")), unknown);
                }
            }
        }
    }

    private static string With(ApiOperation operation, string field, string json)
    {
        var body = operation.Body!.DeepClone().AsObject();
        body[field] = "@@here@@";
        return body.ToJsonString().Replace("\"@@here@@\"", json, StringComparison.Ordinal);
    }

    private async Task CheckAsync(ApiOperation operation, string what, byte[] body, string type, int status, string? field, List<string> offences)
    {
        using var request = new HttpRequestMessage(operation.Method, operation.PathOfBody()) { Content = new ByteArrayContent(body) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        request.Headers.TryAddWithoutValidation("If-Match", "\"x\"");
        using var response = await _app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if ((int)response.StatusCode != status)
        {
            offences.Add($"{operation.Name}: {what}: {(int)response.StatusCode}, expected {status}");
            return;
        }

        var text = await response.Content.ReadAsStringAsync();
        var error = Complaint(operation, response, text);
        if (error is null && field is not null && !operation.IsOpenAi && JsonNode.Parse(text)!["errors"]?[field] is null)
        {
            error = $"does not name {field}: {text}";
        }

        if (error is not null)
        {
            offences.Add($"{operation.Name}: {what}: {error}");
        }
    }

    private async Task ExpectClientErrorAsync(ApiOperation operation, string path, string what, List<string> offences)
    {
        using var response = await SendAsync(operation, path, operation.Body?.ToJsonString());
        if ((int)response.StatusCode is < 400 or >= 500)
        {
            offences.Add($"{operation.Name}: {what}: {(int)response.StatusCode}");
        }
        else if (Complaint(operation, response, await response.Content.ReadAsStringAsync()) is { } error)
        {
            offences.Add($"{operation.Name}: {what}: {error}");
        }
    }

    private async Task ExpectNoServerErrorAsync(ApiOperation operation, string path, string what, string? body, List<string> offences)
    {
        using var response = await SendAsync(operation, path, body);
        if ((int)response.StatusCode >= 500 && !path.StartsWith("/health", StringComparison.Ordinal))
        {
            offences.Add($"{operation.Name}: {what}: {(int)response.StatusCode}");
        }
        else if ((int)response.StatusCode >= 400 && Complaint(operation, response, await response.Content.ReadAsStringAsync()) is { } error)
        {
            offences.Add($"{operation.Name}: {what}: {error}");
        }
    }

    private async Task<HttpResponseMessage> SendAsync(ApiOperation operation, string path, string? body)
    {
        using var request = new HttpRequestMessage(operation.Method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        // Waiting for answers is not what is tested here.
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        request.Headers.TryAddWithoutValidation("If-Match", "\"x\"");
        return await _app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private static string? Complaint(ApiOperation operation, HttpResponseMessage response, string text)
    {
        if (response.StatusCode == HttpStatusCode.BadRequest && text.Length == 0 && response.Headers.ConnectionClose == true)
        {
            return null; // not HTTP at all: the web server hangs up before anything of ours sees it
        }

        if (text.Contains("Exception", StringComparison.Ordinal) || text.Contains("SQLite", StringComparison.Ordinal) || text.Contains("   at ", StringComparison.Ordinal))
        {
            return $"tells internals: {text}";
        }

        if (operation.IsOpenAi)
        {
            return JsonNode.Parse(text)?["error"]?["message"] is null ? $"no error object: {text}" : null;
        }

        if (response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity && JsonNode.Parse(text)?["errors"] is not JsonObject { Count: > 0 })
        {
            return $"names no field: {text}";
        }

        return response.Content.Headers.ContentType?.MediaType != "application/problem+json" || JsonNode.Parse(text)?["code"] is null ? $"no problem document: {text}" : null;
    }

    private async Task AliveAsync(List<string> offences)
    {
        Assert.Equal("ok", (await _app.GetJsonAsync("/health/live")).GetProperty("status").GetString());
        Assert.True(offences.Count == 0, $"{offences.Count} offences\n{string.Join('\n', offences.Take(60))}");
    }

    private static string Short(string text) => text.Length > 40 ? $"{text[..40]}… ({text.Length})" : text;
}
