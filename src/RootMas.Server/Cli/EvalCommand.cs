using System.CommandLine;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas eval …</c>: measures on one's own questions.</summary>
internal static class EvalCommand
{
    public static Command Create() => new("eval", "Measure on your own questions.") { EvalCache.Create() };
}
