namespace RootMas.Server.Cli;

/// <summary>What somebody named, as one segment of a path. Without a name, or with a dot for one, the path would be that of something else: of the list, or of what is above.</summary>
internal static class Segment
{
    /// <param name="name">As it was given; null: it was not.</param>
    /// <param name="what">What it is the name of.</param>
    /// <exception cref="CliException">It names nothing.</exception>
    public static string Of(string? name, string what) => name is not null && name.Trim() is not ("" or "." or "..")
        ? Uri.EscapeDataString(name)
        : throw new CliException(ExitCodes.Usage, $"Name the {what}: '{name}' is no name. Nothing was done.");
}
