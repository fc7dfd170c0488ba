using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

public sealed class ApiKeysCommandTests
{
    [Fact]
    public async Task A_key_is_made_listed_used_from_elsewhere_and_revoked()
    {
        using var data = new TempFolder();
        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["ROOTMAS_CONFIG"] = Repository.PathOf("config") };
        var settings = new ServerSettings { Data = data.Path, Environment = environment };

        // Without a server the command is the operator in its own process. Nothing but the secret is on the standard output.
        var (code, secret, notes) = await RunAsync(settings, "api-keys", "create", "nightly", "--scope", "chat:read", "--days", "7", "--data", data.Path);
        Assert.True(code == 0, notes);
        Assert.Matches("^rmk_[A-Za-z0-9_-]{43}\\s*$", secret);
        Assert.DoesNotContain(secret.Trim(), notes, StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync(settings, "api-keys", "create", "x", "--days", "0", "--data", data.Path)).Code);

        await using var server = await ServerProcess.StartAsync(settings);
        var (_, listed, _) = await RunAsync(settings, "api-keys", "list", "--json", "--data", data.Path);
        var key = Assert.Single(JsonElement.Parse(listed).GetProperty("items").EnumerateArray());
        Assert.Equal(("nightly", "chat:read"), (key.GetProperty("name").GetString(), key.GetProperty("scopes")[0].GetString()));
        var program = settings with { Environment = new Dictionary<string, string>(environment, StringComparer.Ordinal) { ["ROOTMAS_API_KEY"] = secret.Trim() } };
        Assert.Equal(0, (await RunAsync(program, "runs", "list", "--server", server.BaseUrl)).Code);
        Assert.Equal(4, (await RunAsync(program, "users", "list", "--server", server.BaseUrl)).Code);
        Assert.Equal(0, (await RunAsync(settings, "api-keys", "revoke", key.GetProperty("id").GetString()!, "--data", data.Path)).Code);
        Assert.Equal(3, (await RunAsync(settings, "api-keys", "revoke", key.GetProperty("id").GetString()!, "--data", data.Path)).Code);
        var (refused, _, why) = await RunAsync(program, "runs", "list", "--server", server.BaseUrl);
        Assert.Equal(4, refused);
        Assert.Contains("'rootmas login'", why, StringComparison.Ordinal);
        Assert.DoesNotContain("/api/v1", why, StringComparison.Ordinal); // a route is no help at a terminal
    }

    [Fact]
    public async Task A_secret_that_could_not_be_printed_is_told_with_the_key_to_revoke()
    {
        await using var app = await TestApp.StartAsync();
        using var cli = new CliSession(app.Data);
        cli.Output.IsFull = true;
        Assert.Equal(1, await cli.RunAsync("api-keys", "create", "lost"));
        Assert.Contains("No space left on device", cli.Notes.ToString(), StringComparison.Ordinal);
        var id = (await app.GetJsonAsync("/api/v1/api-keys")).GetProperty("items").EnumerateArray().Single(static k => k.GetProperty("name").GetString() == "lost").GetProperty("id").GetString();
        Assert.Contains($"rootmas api-keys revoke {id}", cli.Notes.ToString(), StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Out, string Notes)> RunAsync(ServerSettings settings, params string[] arguments) => await ServerProcess.RunAsync(settings, null, arguments);
}
