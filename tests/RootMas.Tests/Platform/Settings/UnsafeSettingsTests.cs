using RootMas.Server;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Settings;

/// <summary>What the server refuses to start with, by name and with what to do.</summary>
public sealed class UnsafeSettingsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("Server:Urls=http://0.0.0.0:8000;Server:AllowedHosts=mas.example.org", "Server:Urls: 'http://0.0.0.0:8000'", "Server:TrustedProxies")]
    [InlineData("Server:Urls=http://192.0.2.1:8000", "Server:Urls: 'http://192.0.2.1:8000'", "Server:AllowPlainHttp")]
    [InlineData("Server:Urls=http://[::]:8000;Server:AllowedHosts=mas.example.org", "Server:Urls: 'http://[::]:8000'", "https://")]
    [InlineData("Server:Urls=http://0.0.0.0:8000;Server:AllowPlainHttp=true", "Server:AllowedHosts: 'http://0.0.0.0:8000'", "List the names")]
    [InlineData("Server:Urls=http://0.0.0.0:8000;Server:TrustedProxies=10.0.0.1", "Server:AllowedHosts: 'http://0.0.0.0:8000'", "List the names")]
    [InlineData("Server:AllowedOrigins=http://app.example.org", "Server:AllowedOrigins: 'http://app.example.org'", "Use https://")]
    [InlineData("Server:AllowedOrigins=*", "Server:AllowedOrigins: '*' is not an origin", "each origin is named")]
    [InlineData("Server:AllowedOrigins=https://*.example.org", "Server:AllowedOrigins: 'https://*.example.org' is not an origin", "each origin is named")]
    [InlineData("Server:AllowedOrigins=https://app.example.org/path", "Server:AllowedOrigins: 'https://app.example.org/path' is not an origin", "legal:")]
    [InlineData("Server:AllowedOrigins=null", "Server:AllowedOrigins: 'null' is not an origin", "legal:")]
    [InlineData("Server:Environment=Development;Server:Urls=http://192.0.2.1:8000", "Server:Environment: 'http://192.0.2.1:8000' is refused in Development", "Production")]
    [InlineData("Telemetry:LogLevel=Trace", "Telemetry:LogLevel: 'Trace'", "message contents")]
    [InlineData("Telemetry:LogLevels:RootMas=Trace", "Telemetry:LogLevel: 'RootMas=Trace'", "message contents")]
    [InlineData("Server:Urls=http://mas.example.org:8000", "Server:Urls: 'http://mas.example.org:8000' names a host", "Server:AllowedHosts")]
    [InlineData("Server:Urls=http://*:8000", "Server:Urls: 'http://*:8000' is not an address", "0.0.0.0")]
    [InlineData("Limits:Enabled=false", "Limits:Enabled: 'false' is refused in Production", "single limits")]
    [InlineData("Audit:Key=short", "Audit:Key: is no key", "openssl rand")]
    public void An_unsafe_combination_is_refused_by_name_with_what_to_do(string settings, string named, string advice)
    {
        var problem = Assert.Single(Problems(settings));
        Assert.StartsWith(named, problem, StringComparison.Ordinal);
        Assert.Contains(advice, problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Server:Urls=http://0.0.0.0:8000;Server:AllowedHosts=mas.example.org;Server:TrustedProxies=10.0.0.1")]
    [InlineData("Server:Urls=http://0.0.0.0:8000;Server:AllowedHosts=mas.example.org;Server:AllowPlainHttp=true")]
    [InlineData("Server:Urls=http://127.0.0.1:8000")]
    [InlineData("Server:Urls=http://[::1]:8000")]
    [InlineData("Server:Urls=http://localhost:8000")]
    [InlineData("Server:AllowedOrigins=https://app.example.org")]
    [InlineData("Server:AllowedOrigins=http://localhost:5173")]
    [InlineData("Server:Environment=Development;Telemetry:LogLevel=Trace")]
    [InlineData("Telemetry:LogLevel=Debug")]
    public void What_is_safe_starts(string settings) => Assert.Empty(Problems(settings));

    [Fact]
    public void All_of_them_are_told_at_once()
    {
        var problems = Problems("Server:Urls=http://0.0.0.0:8000;Server:AllowedOrigins=http://app.example.org;Telemetry:LogLevel=Trace", new() { ["ROOTMAS_MASTER_KEY"] = "secret" });
        Assert.Equal(["ROOTMAS_MASTER_KEY", "Server:AllowedHosts", "Server:AllowedOrigins", "Server:Urls", "Telemetry:LogLevel"], problems.Select(static p => p[..p.IndexOf(": ", StringComparison.Ordinal)]).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("secret")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    public void A_weak_given_key_is_refused_and_not_shown(string key)
    {
        var problem = Assert.Single(Problems("", new() { ["ROOTMAS_MASTER_KEY"] = key }));
        Assert.Contains("openssl rand -base64 32", problem, StringComparison.Ordinal);
        Assert.DoesNotContain($"'{key}'", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_data_directory_that_others_can_read_is_refused_unless_it_is_empty_and_then_it_is_closed()
    {
        var data = Path.Combine(_folder.Path, "open");
        Directory.CreateDirectory(data);
        FileModes.Set(data, (UnixFileMode)0b111_101_101);
        await using (await TestApp.StartAsync(o => o.Data = data))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, FileModes.Of(data));
        }

        FileModes.Set(data, (UnixFileMode)0b111_101_101);
        var error = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(o => o.Data = data));
        Assert.StartsWith($"Server:Data: '{data}' is refused in Production", Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Config_check_lists_every_problem_and_ends_with_2()
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["ROOTMAS__Server__Urls"] = "http://0.0.0.0:8000", ["ROOTMAS__Telemetry__LogLevel"] = "Trace", ["ROOTMAS__Runs__Parallelism"] = "-1",
        };
        await using var check = Tests.Cli.CliProcess.Start(environment, "config", "check", "--data", Path.Combine(_folder.Path, "data"));
        Assert.Equal(2, await check.EndAsync());
        foreach (var key in (string[])["Server:Urls", "Server:AllowedHosts", "Telemetry:LogLevel", "Runs:Parallelism"])
        {
            Assert.Contains(key + (key.StartsWith("Runs", StringComparison.Ordinal) ? " (environment)" : ": "), check.Stderr, StringComparison.Ordinal);
        }
    }

    private IReadOnlyList<string> Problems(string settings, Dictionary<string, string>? environment = null) =>
        ServerHost.ReadSettings(new ServerArguments
        {
            WorkingDirectory = _folder.Path,
            Environment = environment ?? [],
            Settings = settings.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(static s => s.Split('=', 2)).ToDictionary(static p => p[0], static p => p[1], StringComparer.OrdinalIgnoreCase),
        }).Problems;
}
