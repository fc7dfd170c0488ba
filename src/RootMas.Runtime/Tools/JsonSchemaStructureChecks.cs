using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace RootMas.Runtime.Tools;

internal sealed record KnownProperty(string Name, byte[] Utf8, SchemaNode Node);

internal sealed class ObjectCheck(KnownProperty[] known, string[] required, (Regex Pattern, SchemaNode Node)[] patterns, SchemaNode? other, bool closed) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            return true;
        }

        var fits = true;
        foreach (var name in required)
        {
            fits &= value.TryGetProperty(name, out _) || validation.Fail($"the required property \"{name}\" is missing");
        }

        var seen = 0UL;
        foreach (var property in value.EnumerateObject())
        {
            var index = IndexOf(property);
            if (index is >= 0 and < 64)
            {
                fits &= (seen & (1UL << index)) == 0 || validation.Fail($"the property \"{known[index].Name}\" is there twice");
                seen |= 1UL << index;
            }

            fits &= CheckProperty(property, index, validation);
        }

        return fits;
    }

    private int IndexOf(JsonProperty property)
    {
        for (var i = 0; i < known.Length; i++)
        {
            if (property.NameEquals(known[i].Utf8))
            {
                return i;
            }
        }

        return -1;
    }

    private bool CheckProperty(JsonProperty property, int index, SchemaValidation validation)
    {
        var fits = true;
        if (index >= 0)
        {
            fits = Inside(known[index].Name, known[index].Node, property.Value, validation);
        }

        var matched = index >= 0;
        foreach (var (pattern, node) in patterns)
        {
            if (pattern.IsMatch(property.Name))
            {
                matched = true;
                fits &= Inside(property.Name, node, property.Value, validation);
            }
        }

        if (matched || other is null)
        {
            return fits;
        }

        return closed
            ? validation.Fail(known.Length == 0 ? $"the property \"{property.Name}\" is not allowed" : $"the property \"{property.Name}\" is unknown; allowed are {string.Join(", ", known.Take(40).Select(static k => k.Name))}")
            : Inside(property.Name, other, property.Value, validation) && fits;
    }

    private static bool Inside(string name, SchemaNode node, JsonElement value, SchemaValidation validation)
    {
        validation.Enter(name);
        var fits = node.Check(value, validation);
        validation.Leave();
        return fits;
    }
}

internal sealed class PropertyCountCheck(int min, int max) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            return true;
        }

        var count = value.GetPropertyCount();
        return count < min ? validation.Fail($"must have at least {min} properties, but has {count}") : count <= max || validation.Fail($"must have at most {max} properties, but has {count}");
    }
}

internal sealed class NamesCheck(SchemaNode node) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            return true;
        }

        var fits = true;
        foreach (var property in value.EnumerateObject())
        {
            using var name = JsonDocument.Parse(CanonicalJson.Text(property.Name));
            fits &= validation.Try(node, name.RootElement) || validation.Fail($"the property name \"{property.Name}\" is not allowed");
        }

        return fits;
    }
}

internal sealed class DependentCheck((string Name, string[] Needs)[] rules) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            return true;
        }

        var fits = true;
        foreach (var (name, needs) in rules.Where(r => value.TryGetProperty(r.Name, out _)))
        {
            foreach (var needed in needs)
            {
                fits &= value.TryGetProperty(needed, out _) || validation.Fail($"the property \"{needed}\" is required beside \"{name}\"");
            }
        }

        return fits;
    }
}

internal sealed class ItemsCheck(SchemaNode[] first, SchemaNode? rest) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            return true;
        }

        var fits = true;
        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            var node = index < first.Length ? first[index] : rest;
            if (node is not null)
            {
                validation.Enter(index);
                fits &= node.Check(item, validation);
                validation.Leave();
            }

            index++;
        }

        return fits;
    }
}

internal sealed class ItemCountCheck(int min, int max) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            return true;
        }

        var count = value.GetArrayLength();
        return count < min ? validation.Fail($"must have at least {min} items, but has {count}") : count <= max || validation.Fail($"must have at most {max} items, but has {count}");
    }
}

internal sealed class UniqueCheck(bool required) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (!required || value.ValueKind != JsonValueKind.Array || value.GetArrayLength() < 2)
        {
            return true;
        }

        var seen = new HashSet<string>(StringComparer.Ordinal);
        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            if (!seen.Add(CanonicalJson.Fingerprint(item)))
            {
                return validation.Fail($"must not contain the same item twice, but item {index} repeats an earlier one");
            }

            index++;
        }

        return true;
    }
}

internal sealed class ContainsCheck(SchemaNode node, int min, int max) : SchemaCheck
{
    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            return true;
        }

        var count = value.EnumerateArray().Count(item => validation.Try(node, item));
        return count < min ? validation.Fail($"must contain at least {min} fitting items, but contains {count}") : count <= max || validation.Fail($"must contain at most {max} fitting items, but contains {count}");
    }
}

internal sealed class AllCheck(SchemaNode[] nodes) : SchemaCheck
{
    public override IEnumerable<SchemaNode> InPlace => nodes;

    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        var fits = true;
        foreach (var node in nodes)
        {
            fits &= node.Check(value, validation);
        }

        return fits;
    }
}

internal sealed class AnyCheck(SchemaNode[] nodes) : SchemaCheck
{
    public override IEnumerable<SchemaNode> InPlace => nodes;

    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        foreach (var node in nodes)
        {
            if (validation.Try(node, value))
            {
                return true;
            }
        }

        return Alternatives.Explain(nodes, value, validation);
    }
}

internal sealed class OneCheck(SchemaNode[] nodes) : SchemaCheck
{
    public override IEnumerable<SchemaNode> InPlace => nodes;

    public override bool Check(JsonElement value, SchemaValidation validation)
    {
        var count = 0;
        foreach (var node in nodes)
        {
            count += validation.Try(node, value) ? 1 : 0;
        }

        return count switch
        {
            1 => true,
            0 => Alternatives.Explain(nodes, value, validation),
            _ => validation.Fail($"must fit exactly one of {nodes.Length} alternatives, but fits {count}"),
        };
    }
}

internal static class Alternatives
{
    /// <summary>If only one alternative is for values of this type, its complaints are the useful ones.</summary>
    public static bool Explain(SchemaNode[] nodes, JsonElement value, SchemaValidation validation)
    {
        var sameType = nodes.Where(node => node.Checks.OfType<TypeCheck>().All(type => type.Check(value, Silent()))).ToArray();
        if (sameType.Length == 1)
        {
            sameType[0].Check(value, validation);
            return false;
        }

        var types = nodes.SelectMany(static n => n.Checks.OfType<TypeCheck>()).Aggregate(JsonTypes.None, static (all, check) => all | check.Types);
        return validation.Fail(sameType.Length == 0 && types != JsonTypes.None
            ? $"must be {SchemaText.Describe(types)}, but is {SchemaText.Show(value)}"
            : $"fits none of {nodes.Length} alternatives");
    }

    private static SchemaValidation Silent() => new();
}

internal sealed class NotCheck(SchemaNode node) : SchemaCheck
{
    public override IEnumerable<SchemaNode> InPlace => [node];

    public override bool Check(JsonElement value, SchemaValidation validation) =>
        !validation.Try(node, value) || validation.Fail($"is {SchemaText.Show(value)}, which is ruled out here");
}

internal sealed class IfCheck(SchemaNode condition, SchemaNode? then, SchemaNode? otherwise) : SchemaCheck
{
    public override IEnumerable<SchemaNode> InPlace => new[] { condition, then, otherwise }.OfType<SchemaNode>();

    public override bool Check(JsonElement value, SchemaValidation validation) =>
        (validation.Try(condition, value) ? then : otherwise)?.Check(value, validation) ?? true;
}
