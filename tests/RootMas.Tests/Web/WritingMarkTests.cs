using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Web;

/// <summary>The mark that shows where an answer is being written: one, at the last words, however deep in lists these are.</summary>
[Collection(WebCollection.Name)]
public sealed class WritingMarkTests(WebWorld world)
{
    private const string On = "on and on and on and on and on and on and on and on and on and on and on.";

    [WebTheory]
    [InlineData("paragraph", @"One.\n\nTwo goes ")]
    [InlineData("list", @"- one\n- two goes ")]
    [InlineData("nested list", @"- one\n  - two\n- three\n  1. four\n     - five goes ")]
    [InlineData("loose nested list", @"- one\n\n  - two\n\n  - three\n\n    four goes ")]
    [InlineData("paragraph after a nested list", @"- one\n  - two\n\n  three goes ")]
    public async Task The_mark_stands_once_and_at_the_last_words(string where, string beginning)
    {
        world.Say($$"""default: { text: "{{beginning}}{{On}}" }""");
        var page = await world.NewChatAsync();
        var hold = world.Sim.Hold(new() { Agent = "communicator", At = HoldPoint.Middle });
        try
        {
            await page.SendAsync(where);
            await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
            await page.UntilAsync(
                """
                () => {
                  const written = document.querySelector('[role=log] [data-writing]');
                  if (!written || written.querySelector('[class*=plain]')) return false;
                  const marked = [...written.querySelectorAll('*')].filter(e => getComputedStyle(e, '::after').content === '""');
                  return marked.length === 1 && /goes on[^.]*$/.test(marked[0].textContent) && !marked[0].querySelector('li');
                }
                """);
        }
        finally
        {
            hold.Release(); // the simulator is shared
        }

        await page.Context.CloseAsync();
    }
}
