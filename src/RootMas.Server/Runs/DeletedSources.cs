using RootMas.Runtime.Runs;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// Keeps back what deleted documents and forgotten facts said from whoever reads a log. The log itself stays as it was written, because a run that goes on is folded from it; what leaves the store has neither the passages that a tool
/// gave nor titles and excerpts of citations, nor summaries that may retell the document; and neither what is remembered no more, nor what tools told of it. That a document was read and cited stays.
/// </summary>
internal static class DeletedSources
{
    /// <summary>In place of what a tool gave, all of it: passages of several documents stand side by side there.</summary>
    public const string Notice = "[A document that this came from was deleted. What it said is not shown any more.]";

    /// <summary>The same, where it came from memory.</summary>
    public const string Forgotten = "[This, or something that it came from, was forgotten. It is not shown any more.]";

    private static ReadOnlySpan<byte> Mark => "\"document_id\":\""u8;

    private static ReadOnlySpan<byte> ListMark => "\"documents\":["u8;

    private static ReadOnlySpan<byte> FactsMark => "\"facts\":["u8;

    /// <summary>Stored events as they may be sent. Costs nothing where none of them names a document or a fact, else one statement for each of the two.</summary>
    public static async ValueTask<IReadOnlyList<StoredEvent>> HideAsync(DbSession session, List<StoredEvent> page)
    {
        if (!page.Exists(Names))
        {
            return page;
        }

        var read = page.ConvertAll(static e => Names(e) ? RunJson.DeserializeEvent(e.Json.Span) : null);
        var gone = await GoneAsync(session, read.OfType<RunEvent>());
        for (var i = 0; i < page.Count; i++)
        {
            if (read[i] is { } e && Without(e, gone) is var left && !ReferenceEquals(left, e))
            {
                page[i] = page[i] with { Json = RunJson.Serialize(left) };
            }
        }

        return page;
    }

    /// <summary>Events as they may be given to whoever asks now.</summary>
    public static async ValueTask<IReadOnlyList<T>> HideAsync<T>(DbSession session, IReadOnlyList<T> events)
        where T : RunEvent
    {
        var gone = await GoneAsync(session, events);
        return gone.IsNothing ? events : [.. events.Select(e => (T)Without(e, gone))];
    }

    private static bool Names(StoredEvent e) => e.Type switch
    {
        "tool.completed" => e.Json.Span.IndexOf(Mark) >= 0 || e.Json.Span.IndexOf(FactsMark) >= 0,
        "child.completed" or "message.completed" => e.Json.Span.IndexOf(Mark) >= 0,
        "context.reduced" or "model.completed" => e.Json.Span.IndexOf(ListMark) >= 0 || e.Json.Span.IndexOf(FactsMark) >= 0,
        "memory.recalled" => true,
        _ => false,
    };

    private static async ValueTask<Gone> GoneAsync(DbSession session, IEnumerable<RunEvent> events)
    {
        var (documents, facts) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var e in events)
        {
            documents.UnionWith(RetoldBy(e) ?? CitationsOf(e)?.Select(static c => c.DocumentId).OfType<string>() ?? []);
            facts.UnionWith(FactsOf(e) ?? []);
        }

        return new Gone(
            documents.Count == 0 ? documents : await DeletedAmong.FindAsync(session, documents),
            facts.Count == 0 ? facts : await ForgottenAmong.FindAsync(session, facts));
    }

    private static IReadOnlyList<Citation>? CitationsOf(RunEvent e) => e switch
    {
        ToolCompleted tool => tool.Citations,
        ChildCompleted child => child.Citations,
        MessageCompleted message => message.Citations,
        _ => null,
    };

    /// <summary>Documents of which the event's text is a summary.</summary>
    private static IReadOnlyList<string>? RetoldBy(RunEvent e) => e switch
    {
        ContextReduced reduced => reduced.Documents,
        ModelCompleted completed => completed.Documents,
        _ => null,
    };

    /// <summary>Remembered facts whose words the event has.</summary>
    private static IEnumerable<string>? FactsOf(RunEvent e) => e switch
    {
        MemoryRecalled recalled => recalled.Facts.Select(static f => f.Id),
        ToolCompleted tool => tool.Facts,
        ContextReduced reduced => reduced.Facts,
        ModelCompleted completed => completed.Facts,
        _ => null,
    };

    private static RunEvent Without(RunEvent e, Gone gone) => WithoutFacts(RetoldBy(e)?.Any(gone.Documents.Contains) == true ? Unsaid(e, Notice) : WithoutCitations(e, gone.Documents), gone.Facts);

    private static RunEvent WithoutFacts(RunEvent e, IReadOnlySet<string> forgotten) =>
        FactsOf(e)?.Any(forgotten.Contains) != true ? e
        : e is MemoryRecalled recalled ? recalled with { Facts = [.. recalled.Facts.Select(f => forgotten.Contains(f.Id) ? f with { Text = Forgotten } : f)] }
        : Unsaid(e, Forgotten);

    private static RunEvent Unsaid(RunEvent e, string notice) => e switch
    {
        ToolCompleted tool => tool with { Result = notice },
        ContextReduced reduced => reduced with { Summary = notice },
        ModelCompleted completed => completed with { Text = notice, Reasoning = null },
        _ => e,
    };

    private static RunEvent WithoutCitations(RunEvent e, IReadOnlySet<string> gone) => CitationsOf(e) is not { } citations || !citations.Any(c => IsOf(c, gone)) ? e : e switch
    {
        ToolCompleted tool => tool with { Result = Notice, Citations = Without(citations, gone) },
        ChildCompleted child => child with { Citations = Without(citations, gone) },
        MessageCompleted message => message with { Citations = Without(citations, gone) },
        _ => e,
    };

    private static List<Citation> Without(IReadOnlyList<Citation> citations, IReadOnlySet<string> gone) => [.. citations.Select(c => IsOf(c, gone) ? c with { Title = null, Excerpt = null } : c)];

    private static bool IsOf(Citation citation, IReadOnlySet<string> gone) => citation.DocumentId is { } id && gone.Contains(id);

    /// <summary>Ids of documents and of facts that events name and that are there no more.</summary>
    private sealed record Gone(IReadOnlySet<string> Documents, IReadOnlySet<string> Facts)
    {
        public bool IsNothing => Documents.Count + Facts.Count == 0;
    }
}
