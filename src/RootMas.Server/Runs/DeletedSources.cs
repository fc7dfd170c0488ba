using RootMas.Runtime.Runs;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// Keeps back what deleted documents said from whoever reads a log. The log itself stays as it was written, because a run that goes on is folded from it; what leaves the store has neither the passages that a tool
/// gave nor titles and excerpts of citations, nor summaries that may retell the document. That a document was read and cited stays.
/// </summary>
internal static class DeletedSources
{
    /// <summary>In place of what a tool gave, all of it: passages of several documents stand side by side there.</summary>
    public const string Notice = "[A document that this came from was deleted. What it said is not shown any more.]";

    private static ReadOnlySpan<byte> Mark => "\"document_id\":\""u8;

    private static ReadOnlySpan<byte> ListMark => "\"documents\":["u8;

    /// <summary>Stored events as they may be sent. Costs nothing where none of them names a document, else one statement.</summary>
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
        return gone.Count == 0 ? events : [.. events.Select(e => (T)Without(e, gone))];
    }

    private static bool Names(StoredEvent e) => e.Type switch
    {
        "tool.completed" or "child.completed" or "message.completed" => e.Json.Span.IndexOf(Mark) >= 0,
        "context.reduced" or "model.completed" => e.Json.Span.IndexOf(ListMark) >= 0,
        _ => false,
    };

    private static async ValueTask<IReadOnlySet<string>> GoneAsync(DbSession session, IEnumerable<RunEvent> events)
    {
        var named = events.SelectMany(static e => RetoldBy(e) ?? CitationsOf(e)?.Select(static c => c.DocumentId).OfType<string>() ?? []).ToHashSet(StringComparer.Ordinal);
        return named.Count == 0 ? named : await DeletedAmong.FindAsync(session, named);
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

    private static RunEvent Without(RunEvent e, IReadOnlySet<string> gone) => e switch
    {
        ContextReduced reduced when RetoldBy(e)?.Any(gone.Contains) == true => reduced with { Summary = Notice },
        ModelCompleted completed when RetoldBy(e)?.Any(gone.Contains) == true => completed with { Text = Notice, Reasoning = null },
        _ => WithoutCitations(e, gone),
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
}
