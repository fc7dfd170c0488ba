using System.Text.Json;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Context;

/// <summary>An answer that was asked for as JSON.</summary>
public static class StructuredAnswer
{
    /// <summary>Null: the text is JSON that fits. Else what is wrong, for the model to read.</summary>
    /// <param name="schema">Null: any JSON object will do.</param>
    public static string? Error(string text, JsonElement? schema)
    {
        JsonElement value;
        try
        {
            value = JsonElement.Parse(JsonText.WithoutFence(text));
        }
        catch (JsonException e)
        {
            return $"not JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine})";
        }
        catch (ArgumentException)
        {
            return "no valid text"; // half a surrogate pair
        }

        if (schema is { } wanted)
        {
            return Misfits(value, wanted.GetRawText());
        }

        return value.ValueKind == JsonValueKind.Object ? null : "not a JSON object";
    }

    /// <summary>What the model is told that gave it.</summary>
    public static string Complaint(string error) =>
        $"Your answer does not follow the required JSON schema: {error}. Answer again with the corrected JSON only, without any other text.";

    private static string? Misfits(JsonElement value, string schema)
    {
        try
        {
            return JsonSchemaValidator.Validate(schema, value) is { Count: > 0 } misfits ? string.Join("; ", misfits.Take(5)) : null;
        }
        catch (JsonSchemaException)
        {
            // No model can be blamed for a schema that nothing can fit; its author is told by whoever reads the answer.
            return null;
        }
    }
}
