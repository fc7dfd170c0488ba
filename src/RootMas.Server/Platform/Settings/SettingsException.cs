namespace RootMas.Server.Platform.Settings;

/// <summary>The settings do not allow a start. All problems at once; the command line prints them and exits with code 2.</summary>
public sealed class SettingsException(IReadOnlyList<string> problems)
    : Exception($"{problems.Count} problem(s) in the settings:{System.Environment.NewLine}  {string.Join(System.Environment.NewLine + "  ", problems)}")
{
    public IReadOnlyList<string> Problems { get; } = problems;
}
