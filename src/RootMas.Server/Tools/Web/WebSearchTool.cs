using System.Globalization;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Tools.Outbound;

namespace RootMas.Server.Tools.Web;

/// <summary>Asks the operator's search engine. Its result URLs become known to the run, so that reading them needs no approval.</summary>
internal sealed class WebSearchTool(ToolsOptions options, ConfiguredHttpClients clients, RetryPolicy retry) : Tool
{
    private readonly SearchEngine? _engine = SearchEngine.From(options.Search);

    public override ToolDefinition Definition { get; } = new("web_search",
        "Searches the web and returns titles, URLs and snippets. Read a promising result with fetch_page before you rely on it.",
        """
        {
          "type": "object",
          "properties": {
            "query": { "type": "string", "minLength": 1, "maxLength": 400, "description": "Search words" },
            "count": { "type": "integer", "minimum": 1, "maximum": 10, "description": "Number of results; 5 if absent" },
            "language": { "type": "string", "pattern": "^[a-z]{2}$", "description": "Language of the results, such as en or ru" }
          },
          "required": ["query"],
          "additionalProperties": false
        }
        """,
        "1");

    public override ToolEffect Effect => ToolEffect.Read;

    public override ApprovalRule Approval => ApprovalRule.WhenTainted;

    public override TimeSpan Timeout => TimeSpan.FromSeconds(90);

    public override bool Taints => true;

    public override bool IsConfigured => _engine is not null;

    public override string? NotConfigured => IsConfigured
        ? null
        : "No search engine is configured: set Tools:Search:Kind to searxng and Tools:Search:BaseUrl to its address, or Tools:Search:Kind to brave and Tools:Search:ApiKey to a key.";

    public override bool IsExempt(JsonElement arguments, IKnownUrls known) => options.Search.Trusted;

    public override string? TargetOrigin(JsonElement arguments) => _engine is null ? null : OutboundUrl.Origin(_engine.BaseUrl);

    public override string? CredentialReference(JsonElement arguments) => _engine?.ApiKey is { Length: > 0 } ? "Tools:Search:ApiKey" : null;

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var engine = _engine ?? throw new ToolException(NotConfigured!);
        var (query, count, language) = (arguments.Text("query"), arguments.Integer("count", 5), arguments.TextOrNull("language"));
        context.Progress("Searching the web");
        try
        {
            var client = clients.For(engine.BaseUrl);
            var response = await retry.ExecuteAsync(RetryPolicy.Search, engine.BaseUrl, token => client.SendAsync(engine.Request(query, count, language), token), cancellationToken);
            if (response.Status != 200)
            {
                throw new ToolException(SearchEngine.Explain(response.Status));
            }

            return Result(context, query, engine.Read(response.Body).Take(count).ToList());
        }
        catch (OutboundException exception)
        {
            throw new ToolException($"The search engine gave no answer: {exception.Message}", inner: exception);
        }
        catch (JsonException exception)
        {
            throw new ToolException("The search engine's answer is not the expected JSON. For SearXNG its settings must list json under search.formats.", inner: exception);
        }
    }

    private static ToolResult Result(ToolContext context, string query, List<SearchHit> hits)
    {
        if (hits.Count == 0)
        {
            return new ToolResult($"No results for \"{query}\". Try other or fewer words.");
        }

        var text = new StringBuilder();
        var citations = new List<Citation>();
        foreach (var (i, hit) in hits.Index())
        {
            var id = string.Create(CultureInfo.InvariantCulture, $"{context.Call}.{i + 1}");
            text.Append(CultureInfo.InvariantCulture, $"[{id}] {hit.Title}\n{hit.Url}\n{(hit.Age is null ? "" : $"({hit.Age}) ")}{hit.Snippet}\n\n");
            citations.Add(new Citation(id, hit.Title, hit.Url, hit.Snippet));
        }

        return new ToolResult(text.ToString().TrimEnd(), Tainted: true, Urls: [.. hits.Select(static h => h.Url)]) { Citations = citations };
    }
}
