using System.Globalization;
using System.Text;
using RootMas.Tests.Chat;

namespace RootMas.Tests.Faults;

/// <summary>What a client makes of a stream: texts by message, what no longer counts, the stored events in order.</summary>
internal sealed class StreamClient
{
    private readonly Dictionary<string, StringBuilder> _texts = new(StringComparer.Ordinal);

    public HashSet<string> Superseded { get; } = new(StringComparer.Ordinal);

    public List<SseEvent> Stored { get; } = [];

    public string? LastId { get; private set; }

    public bool Ended => Stored.Count > 0 && Stored[^1].Type is "run.completed" or "run.failed" or "run.cancelled";

    public void See(SseEvent e)
    {
        LastId = e.Id ?? LastId;
        switch (e.Type)
        {
            case "message.delta":
                Text(e).Append(e.Data.GetProperty("text").GetString());
                break;
            case "message.snapshot":
                Text(e).Clear().Append(e.Data.GetProperty("text").GetString());
                break;
            case "reasoning.delta" or "tool.progress":
                break;
            default:
                Assert.Equal((Stored.Count + 1).ToString(CultureInfo.InvariantCulture), e.Id); // no gap, nothing twice
                Stored.Add(e);
                Settle(e);
                break;
        }
    }

    /// <summary>Texts that were shown and still count.</summary>
    public IEnumerable<string> StandingTexts() => _texts.Where(t => t.Value.Length > 0 && !Superseded.Contains(t.Key)).Select(static t => t.Value.ToString());

    /// <summary>The answer; besides it only what was said before tool calls may still stand.</summary>
    public string FinalText()
    {
        var text = Stored.Single(static e => e.Type == "message.completed").Data.GetProperty("text").GetString()!;
        var said = Stored.Where(static e => e.Type == "model.completed").Select(static e => e.Data.GetProperty("text").GetString()!).ToList();
        Assert.All(StandingTexts(), shown => Assert.Contains(shown, said));
        Assert.Contains(text, StandingTexts());
        return text;
    }

    /// <summary>A stored text is the whole of which the pieces that were seen are the beginning: never glued, never twice.</summary>
    private void Settle(SseEvent e)
    {
        if (e.Type == "message.superseded")
        {
            Superseded.Add(e.Data.GetProperty("message_id").GetString()!);
        }
        else if (e.Type is "model.completed" or "message.completed")
        {
            var (whole, shown) = (e.Data.GetProperty("text").GetString()!, Text(e));
            Assert.StartsWith(shown.ToString(), whole, StringComparison.Ordinal);
            shown.Clear().Append(whole);
        }
    }

    private StringBuilder Text(SseEvent e)
    {
        var id = e.Data.GetProperty("message_id").GetString()!;
        Assert.DoesNotContain(id, Superseded);
        return _texts.TryGetValue(id, out var text) ? text : _texts[id] = new StringBuilder();
    }
}
