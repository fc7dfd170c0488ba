using System.Collections.Frozen;
using RootMas.Runtime.Tools;

namespace RootMas.Server.Tools;

/// <summary>Every tool that some slice registered as a <see cref="Tool"/>. Refuses to start with two of one name or a schema that cannot be checked.</summary>
internal sealed class ToolCatalog : IToolCatalog
{
    private readonly FrozenDictionary<string, Tool> _byName;

    public ToolCatalog(IEnumerable<Tool> tools)
    {
        var byName = new Dictionary<string, Tool>(StringComparer.Ordinal);
        foreach (var tool in tools)
        {
            if (!IsName(tool.Name))
            {
                throw new InvalidOperationException($"A tool is named '{tool.Name}'; names are ^[a-z][a-z0-9_]{{0,63}}$.");
            }

            if (!byName.TryAdd(tool.Name, tool))
            {
                throw new InvalidOperationException($"Two tools are named '{tool.Name}'.");
            }

            JsonSchemaValidator.Compile(tool.Definition.Schema);
        }

        _byName = byName.ToFrozenDictionary(StringComparer.Ordinal);
        All = [.. byName.Values.OrderBy(static t => t.Name, StringComparer.Ordinal)];
    }

    public IReadOnlyCollection<Tool> All { get; }

    public Tool? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>By hand: the regular expression's engine alone would be a tenth of all methods that are compiled at start.</summary>
    private static bool IsName(string name) =>
        name.Length is > 0 and <= 64 && char.IsAsciiLetterLower(name[0]) && name.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_');
}
