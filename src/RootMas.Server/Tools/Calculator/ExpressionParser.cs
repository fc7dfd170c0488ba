using System.Globalization;
using System.Text;

namespace RootMas.Server.Tools.Calculator;

/// <param name="Exact">False once something was rounded.</param>
/// <param name="IsPercent">Just "n %": beside + and − it means that part of the left side, as on a pocket calculator.</param>
internal readonly record struct Quantity(Rational Value, bool Exact = true, bool IsPercent = false);

/// <summary>
/// Reads an arithmetic expression and computes it on the way: a recursive descent over a handful of rules, no code is evaluated.
/// sum := product (("+"|"−") product)*; product := unary (("*"|"/"|"%") unary)*; unary := "−" unary | power; power := postfix ("^" unary)?; postfix := primary "%"*.
/// </summary>
internal sealed class ExpressionParser
{
    private const int MaxDepth = 64;
    private static readonly Rational Hundred = Rational.Of(100);

    private readonly string _text;
    private readonly CancellationToken _cancellationToken;
    private int _at;
    private int _depth;
    private bool _commaSeparates;

    private ExpressionParser(string text, CancellationToken cancellationToken) => (_text, _cancellationToken) = (text, cancellationToken);

    /// <exception cref="CalculatorException">What is wrong, and where.</exception>
    public static Quantity Evaluate(string expression, CancellationToken cancellationToken)
    {
        var parser = new ExpressionParser(Normalise(expression), cancellationToken);
        var result = parser.Sum();
        return parser.Peek() == '\0' ? result : throw parser.Unexpected();
    }

    // Typographic signs and every kind of space, so that a number copied from a page is read as it is meant.
    private static string Normalise(string expression)
    {
        var text = new StringBuilder(expression.Length);
        foreach (var c in expression.Replace("**", "^", StringComparison.Ordinal))
        {
            text.Append(c switch
            {
                '−' or '–' or '—' => '-',
                '×' or '·' or '∙' or '⋅' => '*',
                '÷' => '/',
                '’' or '_' => '\'',
                _ when char.IsWhiteSpace(c) => ' ',
                _ => c,
            });
        }

        return text.ToString().TrimEnd(' ', '=');
    }

    private Quantity Sum()
    {
        var left = Product();
        while (Peek() is '+' or '-' && Next() is var sign)
        {
            var right = Product();
            // 200 + 10 % is 220; 10 % + 5 % is 15 %.
            var value = right.IsPercent && !left.IsPercent ? left.Value * right.Value : right.Value;
            left = new Quantity(sign == '+' ? left.Value + value : left.Value - value, left.Exact && right.Exact, left.IsPercent && right.IsPercent);
        }

        return left;
    }

    private Quantity Product()
    {
        var left = Unary();
        while (Peek() is '*' or '/' or '%' && Next() is var sign)
        {
            var right = Unary();
            var value = sign switch
            {
                '*' => left.Value * right.Value,
                '/' => left.Value / right.Value,
                _ => left.Value % right.Value,
            };
            left = new Quantity(value, left.Exact && right.Exact);
        }

        return left;
    }

    private Quantity Unary()
    {
        _cancellationToken.ThrowIfCancellationRequested();
        if (++_depth > MaxDepth)
        {
            throw new CalculatorException($"The expression is nested more than {MaxDepth} levels deep.");
        }

        var result = Peek() switch
        {
            '-' when Next() == '-' => Negate(Unary()),
            '+' when Next() == '+' => Unary(),
            _ => Power(),
        };
        _depth--;
        return result;
    }

    private static Quantity Negate(Quantity quantity) => quantity with { Value = -quantity.Value };

    private Quantity Power()
    {
        var left = Postfix();
        if (Peek() != '^')
        {
            return left;
        }

        Next();
        var exponent = Unary();
        return new Quantity(left.Value.Power(exponent.Value), left.Exact && exponent.Exact);
    }

    private Quantity Postfix()
    {
        var value = Primary();
        while (Peek() == '%' && !StartsOperand(_at + 1))
        {
            Next();
            RefuseSign();
            value = new Quantity(value.Value / Hundred, value.Exact, IsPercent: true);
        }

        return value;
    }

    // "7 % -3" may mean the remainder, or 7 % less 3: only a sign that stands apart is surely one between two parts.
    private void RefuseSign()
    {
        if (Peek() == '-' && _at + 1 < _text.Length && _text[_at + 1] != ' ' && StartsOperand(_at + 1))
        {
            throw new CalculatorException($"The minus at position {_at + 1} is ambiguous behind %: for a remainder put what follows into parentheses, as in 7 % (-3); for per cent put a space behind the minus, as in 7% - 3.");
        }
    }

    // "7 % 3" is a remainder, "7 %" and "7 % + 3" are per cent.
    private bool StartsOperand(int at)
    {
        while (at < _text.Length && _text[at] == ' ')
        {
            at++;
        }

        return at < _text.Length && (char.IsAsciiDigit(_text[at]) || char.IsLetter(_text[at]) || _text[at] is '(' or '.');
    }

    private Quantity Primary()
    {
        var c = Peek();
        if (c == '(')
        {
            Next();
            var outer = _commaSeparates;
            _commaSeparates = false;
            var inside = Sum();
            _commaSeparates = outer;
            Expect(')');
            return inside with { IsPercent = false };
        }

        return char.IsAsciiDigit(c) || c == '.' ? Number()
            : char.IsLetter(c) ? Function()
            : throw Unexpected();
    }

    private Quantity Function()
    {
        var start = _at;
        while (_at < _text.Length && char.IsLetterOrDigit(_text[_at]))
        {
            _at++;
        }

        var name = _text[start.._at].ToLowerInvariant();
        if (!Functions.IsKnown(name))
        {
            throw new CalculatorException($"\"{_text[start.._at]}\" is not known. There are numbers, + - * / % ^ ( ), and the functions {Functions.Names}.");
        }

        Expect('(');
        var outer = _commaSeparates;
        _commaSeparates = !HasSemicolonBeforeEnd();
        List<Quantity> arguments = [Sum()];
        while (Peek() == (_commaSeparates ? ',' : ';'))
        {
            Next();
            arguments.Add(Sum());
        }

        _commaSeparates = outer;
        Expect(')');
        return Functions.Call(name, arguments);
    }

    // "sum(1,5; 2,5)": where a semicolon separates, a comma is decimal.
    private bool HasSemicolonBeforeEnd()
    {
        var depth = 0;
        for (var i = _at; i < _text.Length && depth >= 0; i++)
        {
            if (_text[i] == ';' && depth == 0)
            {
                return true;
            }

            depth += _text[i] switch { '(' => 1, ')' => -1, _ => 0 };
        }

        return false;
    }

    private Quantity Number()
    {
        var digits = new StringBuilder();
        var grouped = false;
        for (; _at < _text.Length; _at++)
        {
            if (IsDigitOrMark(digits))
            {
                digits.Append(_text[_at]);
            }
            else if (IsGroupSeparator(digits))
            {
                grouped = true;
            }
            else
            {
                break;
            }
        }

        if (digits.Length == 0)
        {
            throw Unexpected();
        }

        var (whole, fraction) = NumberText.Split(digits.ToString(), grouped);
        return new Quantity(Rational.Parse(whole, fraction, Exponent()));
    }

    private bool IsDigitOrMark(StringBuilder before) => _text[_at] switch
    {
        '.' => IsDigit(_at + 1),
        ',' => IsDigit(_at + 1) && IsPartOfNumber(before),
        var c => char.IsAsciiDigit(c),
    };

    private bool IsGroupSeparator(StringBuilder before) =>
        _text[_at] is ' ' or '\'' && before.Length > 0 && !before.ToString().AsSpan().ContainsAny('.', ',') && IsGroup(_at + 1);

    private bool IsPartOfNumber(StringBuilder before)
    {
        if (!_commaSeparates)
        {
            return true;
        }

        // In max(1,200) the comma separates; whoever means one thousand two hundred must not be misread.
        return before.Length is >= 1 and <= 3 && IsGroup(_at + 1)
            ? throw new CalculatorException($"\"{before},{_text.Substring(_at + 1, 3)}\" is ambiguous here: put a space after a comma that separates arguments, and write numbers without thousands separators.")
            : false;
    }

    private int Exponent()
    {
        if (_at >= _text.Length || _text[_at] is not ('e' or 'E'))
        {
            return 0;
        }

        var end = _at + 1;
        end += end < _text.Length && _text[end] is '+' or '-' ? 1 : 0;
        while (IsDigit(end))
        {
            end++;
        }

        if (!int.TryParse(_text.AsSpan(_at + 1, end - _at - 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent) || Math.Abs(exponent) > 4_000)
        {
            throw new CalculatorException("The power of ten after e must be a whole number between -4000 and 4000.");
        }

        _at = end;
        return exponent;
    }

    private bool IsDigit(int at) => at < _text.Length && char.IsAsciiDigit(_text[at]);

    private bool IsGroup(int at) => IsDigit(at) && IsDigit(at + 1) && IsDigit(at + 2) && !IsDigit(at + 3);

    private char Peek()
    {
        while (_at < _text.Length && _text[_at] == ' ')
        {
            _at++;
        }

        return _at < _text.Length ? _text[_at] : '\0';
    }

    private char Next() => _text[_at++];

    private void Expect(char c)
    {
        if (Peek() != c)
        {
            throw new CalculatorException(_at < _text.Length ? $"Expected \"{c}\" at position {_at + 1}, but there is \"{_text[_at]}\"." : $"The expression ends where \"{c}\" is expected.");
        }

        _at++;
    }

    private CalculatorException Unexpected() => new(_at >= _text.Length
        ? "The expression ends where a number is expected."
        : $"\"{_text[_at]}\" at position {_at + 1} does not belong there. There are numbers, + - * / % ^ ( ), and the functions {Functions.Names}.");
}
