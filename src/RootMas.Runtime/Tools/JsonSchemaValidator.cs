using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Runtime.Context;

namespace RootMas.Runtime.Tools;

/// <summary>
/// Checks JSON against a JSON Schema (draft 2020-12: the subset that tools and structured output use; see <c>docs/decisions/0002-own-json-schema-validator.md</c>).
/// Schemas are compiled once and kept by their text; a value that fits costs next to no allocation.
/// </summary>
public static class JsonSchemaValidator
{
    // Schemas come from tools, agents and, later, other servers: the cache must not grow with them for ever.
    private const int MaxCached = 1_024;

    /// <summary>Of one text, in characters. A longer one is compiled for each use.</summary>
    private const int MaxCachedLength = 65_536;

    private static readonly ConcurrentDictionary<string, CompiledSchema> Cache = new(StringComparer.Ordinal);

    /// <summary>What is wrong, each with the place in words that a model can act on: <c>days: must be an integer, but is the string "3"</c>. Empty: the value fits.</summary>
    /// <exception cref="JsonSchemaException">The schema itself is unusable.</exception>
    public static IReadOnlyList<string> Validate(string schemaText, JsonElement value) => Compile(schemaText).Validate(value);

    /// <summary>Compiles a schema, or returns the one compiled before from the same text.</summary>
    /// <exception cref="JsonSchemaException">Not JSON, a malformed keyword, an unknown type, a reference that leads nowhere or only to itself, or a keyword that would silently not be checked.</exception>
    public static CompiledSchema Compile(string schemaText)
    {
        if (Cache.TryGetValue(schemaText, out var known))
        {
            return known;
        }

        var compiled = JsonSchemaCompiler.Compile(schemaText);
        if (schemaText.Length > MaxCachedLength)
        {
            return compiled;
        }

        if (Cache.Count >= MaxCached)
        {
            Cache.Clear();
        }

        return Cache.GetOrAdd(schemaText, compiled);
    }
}

/// <summary>A schema ready for use; thread-safe.</summary>
public sealed class CompiledSchema
{
    private readonly SchemaNode _root;

    internal CompiledSchema(SchemaNode root) => _root = root;

    /// <inheritdoc cref="JsonSchemaValidator.Validate"/>
    public IReadOnlyList<string> Validate(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Undefined)
        {
            return ["there is no value"];
        }

        if (!JsonText.IsUnicode(value))
        {
            return ["contains an escape (\\ud800 to \\udfff) that is no valid Unicode text"];
        }

        var validation = new SchemaValidation();
        try
        {
            _root.Check(value, validation);
            return validation.Errors;
        }
        catch (RegexMatchTimeoutException exception)
        {
            return [.. validation.Errors, $"could not be matched against the pattern {exception.Pattern} in time"];
        }
        catch (SchemaTooCostlyException)
        {
            return [.. validation.Errors, "could not be checked: the schema asks for too many comparisons, or leads too deep"];
        }
    }
}

/// <summary>A schema that cannot be used; the message says where and why.</summary>
public sealed class JsonSchemaException : Exception
{
    public JsonSchemaException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>One pass over one value: the way from the root to where we are, and what was found wrong.</summary>
internal sealed class SchemaValidation
{
    private const int MaxErrors = 20;
    private List<string>? _errors;
    private readonly List<(string? Name, int Index)> _path = [];
    private int _quiet;
    private int _steps;
    private int _depth;

    /// <summary>Alternatives within alternatives double with each level, and what goes into parts of the value goes as deep as these: a pass has bounds that no sensible schema meets.</summary>
    private const int MaxSteps = 2_000_000;

    private const int MaxDepth = 1_000;

    /// <summary>One step may compare with thousands of values, or match an expensive pattern.</summary>
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(2);

    private readonly long _began = Stopwatch.GetTimestamp();

    /// <exception cref="SchemaTooCostlyException">It is over.</exception>
    public void Begin()
    {
        if (++_steps > MaxSteps || ++_depth > MaxDepth || (_steps % 8 == 0 && Stopwatch.GetElapsedTime(_began) > MaxTime))
        {
            throw new SchemaTooCostlyException();
        }
    }

    public void End() => _depth--;

    public IReadOnlyList<string> Errors => _errors is null ? [] : _errors;

    public void Enter(string name) => _path.Add((name, 0));

    public void Enter(int index) => _path.Add((null, index));

    public void Leave() => _path.RemoveAt(_path.Count - 1);

    /// <summary>Tries a branch whose failure is no error by itself.</summary>
    public bool Try(SchemaNode node, JsonElement value)
    {
        _quiet++;
        var fits = node.Check(value, this);
        _quiet--;
        return fits;
    }

    public bool Fail(string message)
    {
        if (_quiet == 0 && (_errors ??= []).Count < MaxErrors)
        {
            _errors.Add(_path.Count == 0 ? message : $"{Path()}: {message}");
        }

        return false;
    }

    private string Path()
    {
        var text = new System.Text.StringBuilder();
        foreach (var (name, index) in _path)
        {
            _ = name is null
                ? text.Append('[').Append(index).Append(']')
                : text.Append(text.Length == 0 ? "" : ".").Append(name);
        }

        return text.ToString();
    }
}

/// <summary>A pass that went beyond its bounds.</summary>
internal sealed class SchemaTooCostlyException : Exception;

/// <summary>A compiled (sub)schema: all of its checks must hold.</summary>
internal sealed class SchemaNode
{
    public SchemaCheck[] Checks { get; set; } = [];

    public bool Check(JsonElement value, SchemaValidation validation)
    {
        var fits = true;
        validation.Begin();
        foreach (var check in Checks)
        {
            fits &= check.Check(value, validation);
            if (!fits && check is TypeCheck)
            {
                break; // further complaints about a value of the wrong type only confuse
            }
        }

        validation.End();
        return fits;
    }
}

internal abstract class SchemaCheck
{
    /// <summary>Schemas applied to the very same value; a cycle through these would never end.</summary>
    public virtual IEnumerable<SchemaNode> InPlace => [];

    public abstract bool Check(JsonElement value, SchemaValidation validation);
}
