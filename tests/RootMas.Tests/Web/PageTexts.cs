using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Web;

/// <summary>What the app says in one of its languages, by the names of its texts.</summary>
internal sealed class PageTexts(string language)
{
    private readonly JsonElement _texts = JsonElement.Parse(File.ReadAllText(Repository.PathOf("web", "src", "i18n", language + ".json")));

    /// <summary>The first parts of the names: what a text is not there for is shown by its name.</summary>
    public static string[] Names { get; } = [.. JsonElement.Parse(File.ReadAllText(Repository.PathOf("web", "src", "i18n", "en.json"))).EnumerateObject().Select(static part => part.Name)];

    /// <param name="name">Such as <c>chat.stop</c>.</param>
    /// <param name="values">What stands in the text's places, in their order.</param>
    public string this[string name, params string[] values]
    {
        get
        {
            var text = name.Split('.').Aggregate(_texts, static (texts, part) => texts.GetProperty(part)).GetString()!;
            return values.Aggregate(text, static (filled, value) => filled[..filled.IndexOf("{{", StringComparison.Ordinal)] + value + filled[(filled.IndexOf("}}", StringComparison.Ordinal) + 2)..]);
        }
    }
}
