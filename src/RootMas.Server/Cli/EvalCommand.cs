using System.CommandLine;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas eval …</c>: measures on one's own questions.</summary>
internal static class EvalCommand
{
    public static Command Create() => new("eval", "Measure search and cache on your own questions.") { EvalRetrieval.Create(), EvalCache.Create() };
}
