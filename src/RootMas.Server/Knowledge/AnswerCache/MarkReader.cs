using System.Buffers;
using System.Globalization;
using System.Text;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Goes through a question word by word, and writes the marks of what it meets. What a sign means depends on its neighbours: a lone "-" is a minus between numbers and a dash elsewhere, and "$ 100" is "100 $".</summary>
internal sealed class MarkReader(StringBuilder marks)
{
    private const string Around = "\"'«»“”‘’[]…,;:!?.";
    private const string WithParentheses = Around + "()";

    private static readonly SearchValues<char> Arithmetic = SearchValues.Create("+×÷*=^√−");

    private readonly StringBuilder _words = new(" ");
    private SpelledNumber _spelled;

    // A sign of currency that may belong to the number after it.
    private string? _currency;

    // What may be a sign of arithmetic, if an operand comes.
    private char? _between;

    private bool _afterNumber;
    private bool _afterOperand;
    private bool _isArithmetic;
    private bool _isRussian;

    public QuestionMarks Read(string text)
    {
        _isArithmetic = text.AsSpan().ContainsAny(Arithmetic) || text.Contains(" - ", StringComparison.Ordinal);
        _isRussian = text.AsSpan().ContainsAnyInRange('А', 'я');
        var isStart = true;
        foreach (var range in text.AsSpan().SplitAny(" \t\r\n\u00A0\u202F\u2009"))
        {
            var raw = text.AsSpan()[range];
            if (raw.Length == 0)
            {
                continue;
            }

            if (raw is ['-' or '–' or '—' or '−' or ':'])
            {
                End();
                _between = _afterOperand ? raw[0] == ':' ? ':' : '-' : null;
            }
            else
            {
                Word(raw, isStart);
            }

            isStart = raw[^1] is '.' or '!' or '?' or ':';
            if (char.IsPunctuation(raw[^1]))
            {
                End(); // "two, three"
            }
        }

        End();
        Keep();
        return new QuestionMarks(marks.ToString(), _words.ToString());
    }

    private void Word(ReadOnlySpan<char> raw, bool isStart)
    {
        // Which numbers stand in parentheses matters where one calculates.
        var hasNumber = HasNumber(raw);
        var word = raw.Trim(_isArithmetic && hasNumber ? Around : WithParentheses).ToString();
        if (word.Length == 0)
        {
            return;
        }

        word = raw is ['.' or ',', >= '0' and <= '9', ..] ? "0." + word : word;
        Decide(hasNumber || word.Length == 1 || raw[0] == '(' || NumberWords.Of(word.ToLowerInvariant()) is not null);
        if (!IsSpelled(word.ToLowerInvariant()))
        {
            NoSpelled(word, hasNumber, isStart);
        }
        else
        {
            Keep();
            _afterNumber = true;
        }

        _afterOperand = _afterNumber || word.Length == 1 || raw[^1] == ')';
        if (char.IsLower(word[0]))
        {
            _words.Append(word).Append(' ');
        }
    }

    private void NoSpelled(string word, bool hasNumber, bool isStart)
    {
        if (hasNumber)
        {
            Number(word);
            _afterNumber = true;
            return;
        }

        Keep();
        if (!_afterNumber && word.Length == 1 && WrittenNumber.IsUnit(word[0]))
        {
            _currency = word;
        }
        else if (_afterNumber && word is "may")
        {
            MeaningMarks.Mark("May", isStart: false, marks); // "5 may"
        }
        else
        {
            MeaningMarks.Mark(word, isStart, marks);
        }

        _afterNumber = false;
    }

    private void Number(string word)
    {
        var lower = word.ToLowerInvariant();
        if (WrittenNumber.Of(lower, _isRussian) is not { } number)
        {
            Keep();
            MeaningMarks.Add(marks, '#', lower.Replace('−', '-'));
            return;
        }

        MeaningMarks.Add(marks, '#', number.Value);
        foreach (var unit in number.Units)
        {
            MeaningMarks.Add(marks, '`', unit.ToString());
        }

        Keep();
    }

    /// <summary>Whether what stood between was a sign of arithmetic: now the next word is known.</summary>
    private void Decide(bool isOperand)
    {
        if (_between is { } sign && isOperand)
        {
            MeaningMarks.Add(marks, '`', sign.ToString());
        }

        _between = null;
    }

    /// <summary>Writes the sign of currency that was held back.</summary>
    private void Keep()
    {
        if (_currency is not null)
        {
            MeaningMarks.Add(marks, '`', _currency);
            _currency = null;
        }
    }

    /// <summary>Whether the word is one of a spelled number. Any other ends the number before it.</summary>
    private bool IsSpelled(string lower)
    {
        if (lower == "and" && _spelled.MayPause)
        {
            return true;
        }

        if (NumberWords.Of(lower) is not { } values)
        {
            End();
            return false;
        }

        foreach (var value in values)
        {
            if (!_spelled.TryAdd(value))
            {
                End();
                _spelled.TryAdd(value);
            }
        }

        return true;
    }

    private void End()
    {
        if (_spelled.IsOpen)
        {
            MeaningMarks.Add(marks, '#', _spelled.Value.ToString(CultureInfo.InvariantCulture));
            _spelled = default;
        }
    }

    private static bool HasNumber(ReadOnlySpan<char> word)
    {
        foreach (var c in word)
        {
            if (char.IsNumber(c))
            {
                return true;
            }
        }

        return false;
    }
}
