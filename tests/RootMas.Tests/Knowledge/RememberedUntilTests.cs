using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Runtime.Tools;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class RememberedUntilTests
{
    [Theory]
    [InlineData("2099-03-01T12:00:00Z")]
    [InlineData("2099-03-01 12:00:00Z")]
    [InlineData("2099-03-01t12:00:00z")]
    [InlineData("2099-03-01 15:00:00+03:00")]
    public async Task What_is_true_until_a_time_ends_then_in_whichever_form_of_the_schema_the_model_wrote_it(string until)
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var tool = app.Services.GetServices<Tool>().Single(static t => t.Name == "remember");
        var arguments = JsonSerializer.SerializeToElement(new { text = "The user works in Moscow for now", valid_until = until });
        Assert.Empty(JsonSchemaValidator.Validate(tool.Definition.Schema, arguments));
        var context = new ToolContext
        {
            RunId = "r", RootRunId = "r", OwnerId = alice.Id, Agent = "communicator", Call = 1, IdempotencyKey = "k1", Clock = TimeProvider.System, Progress = static _ => { },
        };
        await tool.InvokeAsync(context, arguments, CancellationToken.None);

        var fact = Assert.Single((await alice.GetAsync("/api/v1/memory")).GetProperty("items").EnumerateArray());
        Assert.Equal(new DateTimeOffset(2099, 3, 1, 12, 0, 0, TimeSpan.Zero), fact.GetProperty("valid_until").GetDateTimeOffset());
    }
}
