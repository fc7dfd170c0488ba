using System.Globalization;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Text;
using RootMas.Server.Tools.Outbound;

namespace RootMas.Server.Tools.Web;

/// <summary>Reads a page of the web as text.</summary>
internal sealed class FetchPageTool(GuardedHttpClient http, RetryPolicy retry) : Tool
{
    private const int PageCharacters = 15_000;
    private const int MaxLinks = 40;

    private static readonly KeyValuePair<string, string>[] Headers =
        [new("Accept", "text/html,application/xhtml+xml,text/plain,application/json;q=0.9,application/xml;q=0.8,*/*;q=0.1"), new("Accept-Language", "en,ru;q=0.9,*;q=0.5")];

    public override ToolDefinition Definition { get; } = new("fetch_page",
        "Reads one web page (HTML, plain text, JSON or XML) and returns its title, main text and links. Copy the URL exactly as the user or a search gave it. Long pages come in parts: continue with start.",
        """
        {
          "type": "object",
          "properties": {
            "url": { "type": "string", "minLength": 8, "maxLength": 4096, "description": "Absolute http or https URL" },
            "start": { "type": "integer", "minimum": 0, "maximum": 2000000, "description": "Character of the text to start at; 0 is the beginning" }
          },
          "required": ["url"],
          "additionalProperties": false
        }
        """,
        "1");

    public override ToolEffect Effect => ToolEffect.Read;

    public override ApprovalRule Approval => ApprovalRule.WhenTainted;

    public override TimeSpan Timeout => TimeSpan.FromSeconds(90);

    public override bool Taints => true;

    public override bool IsExempt(JsonElement arguments, IKnownUrls known) => known.Contains(arguments.Text("url"));

    public override string? TargetOrigin(JsonElement arguments) => OutboundUrl.Origin(arguments.Text("url"));

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        try
        {
            var url = OutboundUrl.Parse(arguments.Text("url"));
            context.Progress($"Reading {url.Host}");
            var response = await retry.ExecuteAsync(RetryPolicy.Web, url, token => http.SendAsync(new OutboundRequest(HttpMethod.Get, url) { Headers = Headers, FollowRedirects = true }, token), cancellationToken);
            if (response.Status is < 200 or > 299)
            {
                throw new ToolException($"{url.Host} answered {response.Status} {WebText.Line(response.Reason, 80)}. The page was not read.");
            }

            return Page(context, url, response, arguments.Integer("start", 0));
        }
        catch (OutboundException exception)
        {
            throw new ToolException(exception.Message, inner: exception);
        }
    }

    private static ToolResult Page(ToolContext context, Uri asked, OutboundResponse response, int start)
    {
        var (title, text, links) = Read(response);
        if (start > 0 && start >= text.Length)
        {
            throw new ToolException($"The page has {text.Length} characters; start must be smaller.");
        }

        var end = Math.Min(text.Length, start + PageCharacters);
        var result = new StringBuilder();
        result.Append(CultureInfo.InvariantCulture, $"[{context.Call}] {(title.Length > 0 ? title : response.Url.Host)}\nURL: {response.Url.AbsoluteUri}\n");
        if (response.Redirects > 0)
        {
            result.Append(CultureInfo.InvariantCulture, $"(redirected from {asked.AbsoluteUri})\n");
        }

        result.Append('\n').Append(text.Length == 0 ? "(The page has no readable text; it may need a browser.)" : text.AsSpan(start, end - start)).Append('\n');
        if (end < text.Length)
        {
            result.Append(CultureInfo.InvariantCulture, $"\n(Characters {start} to {end} of {text.Length}; call again with start={end} for more.)\n");
        }
        else if (response.Truncated)
        {
            result.Append("\n(The page is larger than the limit; its end was not read.)\n");
        }

        if (start == 0 && links.Count > 0)
        {
            result.Append("\nLinks:\n");
            foreach (var link in links.Take(MaxLinks))
            {
                result.Append(CultureInfo.InvariantCulture, $"- {link.Text}: {link.Url}\n");
            }
        }

        var excerpt = WebText.Line(text.AsSpan(start, Math.Min(end - start, 400)).ToString(), 300);
        return new ToolResult(result.ToString().TrimEnd(), Tainted: true)
        {
            Citations = [new Citation(context.Call.ToString(CultureInfo.InvariantCulture), title.Length > 0 ? title : null, response.Url.AbsoluteUri, excerpt)],
        };
    }

    private static (string Title, string Text, IReadOnlyList<PageLink> Links) Read(OutboundResponse response)
    {
        if (WebText.IsHtml(response.ContentType, response.Body))
        {
            var page = HtmlPage.Read(WebText.Decode(response.Body, response.ContentType), response.Url)
                ?? throw new ToolException("The page's markup is nested so deeply, or is so broken, that it is not read.");
            return (page.Title, page.Text, page.Links);
        }

        return WebText.IsText(response.ContentType, response.Body)
            ? ("", WebText.Clean(WebText.Decode(response.Body, response.ContentType).ReplaceLineEndings("\n")), [])
            : throw new ToolException($"The address leads to {response.ContentType?.MediaType ?? "binary data"}, which is not read; only HTML, text, JSON and XML are.");
    }
}
