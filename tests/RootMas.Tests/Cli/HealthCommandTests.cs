using Microsoft.AspNetCore.Http;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>rootmas health</c>: what a container's health check asks.</summary>
public sealed class HealthCommandTests
{
    [Fact]
    public async Task A_server_is_asked_by_its_data_directory_or_its_address()
    {
        await using var server = await ServerProcess.StartAsync(new ServerSettings { Config = Repository.PathOf("config") });
        using var session = new CliSession(server.Data);
        Assert.Equal("ok\n", await session.DoAsync("health"));
        Assert.Equal("ok\n", await session.DoAsync("health", "--live"));
        Assert.Equal("ok\n", await session.DoAsync("health", "--server", server.BaseUrl));

        await server.KillAsync();
        Assert.Equal(7, await session.RunAsync("health", "--server", server.BaseUrl));
        Assert.Contains("does not answer", session.Notes.ToString());
        Assert.Equal("", session.Output.ToString());
    }

    /// <summary>In a container it listens on every address; whoever asks from inside must not call it 0.0.0.0.</summary>
    [Theory]
    [InlineData("http://0.0.0.0:8000", "http://127.0.0.1:8000/")]
    [InlineData("https://[::]:8443", "https://127.0.0.1:8443/")]
    [InlineData("http://127.0.0.1:8000", "http://127.0.0.1:8000/")]
    [InlineData("http://10.0.0.5:8000", "http://10.0.0.5:8000/")]
    public void It_is_asked_at_an_address_that_it_answers_to(string listens, string asked) => Assert.Equal(asked, ListenAddress.FromHere(new Uri(listens)).ToString());

    [Theory]
    [InlineData("https://0.0.0.0:8443;http://127.0.0.1:8000", "http://127.0.0.1:8000/")]
    [InlineData("http://10.0.0.5:8000;http://[::1]:8000", "http://[::1]:8000/")]
    [InlineData("https://10.0.0.5:8443;https://[::]:9443", "https://127.0.0.1:9443/")]
    [InlineData("http://10.0.0.5:8000;https://10.0.0.5:8443", "https://10.0.0.5:8443/")]
    [InlineData("none", null)]
    public void Of_several_addresses_it_is_asked_at_that_which_answers_this_machine(string listens, string? asked) =>
        Assert.Equal(asked, ListenAddress.Nearest(ListenAddress.Split(listens))?.ToString());

    [Fact]
    public async Task One_that_is_not_ready_says_so_and_can_be_waited_for()
    {
        var asked = 0;
        await using var starting = await LoopbackServer.StartAsync(context =>
        {
            context.Response.StatusCode = Interlocked.Increment(ref asked) < 3 ? 503 : 200;
            return context.Response.WriteAsJsonAsync(new { status = context.Response.StatusCode == 200 ? "ok" : "starting" });
        });
        using var session = new CliSession();
        Assert.Equal(1, await session.RunAsync("health", "--server", starting.Url.ToString()));
        Assert.Contains("503", session.Notes.ToString());
        Assert.Equal("ok\n", await session.DoAsync("health", "--server", starting.Url.ToString(), "--wait", "60"));
        Assert.InRange(asked, 3, 4); // an answer that did not come in five seconds is asked for again
        Assert.Equal(2, await session.RunAsync("health", "--server", "nowhere"));
    }

    [Theory]
    [InlineData("text/html", "<h1>It works!</h1>")]
    [InlineData("application/json", "<h1>It works!</h1>")]
    [InlineData("application/json", "{}")]
    [InlineData("application/json", "[1]")]
    [InlineData("application/json", """{"status":"UP"}""")]
    [InlineData(null, "")]
    public async Task Another_program_that_has_the_address_is_not_well(string? type, string body)
    {
        await using var other = await LoopbackServer.StartAsync(context =>
        {
            context.Response.ContentType = type;
            return context.Response.WriteAsync(body);
        });
        using var session = new CliSession();
        foreach (var arguments in (string[][])[[], ["--live"]])
        {
            Assert.Equal(1, await session.RunAsync(["health", "--server", other.Url.ToString(), .. arguments]));
            Assert.Contains("is not a Root-MAS server, or a proxy answers for it: 200 with", session.Notes.ToString(), StringComparison.Ordinal);
            Assert.Equal("", session.Output.ToString());
        }
    }
}
