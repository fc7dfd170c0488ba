namespace RootMas.Server.Models.OpenAi;

/// <summary>
/// Open reasoning models behind plain servers write their reasoning into the text, as <c>&lt;think&gt;…&lt;/think&gt;</c> at its very beginning.
/// It is reasoning, not answer: it must not be shown as the answer or parsed as structured output.
/// </summary>
internal sealed class ThinkTagSplitter
{
    private const string Open = "<think>";
    private const string Close = "</think>";

    private State _state;
    private string _held = "";

    private enum State
    {
        Start,
        Thinking,
        After,
        Text,
    }

    public (string Reasoning, string Text) Split(string piece)
    {
        if (_state == State.Text)
        {
            return ("", piece);
        }

        var text = _held + piece;
        _held = "";
        if (_state == State.After)
        {
            return ("", Begin(text));
        }

        return _state == State.Start ? AtStart(text) : InThought(text);
    }

    /// <summary>What was held back because it might have become a tag.</summary>
    public (string Reasoning, string Text) Flush()
    {
        var held = _held;
        _held = "";
        return _state == State.Thinking ? (held, "") : ("", held);
    }

    private (string Reasoning, string Text) AtStart(string text)
    {
        var trimmed = text.TrimStart();
        if (trimmed.StartsWith(Open, StringComparison.Ordinal))
        {
            _state = State.Thinking;
            return InThought(trimmed[Open.Length..]);
        }

        if (trimmed.Length < Open.Length && Open.StartsWith(trimmed, StringComparison.Ordinal) && text.Length < 64)
        {
            _held = text;
            return ("", "");
        }

        _state = State.Text;
        return ("", text);
    }

    private (string Reasoning, string Text) InThought(string text)
    {
        var end = text.IndexOf(Close, StringComparison.Ordinal);
        if (end >= 0)
        {
            return (text[..end], Begin(text[(end + Close.Length)..]));
        }

        var keep = OverlapWithClose(text);
        _held = text[(text.Length - keep)..];
        return (text[..^keep], "");
    }

    /// <summary>The blank lines between the thought and the answer belong to neither.</summary>
    private string Begin(string text)
    {
        var answer = text.TrimStart('\r', '\n');
        _state = answer.Length > 0 ? State.Text : State.After;
        return answer;
    }

    private static int OverlapWithClose(string text)
    {
        for (var length = Math.Min(Close.Length - 1, text.Length); length > 0; length--)
        {
            if (text.EndsWith(Close[..length], StringComparison.Ordinal))
            {
                return length;
            }
        }

        return 0;
    }
}
