using System.Reflection;

namespace RootMas.Server.Platform;

/// <summary>The version of this program, as answers, logs and the database name it.</summary>
public static class ProgramVersion
{
    public const string Name = "Root-MAS";

    /// <summary>For example <c>0.1.0</c>; without the build's suffix.</summary>
    public static string Text { get; } = Of(typeof(ProgramVersion).Assembly);

    private static string Of(Assembly assembly)
    {
        var version = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";
        var plus = version.IndexOf('+', StringComparison.Ordinal);
        return plus < 0 ? version : version[..plus];
    }
}
