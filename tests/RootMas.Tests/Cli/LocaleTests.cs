using System.Globalization;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>The program on machines of other locales: numbers are read, and times are written, as everywhere.</summary>
public sealed class LocaleTests
{
    [LocaleFact]
    public async Task Times_are_of_the_calendar_that_their_z_promises()
    {
        using var data = new TempFolder();
        foreach (var locale in (string[])["fa_IR.UTF-8", "ar_SA.UTF-8"])
        {
            var (code, shown, said) = await ServerProcess.RunAsync(In(locale), null, "migrate", "--data", data.Path);
            Assert.True(code == 0, said);
            Assert.All(shown.Split('\n', StringSplitOptions.RemoveEmptyEntries), static l => Assert.Matches("applied 20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}Z", l));
        }
    }

    [LocaleFact]
    public async Task A_point_in_a_number_is_one()
    {
        using var data = new TempFolder();
        foreach (var locale in (string[])["de_DE.UTF-8", "tr_TR.UTF-8", "fa_IR.UTF-8"])
        {
            var (code, _, said) = await ServerProcess.RunAsync(In(locale), null, "eval", "retrieval", "/nowhere/questions.jsonl", "--min-recall", "0.95", "--data", data.Path);
            Assert.Equal((3, "There is no file /nowhere/questions.jsonl.\n"), (code, said));
            (code, _, said) = await ServerProcess.RunAsync(In(locale), null, "top", "--interval", "0.1", "--data", data.Path);
            Assert.Equal(2, code);
            Assert.Contains("between 0.2 and 3600", said, StringComparison.Ordinal);
        }
    }

    private static ServerSettings In(string locale) => new() { Environment = new Dictionary<string, string> { ["ROOTMAS_CONFIG"] = Repository.PathOf("config"), ["LC_ALL"] = locale } };
}

/// <summary>Runs where the runtime knows locales, and is skipped by name elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LocaleFactAttribute : FactAttribute
{
    public LocaleFactAttribute() => Skip = IsKnown ? null : "the runtime knows no locales here: apt-get install libicu-dev";

    private static bool IsKnown { get; } = Look();

    private static bool Look()
    {
        try
        {
            return CultureInfo.GetCultureInfo("de-DE").NumberFormat.NumberDecimalSeparator == ",";
        }
        catch (CultureNotFoundException)
        {
            return false;
        }
    }
}
