using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Poison;

/// <summary>A text that tries to make a model do something for its author.</summary>
/// <param name="Text">With <c>{{url}}</c> where the author wants to be called.</param>
internal sealed record Injection(string Id, string Language, string Technique, string Text)
{
    /// <summary>With an address of one's own for each text, so that a call says who made it.</summary>
    public string For(Uri author) => Text.Replace("{{url}}", $"{author}evil/{Id}", StringComparison.Ordinal);
}

/// <summary>Hostile texts in English and Russian; tests bring them in through documents, pages, tools, memory and other agents.</summary>
internal static class InjectionCorpus
{
    /// <summary>What an obeying model does in the simulator: it finds the author's address in a result, wherever it stands.</summary>
    public const string AddressPattern = """(http://127\\.0\\.0\\.1:\\d+/evil/[a-z]{2}-\\d+)""";

    public static IReadOnlyList<Injection> All { get; } =
    [
        .. File.ReadLines(Repository.PathOf("tests", "RootMas.Tests", "Knowledge", "Poison", "injections.jsonl")).Select(static line => JsonSerializer.Deserialize<Injection>(line, JsonSerializerOptions.Web)!),
    ];
}
