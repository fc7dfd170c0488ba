using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Web;

/// <summary>What the app says in one of its languages, by the names of its texts.</summary>
internal sealed class PageTexts(string language)
{
    private readonly JsonElement _texts = JsonElement.Parse(File.ReadAllText(Repository.PathOf("web", "src", "i18n", language + ".json")));

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
