using System.Text.Json;
using RootMas.Runtime.Tools;
using RootMas.Server.Tools;
using RootMas.Server.Tools.Calculator;

namespace RootMas.Tests.Tools;

public sealed class ToolCatalogTests
{
    [Fact]
    public void Two_tools_of_one_name_are_refused() =>
        Assert.Contains("calculator", Assert.Throws<InvalidOperationException>(() => new ToolCatalog([new CalculatorTool(), new CalculatorTool()])).Message, StringComparison.Ordinal);

    [Fact]
    public void A_tool_is_found_by_its_exact_name()
    {
        var catalog = new ToolCatalog([new CalculatorTool()]);
        Assert.NotNull(catalog.Find("calculator"));
        Assert.Null(catalog.Find("Calculator"));
        Assert.Single(catalog.All);
    }

    [Fact]
    public void Every_argument_of_every_built_in_tool_is_described_and_no_other_is_accepted()
    {
        using var bench = new ToolBench();
        foreach (var tool in new Tool[] { new CalculatorTool(), new CurrentTimeTool(new ToolsOptions()), bench.Fetch, bench.Search, bench.Request })
        {
            var schema = JsonDocument.Parse(tool.Definition.Schema).RootElement;
            Assert.Equal("object", schema.GetProperty("type").GetString());
            Assert.False(schema.GetProperty("additionalProperties").GetBoolean());
            Assert.All(schema.GetProperty("properties").EnumerateObject(), p => Assert.True(p.Value.TryGetProperty("description", out _), $"{tool.Name}.{p.Name}"));
            Assert.True(tool.Definition.Description.Length is > 30 and < 600, tool.Name);
        }
    }

    [Fact]
    public void Settings_that_cannot_work_are_told_with_their_keys()
    {
        var options = new ToolsOptions
        {
            TimeZone = "Mars/Olympus",
            Search = new SearchOptions { Kind = "searxng" },
            Http = new HttpToolOptions { Idempotent = ["orders"], Credentials = new Dictionary<string, string> { ["crm"] = "Bearer x" } },
        };
        Assert.Equal(["TimeZone", "Search:BaseUrl", "Http:Idempotent", "Http:Credentials"], options.Validate(new(options)).SelectMany(r => r.MemberNames));
    }
}
