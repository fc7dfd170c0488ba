using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

/// <summary><c>rootmas memory</c>.</summary>
public sealed class MemoryCommandTests
{
    [Fact]
    public async Task A_fact_is_added_listed_explained_corrected_exported_and_forgotten()
    {
        using var data = new TempFolder();
        var settings = new ServerSettings { Data = data.Path, Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["ROOTMAS_CONFIG"] = Repository.PathOf("config") } };
        await using var server = await ServerProcess.StartAsync(settings);
        var id = (await RunAsync(0, settings, "add", "I live in Kazan")).Trim();
        Assert.Contains("I live in Kazan", await RunAsync(0, settings, "list", "--query", "where is my home in Kazan"), StringComparison.Ordinal);
        var now = (await RunAsync(0, settings, "correct", id, "I live in Moscow")).Trim();
        Assert.NotEqual(id, now);
        Assert.Contains("superseded", await RunAsync(0, settings, "why", now), StringComparison.Ordinal);
        Assert.Contains("Moscow", await RunAsync(0, settings, "graph", "user"), StringComparison.Ordinal);
        Assert.Equal(2, JsonElement.Parse(await RunAsync(0, settings, "export")).GetProperty("facts").GetArrayLength());
        await RunAsync(2, settings, "forget");
        await RunAsync(0, settings, "forget", now);
        await RunAsync(3, settings, "forget", now);
        var note = (await RunAsync(0, settings, "add", "--team", "We ship on Mondays")).Trim();
        Assert.Contains("Mondays", await RunAsync(0, settings, "list", "--team"), StringComparison.Ordinal);
        await RunAsync(0, settings, "forget", "--team", note);
        Assert.Empty(JsonElement.Parse(await RunAsync(0, settings, "list", "--json")).GetProperty("items").EnumerateArray());

        async Task<string> RunAsync(int code, ServerSettings where, params string[] arguments)
        {
            var (exit, output, notes) = await ServerProcess.RunAsync(where, null, ["memory", .. arguments, "--data", data.Path]);
            Assert.True(code == exit, $"{string.Join(' ', arguments)}: {exit}: {output} {notes}\n{server.Stdout[^Math.Min(4000, server.Stdout.Length)..]}");
            return output;
        }
    }
}
