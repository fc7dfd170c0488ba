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

    public static bool IsIn(ReadOnlySpan<char> text)
    {
        if (text.ContainsAny(Words))
        {
            return true;
        }

        return (text.Contains('@') && Mail().IsMatch(text)) || (text.IndexOfAny(Digits) >= 0 && Numbers(text));
    }

    /// <summary>Nine digits and more that belong together: telephones from there on, cards, accounts, papers. Thousands that are grouped by commas, and times with a colon, do not belong together.</summary>
    private static bool Numbers(ReadOnlySpan<char> text)
    {
        var (digits, sincePlus) = (0, false);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (char.IsAsciiDigit(c))
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
            else if (c is not (' ' or '-' or '(' or ')' or '\u00A0') || (i > 0 && !char.IsAsciiDigit(text[i - 1]) && text[i - 1] is not (')' or '-')))
            {
                (digits, sincePlus) = (0, false);
            }
        }

        return false;
    }

    [GeneratedRegex(@"[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Mail();
}
