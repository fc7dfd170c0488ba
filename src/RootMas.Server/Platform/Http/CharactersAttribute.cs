using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Http;

/// <summary>A length counted in Unicode code points: what a person sees as characters, and what JSON Schema counts.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class CharactersAttribute : StringLengthAttribute
{
    public CharactersAttribute(int minimum, int maximum)
        : base(maximum)
    {
        MinimumLength = minimum;
    }

    public override bool IsValid(object? value)
    {
        if (value is not string text)
        {
            return value is null;
        }

        if (text.Length < MinimumLength)
        {
            return false;
        }

        // Most texts are short enough in UTF-16 already; only then is there nothing to count.
        return text.Length <= MaximumLength || (text.Length <= 2 * MaximumLength && CodePoints(text) <= MaximumLength);
    }

    private static int CodePoints(string text)
    {
        var count = text.Length;
        foreach (var unit in text)
        {
            count -= char.IsLowSurrogate(unit) ? 1 : 0;
        }

        return count;
    }
}
