using System.Buffers;
using System.Text.RegularExpressions;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>
/// Finds data about a person by their form: addresses of mail, numbers of telephones, cards, accounts and papers, and sentences that say who somebody is. Rules, so some will be missed; the partition by owner
/// is what keeps users apart, this only keeps such data out of one more place.
/// </summary>
internal static partial class PersonalData
{
    private static readonly SearchValues<string> Words = SearchValues.Create(
        [
            "my name is", "i am called", "my address", "i live at", "i live in", "my phone", "my number is", "my password", "my pin is", "my passport", "my birthday", "date of birth", "i was born", "social security",
            "my salary", "my diagnosis", "my account number", "меня зовут", "моя фамилия", "мой адрес", "я живу", "мой телефон", "мой номер", "мой пароль", "мой пин", "паспорт", "снилс", "мой инн", "дата рождения",
            "день рождения", "я родил", "моя зарплата", "мой диагноз", "номер счёта", "номер счета", "прожива",
        ],
        StringComparison.OrdinalIgnoreCase);

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789");

    /// <summary>Of a UUID as text.</summary>
    private const int IdLength = 36;

    public static bool IsIn(ReadOnlySpan<char> text)
    {
        if (text.ContainsAny(Words))
        {
            return true;
        }

        return (text.Contains('@') && Mail().IsMatch(text)) || (text.IndexOfAny(Digits) >= 0 && Numbers(text));
    }

    /// <summary>Nine digits and more that belong together: telephones from there on, cards, accounts, papers. Thousands that are grouped by commas, times with a colon, and ids do not belong together.</summary>
    private static bool Numbers(ReadOnlySpan<char> text)
    {
        var (digits, sincePlus) = (0, false);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (IsIdAt(text, i))
            {
                (digits, sincePlus, i) = (0, false, i + IdLength - 1);
            }
            else if (char.IsAsciiDigit(c))
            {
                digits++;
                if (digits >= (sincePlus ? 7 : 9))
                {
                    return true;
                }
            }
            else if (c == '+')
            {
                (digits, sincePlus) = (0, i + 1 < text.Length && char.IsAsciiDigit(text[i + 1]));
            }
            else if (!Joins(text, i))
            {
                (digits, sincePlus) = (0, false);
            }
        }

        return false;
    }

    /// <summary>What people write between the digits of one number.</summary>
    private static bool Joins(ReadOnlySpan<char> text, int at)
    {
        var isAfterDigit = at == 0 || char.IsAsciiDigit(text[at - 1]);
        return text[at] is '.' ? isAfterDigit && at + 1 < text.Length && char.IsAsciiDigit(text[at + 1])
            : text[at] is ' ' or '-' or '(' or ')' or '\u00A0' && (isAfterDigit || text[at - 1] is ')' or '-');
    }

    /// <summary>Ids of attached documents stand in requests, and some of them are nearly all digits.</summary>
    private static bool IsIdAt(ReadOnlySpan<char> text, int at) =>
        text.Length - at >= IdLength && text[at + 8] == '-' && (at == 0 || !char.IsLetterOrDigit(text[at - 1])) && Guid.TryParseExact(text.Slice(at, IdLength), "D", out _)
        && (at + IdLength == text.Length || !char.IsLetterOrDigit(text[at + IdLength]));

    [GeneratedRegex(@"[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Mail();
}
