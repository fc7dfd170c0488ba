using System.Net;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>Refusals under <c>/v1</c>: clients show their message alone, without code, status or field.</summary>
public sealed class CompletionRefusalTests
{
    private const string Route = "/v1/chat/completions";
    private const string Good = """{"model":"solo","messages":[{"role":"user","content":"Hi"}]}""";

    [Theory]
    [InlineData("GET", "/v1/models/nobody", null, 404, null)]
    [InlineData("GET", "/v1/nothing", null, 404, null)]
    [InlineData("GET", Route, null, 405, null)]
    [InlineData("POST", Route, "{", 400, null)]
    [InlineData("POST", Route, "\uFEFF" + Good, 400, "The body must be UTF-8 without a byte order mark. Nothing was done.")]
    [InlineData("POST", Route, "[1]", 400, null)]
    [InlineData("POST", Route, """{"model":"solo"}""", 400, "Invalid value for 'messages': it is required.")]
    [InlineData("POST", Route, """{"model":"solo","messages":[{"role":"user","content":"Hi"}],"n":3}""", 400, "'n' is not supported here: one answer per call.")]
    [InlineData("POST", Route, """{"model":"nobody","messages":[{"role":"user","content":"Hi"}]}""", 404, null)]
    public async Task Every_message_is_a_whole_sentence(string method, string path, string? body, int status, string? message)
    {
        await using var world = await ChatWorld.StartAsync();
        await SaysAsync(await world.App.SendAsync(new HttpMethod(method), path, body), status, message);
        Assert.Empty(world.Sim.Calls);
    }

    [Fact]
    public async Task What_is_wrong_with_a_key_is_a_whole_sentence_too()
    {
        await using var world = await ChatWorld.StartAsync();
        await SaysAsync(await world.App.SendAsync(HttpMethod.Post, Route, Good, ("Idempotency-Key", "a b")), 400,
            "Idempotency-Key must be given once: 1 to 255 printable ASCII characters without spaces. Nothing was done.");
        using var first = await world.App.SendAsync(HttpMethod.Post, Route, Good, ("Idempotency-Key", "k"));
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        var told = await SaysAsync(await world.App.SendAsync(HttpMethod.Post, Route, Good.Replace("Hi", "Ho", StringComparison.Ordinal), ("Idempotency-Key", "k")), 422);
        Assert.Contains("Idempotency-Key", told, StringComparison.Ordinal);
        using var nobody = world.App.NewClient(null);
        await SaysAsync(await nobody.GetAsync("/v1/models"), 401);
    }

    private static async Task<string> SaysAsync(HttpResponseMessage response, int status, string? message = null)
    {
        using (response)
        {
            var text = await response.Content.ReadAsStringAsync();
            Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode} {text}");
            var said = JsonElement.Parse(text).GetProperty("error").GetProperty("message").GetString()!;
            Assert.Matches(@"^([A-Z]|'[^']+' )", said);
            Assert.EndsWith(".", said, StringComparison.Ordinal);
            Assert.DoesNotContain("`errors`", said, StringComparison.Ordinal);
            Assert.Equal(message ?? said, said);
            return said;
        }
    }
}
