using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Context;
using RootMas.Runtime.Tools;

namespace RootMas.Server.Models.Pipeline;

/// <summary>What is measurably wrong with an answer. <see cref="IsUsable"/>: if no better model is left, it is still handed on as it is.</summary>
internal sealed record AnswerFault(string Reason, bool IsUsable = false, string? Repair = null);

/// <summary>Judges a complete answer by what can be measured; whether it is wise is nobody's guess here.</summary>
internal static class AnswerCheck
{
    public static AnswerFault? Find(ModelAttempt attempt, ChatOptions? options)
    {
        if (attempt.Calls.Exists(c => options?.Tools?.Any(t => t.Name == c.Name) is not true))
        {
            return new AnswerFault("unknown_tool", IsUsable: true);
        }

        if (attempt.Finish == ChatFinishReason.Length && options?.MaxOutputTokens is null && !attempt.IsCutHere)
        {
            return new AnswerFault("cut_off", IsUsable: attempt.HasText);
        }

        if (attempt.Calls.Count > 0)
        {
            return null;
        }

        if (!attempt.HasText)
        {
            return new AnswerFault("empty_answer");
        }

        return options?.ResponseFormat is ChatResponseFormatJson format && StructureError(attempt.Text, format.Schema) is { } error
            ? new AnswerFault("invalid_structure", Repair: error)
            : null;
    }

    /// <summary>Null: the text is JSON that fits. Else what is wrong, for the model to read.</summary>
    public static string? StructureError(string text, JsonElement? schema)
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

        if (schema is { } wanted)
        {
            return Misfits(value, wanted.GetRawText());
        }

        return value.ValueKind == JsonValueKind.Object ? null : "not a JSON object";
    }

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
