using Deque.AxeCore.Commons;
using Microsoft.Playwright;

namespace RootMas.Tests.Web;

/// <summary>What axe finds. Asked directly: pages of the app have one frame, so that neither frames nor a page for putting results together are needed.</summary>
internal static class Axe
{
    private static readonly string Script = new BundledAxeScriptProvider().GetScript();

    private static readonly string[] Standards = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

    /// <param name="isOver">Something stands over the page: a hint or a menu is outside of every landmark.</param>
    public static Task AssertNoViolationsAsync(this IPage page, string where, bool isOver = false) => AssertAsync(page, where, new { type = "tag", values = Standards }, isOver ? "region" : "");

    /// <summary>What another theme can change.</summary>
    public static Task AssertContrastAsync(this IPage page, string where) => AssertAsync(page, where, new { type = "rule", values = (string[])["color-contrast", "link-in-text-block"] }, "");

    private static async Task AssertAsync(IPage page, string where, object only, string except)
    {
        if (!await page.EvaluateAsync<bool>("() => 'axe' in window"))
        {
            await page.EvaluateAsync(Script);
        }

        var found = await page.EvaluateAsync<string[]>(
            """
            async ([only, except]) => (await axe.run(document, { runOnly: only, resultTypes: ['violations'] })).violations.filter(v => v.id !== except)
              .map(v => `${v.id}: ${v.help}\n` + v.nodes.slice(0, 5).map(n => `  ${n.html}\n    ${[...n.any, ...n.all, ...n.none].map(c => c.message).join('; ')}`).join('\n'))
            """,
            new object[] { only, except });
        Assert.True(found.Length == 0, where + "\n" + string.Join('\n', found));
    }
}
