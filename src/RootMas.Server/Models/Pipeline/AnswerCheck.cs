using Microsoft.Extensions.AI;
using RootMas.Runtime.Context;

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

        var (isCut, isWished) = (attempt.Finish == ChatFinishReason.Length, options?.MaxOutputTokens is not null);
        if (isCut && !isWished && (attempt.Request.CutByModel || !attempt.IsCutHere))
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

        // Half a JSON text is what is left at the caller's own limit: no repair and no better model makes more of it.
        return !(isCut && isWished) && options?.ResponseFormat is ChatResponseFormatJson format && StructuredAnswer.Error(attempt.Text, format.Schema) is { } error
            ? new AnswerFault("invalid_structure", Repair: error)
            : null;
    }
}
