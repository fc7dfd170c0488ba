using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Context;

namespace RootMas.Server.Models.OpenAi;

/// <summary>A call's arguments between their text on the wire and <see cref="FunctionCallContent"/>.</summary>
internal static class ToolArguments
{
    /// <summary>Under this key of <see cref="AIContent.AdditionalProperties"/> stands the model's text when it is not one JSON object.</summary>
    public const string RawKey = "rootmas.raw_arguments";

    public static FunctionCallContent ToCall(string callId, string name, string text)
    {
        var trimmed = text.AsSpan().Trim();
        if (trimmed.IsEmpty)
        {
            // Servers send nothing at all for tools without parameters.
            return new FunctionCallContent(callId, name, new Dictionary<string, object?>(StringComparer.Ordinal));
        }

        if (Parse(text) is { } arguments)
        {
            return new FunctionCallContent(callId, name, arguments);
        }

        return new FunctionCallContent(callId, name) { AdditionalProperties = new AdditionalPropertiesDictionary { [RawKey] = text } };
    }

    public static string ToText(FunctionCallContent call)
    {
        if (call.AdditionalProperties?.TryGetValue(RawKey, out var raw) is true && raw is string text)
        {
            return text;
        }

        return call.Arguments is { Count: > 0 } arguments
            ? JsonSerializer.Serialize(arguments, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>)))
            : "{}";
    }

    /// <summary>Null: not one JSON object, or one with a member twice (which could mean two things) or with half a surrogate pair (which nobody could write down again).</summary>
    public static Dictionary<string, object?>? Parse(string text)
    {
        try
        {
            var root = JsonElement.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (root.ValueKind != JsonValueKind.Object || !JsonText.IsUnicode(root))
            {
                return null;
            }

            var arguments = new Dictionary<string, object?>(StringComparer.Ordinal);
            foreach (var property in root.EnumerateObject())
            {
                arguments[property.Name] = property.Value;
            }

            return arguments;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }
}
