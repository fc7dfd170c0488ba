using System.Text;

namespace RootMas.Server.Platform.Text;

/// <summary>Unicode's normal forms (UAX #15) of text from outside, which may hold what has none.</summary>
internal static class NormalForm
{
    /// <summary>The text in <paramref name="form"/>, with U+FFFD for halves of surrogate pairs and for U+FFFE, which <see cref="string.Normalize(NormalizationForm)"/> refuses.</summary>
    public static string Of(string text, NormalizationForm form)
    {
        ArgumentNullException.ThrowIfNull(text);
        return (IsRefused(text) ? Replaced(text) : text).Normalize(form);
    }

    private static bool IsRefused(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\uFFFE' || (char.IsSurrogate(text[i]) && !(i + 1 < text.Length && char.IsSurrogatePair(text[i], text[++i]))))
            {
                return true;
            }
        }

        return false;
    }

    private static string Replaced(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes()) // a half comes as U+FFFD
        {
            result.Append(rune.Value == 0xFFFE ? Rune.ReplacementChar : rune);
        }

        return result.ToString();
    }
}
