using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

public sealed class UsersCommandTests
{
    [Fact]
    public async Task Users_and_keys_are_managed_on_a_data_directory_with_and_without_a_server()
    {
        using var data = new TempFolder();
        var settings = new ServerSettings { Data = data.Path, Environment = With() };

        // No server: the command is the operator, in its own process.
        var (code, id, notes) = await RunAsync(settings, TestUsers.Password + "\n", "users", "add", "ada", "--role", "admin");
        Assert.True(code == 0, notes);
        Assert.True(Guid.TryParse(id.Trim(), out _), id);
        Assert.Equal(5, (await RunAsync(settings, TestUsers.Password + "\n", "users", "add", "ADA")).Code);
        Assert.Equal(2, (await RunAsync(settings, "password\n", "users", "add", "bob")).Code);
        Assert.Equal(2, (await RunAsync(settings, "", "users", "add", "bob")).Code);
        var (king, _, legal) = await RunAsync(settings, TestUsers.Password + "\n", "users", "add", "bob", "--role", "king");
        Assert.Equal(2, king);
        Assert.Contains("role: must be one of admin, user, agent, readonly\n", legal, StringComparison.Ordinal);
        Assert.Equal(3, (await RunAsync(settings, null, "users", "disable", "nobody")).Code);
        Assert.Equal(5, (await RunAsync(settings, null, "users", "disable", "ada")).Code);

        // The same commands through the server that owns the directory now.
        await using var server = await ServerProcess.StartAsync(settings);
        Assert.Equal(0, (await RunAsync(settings, TestUsers.Password + "\n", "users", "add", "bob")).Code);
        Assert.Equal(HttpStatusCode.OK, await LogInAsync(server, "bob", TestUsers.Password));
        Assert.Equal(0, (await RunAsync(settings, null, "users", "disable", "bob")).Code);
        Assert.Equal(HttpStatusCode.Unauthorized, await LogInAsync(server, "bob", TestUsers.Password));
        Assert.Equal(0, (await RunAsync(settings, null, "users", "enable", "bob")).Code);
        Assert.Equal(0, (await RunAsync(settings, "another password\n", "users", "password", "bob")).Code);
        Assert.Equal(HttpStatusCode.OK, await LogInAsync(server, "bob", "another password"));
        Assert.Equal(0, (await RunAsync(settings, null, "users", "role", "bob", "readonly")).Code);

        var (_, listed, _) = await RunAsync(settings, null, "users", "list", "--json");
        Assert.Equal(["ada admin", "bob readonly", "local admin"], JsonElement.Parse(listed).GetProperty("items").EnumerateArray().Select(u => $"{u.GetProperty("username")} {u.GetProperty("role")}"));
        var (_, keys, _) = await RunAsync(settings, null, "keys", "rotate", "--json");
        Assert.Equal(2, JsonElement.Parse(keys).GetProperty("items").GetArrayLength());
        Assert.Equal(0, (await RunAsync(settings, null, "users", "remove", "bob")).Code);
        Assert.Equal(3, (await RunAsync(settings, null, "users", "role", "bob", "user")).Code);

        // From elsewhere only with a credential of one's own.
        Assert.Equal(4, (await RunAsync(settings, null, "users", "list", "--server", server.BaseUrl)).Code);
        var withKey = settings with { Environment = With(("ROOTMAS_API_KEY", await TokenAsync(server, "ada"))) };
        Assert.Equal(0, (await RunAsync(withKey, null, "users", "list", "--server", server.BaseUrl)).Code);
    }

    private static Dictionary<string, string> With(params (string Name, string Value)[] variables) =>
        variables.Append(("ROOTMAS_CONFIG", Repository.PathOf("config"))).ToDictionary(static v => v.Item1, static v => v.Item2, StringComparer.Ordinal);

    private static async Task<(int Code, string Out, string Notes)> RunAsync(ServerSettings settings, string? stdin, params string[] arguments) =>
        await ServerProcess.RunAsync(settings, stdin, [.. arguments, .. arguments.Contains("--server") ? [] : (string[])["--data", settings.Data!]]);

    private static async Task<HttpStatusCode> LogInAsync(ServerProcess server, string username, string password)
    {
        using var answer = await server.Http.PostAsJsonAsync("/api/v1/auth/login", new { username, password });
        return answer.StatusCode;
    }

    private static async Task<string> TokenAsync(ServerProcess server, string username)
    {
        using var answer = await server.Http.PostAsJsonAsync("/api/v1/auth/login", new { username, password = TestUsers.Password });
        return JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("access_token").GetString()!;
    }
}
