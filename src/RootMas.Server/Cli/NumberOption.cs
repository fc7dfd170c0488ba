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
            if (result.Tokens.Any(token => T.TryParse(token.Value, CultureInfo.CurrentCulture, out var number) && !(number >= least && number <= most)))
            {
                result.AddError(refusal);
            }
        });
}
