using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace RootMas.Runtime.Tools;

/// <summary>Turns a schema's text into nodes of checks, refusing whatever it would otherwise have to ignore silently.</summary>
internal sealed class JsonSchemaCompiler
{
    private const int MaxNodes = 10_000;

    /// <summary>Schemas that look at the same value one within the other, references followed. What lies within what in the text is bounded by JSON's own depth.</summary>
    private const int MaxDepth = 200;

    /// <summary>Of all places together, which are kept while it is compiled: those below a very long name have it, each of them.</summary>
    private const int MaxPlaces = 4_000_000;
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromMilliseconds(250);

    // Keywords that say something about the value but ask nothing of it.
    private static readonly HashSet<string> Annotations = new(StringComparer.Ordinal)
    {
        "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly",
        "contentEncoding", "contentMediaType", "contentSchema", "$anchor", "$vocabulary", "nullable", "strict", "discriminator",
        "then", "else", "minContains", "maxContains", // read together with their partner
    };

    private readonly JsonElement _document;
    private readonly Dictionary<string, SchemaNode> _byPointer = new(StringComparer.Ordinal);
    private readonly List<(SchemaNode Node, string Where)> _all = [];
    private readonly Queue<(SchemaNode Node, string Where, JsonElement Schema)> _referred = new();
    private int _places;

    private JsonSchemaCompiler(JsonElement document) => _document = document;

    public static CompiledSchema Compile(string schemaText)
    {
        try
        {
            using var document = JsonDocument.Parse(schemaText);
            var compiler = new JsonSchemaCompiler(document.RootElement.Clone());
            var root = compiler.At("#", compiler._document);
            while (compiler._referred.TryDequeue(out var next))
            {
                next.Node.Checks = compiler.ChecksOf(next.Where, next.Schema);
            }

            compiler.RefuseEndlessReferences();
            return new CompiledSchema(root);
        }
        catch (JsonException exception)
        {
            throw new JsonSchemaException($"The schema is not valid JSON: {exception.Message}", exception);
        }
        catch (InvalidOperationException exception)
        {
            throw new JsonSchemaException("The schema contains text that is no valid Unicode.", exception);
        }
    }

    private SchemaNode At(string where, JsonElement schema)
    {
        if (_byPointer.TryGetValue(where, out var known))
        {
            return known;
        }

        var node = Make(where);
        node.Checks = ChecksOf(where, schema);
        return node;
    }

    private SchemaNode Make(string where)
    {
        var node = _byPointer[where] = new SchemaNode();
        _all.Add((node, where));
        if (_all.Count > MaxNodes)
        {
            throw new JsonSchemaException($"The schema has more than {MaxNodes} parts.");
        }

        return (_places += where.Length) <= MaxPlaces ? node : throw new JsonSchemaException("The schema has too many parts below names that are very long.");
    }

    private SchemaCheck[] ChecksOf(string where, JsonElement schema) => schema.ValueKind switch
    {
        JsonValueKind.True => [],
        JsonValueKind.False => [NeverCheck.Instance],
        JsonValueKind.Object => Checks(where, schema),
        _ => throw new JsonSchemaException($"{where}: a schema is an object, true or false, not {SchemaText.Kind(schema)}."),
    };

    private static JsonSchemaException TooDeep() => new($"The schema is more than {MaxDepth} parts deep, references followed.");

    private SchemaCheck[] Checks(string where, JsonElement schema)
    {
        var checks = new List<SchemaCheck>();
        foreach (var property in schema.EnumerateObject())
        {
            var at = $"{where}/{Escape(property.Name)}";
            if (Keywords.TryGetValue(property.Name, out var build))
            {
                checks.Add(build(this, at, property.Value, schema));
            }
            else if (!Annotations.Contains(property.Name) && !property.Name.StartsWith("x-", StringComparison.Ordinal) && !IsPartOfObject(property.Name))
            {
                throw new JsonSchemaException($"{at}: the keyword is not supported.");
            }
        }

        if (Object(where, schema) is { } objectCheck)
        {
            checks.Add(objectCheck);
        }

        // The type first: if it is wrong, nothing else is worth saying.
        return [.. checks.OrderBy(static c => c is TypeCheck ? 0 : 1)];
    }

    private static bool IsPartOfObject(string keyword) => keyword is "properties" or "required" or "additionalProperties" or "patternProperties";

    private delegate SchemaCheck Build(JsonSchemaCompiler compiler, string at, JsonElement value, JsonElement schema);

    private static readonly Dictionary<string, Build> Keywords = new(StringComparer.Ordinal)
    {
        ["type"] = static (_, at, value, _) => new TypeCheck(Types(at, value)),
        ["enum"] = static (_, at, value, _) => new EnumCheck(value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0 ? [.. value.EnumerateArray()] : throw Bad(at, "a list with at least one value")),
        ["const"] = static (_, _, value, _) => new EnumCheck([value]),
        ["minimum"] = static (_, at, value, _) => new BoundCheck(Number(at, value), Lower: true, Exclusive: false),
        ["maximum"] = static (_, at, value, _) => new BoundCheck(Number(at, value), Lower: false, Exclusive: false),
        ["exclusiveMinimum"] = static (_, at, value, _) => new BoundCheck(Number(at, value), Lower: true, Exclusive: true),
        ["exclusiveMaximum"] = static (_, at, value, _) => new BoundCheck(Number(at, value), Lower: false, Exclusive: true),
        ["multipleOf"] = static (_, at, value, _) => new MultipleCheck(Number(at, value) is > 0 and var step ? step : throw Bad(at, "a number above zero")),
        ["minLength"] = static (_, at, value, _) => new LengthCheck(Count(at, value), int.MaxValue),
        ["maxLength"] = static (_, at, value, _) => new LengthCheck(0, Count(at, value)),
        ["pattern"] = static (_, at, value, _) => new PatternCheck(Pattern(at, Text(at, value)), Text(at, value)),
        ["format"] = static (_, at, value, _) => new FormatCheck(Text(at, value)),
        ["minItems"] = static (_, at, value, _) => new ItemCountCheck(Count(at, value), int.MaxValue),
        ["maxItems"] = static (_, at, value, _) => new ItemCountCheck(0, Count(at, value)),
        ["uniqueItems"] = static (_, at, value, _) => new UniqueCheck(value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Bad(at, "true or false")),
        ["minProperties"] = static (_, at, value, _) => new PropertyCountCheck(Count(at, value), int.MaxValue),
        ["maxProperties"] = static (_, at, value, _) => new PropertyCountCheck(0, Count(at, value)),
        ["$ref"] = static (compiler, at, value, _) => new AllCheck([compiler.Reference(at, value)]),
        ["allOf"] = static (compiler, at, value, _) => new AllCheck(compiler.List(at, value)),
        ["anyOf"] = static (compiler, at, value, _) => new AnyCheck(compiler.List(at, value)),
        ["oneOf"] = static (compiler, at, value, _) => new OneCheck(compiler.List(at, value)),
        ["not"] = static (compiler, at, value, _) => new NotCheck(compiler.At(at, value)),
        ["if"] = static (compiler, at, value, schema) => new IfCheck(compiler.At(at, value), compiler.Partner(at, schema, "then"), compiler.Partner(at, schema, "else")),
        ["prefixItems"] = static (compiler, at, value, schema) => new ItemsCheck(compiler.List(at, value), compiler.Partner(at, schema, "items")),
        ["items"] = static (compiler, at, value, schema) => schema.TryGetProperty("prefixItems", out _) ? new AllCheck([]) : new ItemsCheck([], compiler.At(at, value)),
        ["contains"] = static (compiler, at, value, schema) => new ContainsCheck(compiler.At(at, value), Limit(at, schema, "minContains", 1), Limit(at, schema, "maxContains", int.MaxValue)),
        ["propertyNames"] = static (compiler, at, value, _) => new NamesCheck(compiler.At(at, value)),
        ["dependentRequired"] = static (_, at, value, _) => new DependentCheck(Members(at, value).Select(p => (p.Name, Names(at, p.Value))).ToArray()),
    };

    private ObjectCheck? Object(string where, JsonElement schema)
    {
        var hasProperties = schema.TryGetProperty("properties", out var properties);
        var hasRequired = schema.TryGetProperty("required", out var required);
        var hasPatterns = schema.TryGetProperty("patternProperties", out var patterns);
        var hasOther = schema.TryGetProperty("additionalProperties", out var other);
        if (!hasProperties && !hasRequired && !hasPatterns && !hasOther)
        {
            return null;
        }

        var at = $"{where}/properties";
        var known = hasProperties
            ? Members(at, properties).Select(p => new KnownProperty(p.Name, Encoding.UTF8.GetBytes(p.Name), At($"{at}/{Escape(p.Name)}", p.Value))).ToArray()
            : [];
        var byPattern = hasPatterns
            ? Members($"{where}/patternProperties", patterns).Select(p => (Pattern($"{where}/patternProperties", p.Name), At($"{where}/patternProperties/{Escape(p.Name)}", p.Value))).ToArray()
            : [];
        return new ObjectCheck(known, hasRequired ? Names($"{where}/required", required) : [], byPattern,
            hasOther ? At($"{where}/additionalProperties", other) : null, hasOther && other.ValueKind == JsonValueKind.False);
    }

    private SchemaNode? Partner(string at, JsonElement schema, string keyword) =>
        schema.TryGetProperty(keyword, out var value) ? At($"{at[..at.LastIndexOf('/')]}/{keyword}", value) : null;

    private static int Limit(string at, JsonElement schema, string keyword, int otherwise) =>
        schema.TryGetProperty(keyword, out var value) ? Count($"{at[..at.LastIndexOf('/')]}/{keyword}", value) : otherwise;

    private SchemaNode Reference(string at, JsonElement value)
    {
        var target = Text(at, value);
        if (target is not "#" && !target.StartsWith("#/", StringComparison.Ordinal))
        {
            throw new JsonSchemaException($"{at}: only references within the schema (#/…) are supported, not \"{target}\".");
        }

        var found = _document;
        var pointer = "#";
        foreach (var part in target.Split('/').Skip(1).Select(static p => Uri.UnescapeDataString(p).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)))
        {
            pointer += $"/{Escape(part)}";
            found = found.ValueKind switch
            {
                JsonValueKind.Object when found.TryGetProperty(part, out var member) => member,
                JsonValueKind.Array when int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index >= 0 && index < found.GetArrayLength() => found[index],
                _ => throw new JsonSchemaException($"{at}: \"{target}\" leads nowhere."),
            };
        }

        if (_byPointer.TryGetValue(pointer, out var known))
        {
            return known;
        }

        // Compiled when it is its turn: a chain of references is no recursion.
        var node = Make(pointer);
        _referred.Enqueue((node, pointer, found));
        return node;
    }

    private SchemaNode[] List(string at, JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0
            ? value.EnumerateArray().Select((schema, i) => At($"{at}/{i}", schema)).ToArray()
            : throw Bad(at, "a list with at least one schema");

    private void RefuseEndlessReferences()
    {
        var state = new Dictionary<SchemaNode, int?>(); // null: on the way; else how many follow one another from here on
        foreach (var (node, where) in _all)
        {
            Visit(node, where, state, 0);
        }
    }

    private static int Visit(SchemaNode node, string where, Dictionary<SchemaNode, int?> state, int above)
    {
        if (state.TryGetValue(node, out var known))
        {
            return known ?? throw new JsonSchemaException($"{where}: the references go round in a circle.");
        }

        if (above > MaxDepth)
        {
            throw TooDeep();
        }

        state[node] = null;
        var below = 0;
        foreach (var next in node.Checks.SelectMany(static c => c.InPlace))
        {
            below = Math.Max(below, Visit(next, where, state, above + 1));
        }

        state[node] = below + 1;
        return below < MaxDepth ? below + 1 : throw TooDeep();
    }

    private static JsonTypes Types(string at, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => SchemaText.ParseType(Text(at, value)) ?? throw Bad(at, "one of object, array, string, number, integer, boolean, null"),
        JsonValueKind.Array when value.GetArrayLength() > 0 => value.EnumerateArray().Aggregate(JsonTypes.None, (all, one) => all | (one.ValueKind == JsonValueKind.String ? Types(at, one) : throw Bad(at, "type names"))),
        _ => throw Bad(at, "a type name or a list of them"),
    };

    private static decimal Number(string at, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number) ? number : throw Bad(at, "a number of ordinary size");

    private static int Count(string at, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number) && number >= 0 && number <= int.MaxValue && number == decimal.Truncate(number)
            ? (int)number
            : throw Bad(at, "a whole number that is not negative");

    private static JsonElement.ObjectEnumerator Members(string at, JsonElement value) =>
        value.ValueKind == JsonValueKind.Object ? value.EnumerateObject() : throw Bad(at, "an object");

    private static string[] Names(string at, JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(static e => e.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(static e => e.GetString()!)]
            : throw Bad(at, "a list of names");

    private static string Text(string at, JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Bad(at, "text");

    private static Regex Pattern(string at, string pattern)
    {
        var translated = SchemaText.FromEcmaScript(pattern);
        try
        {
            try
            {
                return new Regex(translated, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, PatternTimeout);
            }
            catch (NotSupportedException)
            {
                return new Regex(translated, RegexOptions.CultureInvariant, PatternTimeout); // look-around and back references; the timeout bounds them
            }
        }
        catch (ArgumentException exception)
        {
            throw new JsonSchemaException($"{at}: \"{pattern}\" is no usable regular expression.", exception);
        }
    }

    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private static JsonSchemaException Bad(string at, string expected) => new($"{at}: must be {expected}.");
}
