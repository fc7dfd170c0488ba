using System.CommandLine;
using System.Globalization;
using System.Numerics;

namespace RootMas.Server.Cli;

/// <summary>Bounds of numbers on the command line.</summary>
internal static class NumberOption
{
    /// <summary>Refuses a number outside of these bounds. What is no number at all the parser refuses, after this; asked for the value before, it throws. So the words are read here, as it reads them.</summary>
    public static void Bound<T>(this Option option, T least, T most, string refusal)
        where T : struct, INumber<T> =>
        option.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => T.TryParse(token.Value, CultureInfo.InvariantCulture, out var number) && !(number >= least && number <= most)))
            {
                result.AddError(refusal);
            }
        });

    /// <summary>Refuses what is written as 0,5: the parser takes a comma for a mark between thousands, and that for 5.</summary>
    public static T WithoutCommas<T>(this T option)
        where T : Option
    {
        option.Validators.Add(static result =>
        {
            if (result.Tokens.FirstOrDefault(static token => token.Value.Contains(',', StringComparison.Ordinal)) is { Value: var said })
            {
                result.AddError($"{result.Option.Name} needs a number: '{said}' is none.");
            }
        });
        return option;
    }
}
