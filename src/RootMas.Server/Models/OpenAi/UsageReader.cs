using System.Text.Json;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Models.OpenAi;

/// <summary>Reads a usage object. Cached tokens have three spellings; some providers leave reasoning out of <c>completion_tokens</c> and count it only in the total.</summary>
internal static class UsageReader
{
    /// <summary>Null: there is none, or it says nothing.</summary>
    public static TokenUsage? Read(ref Utf8JsonReader json)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return null;
        }

        long? input = null, output = null, total = null, cached = null, reasoning = null;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("prompt_tokens"u8))
            {
                input = Number(ref json);
            }
            else if (json.ValueTextEquals("completion_tokens"u8))
            {
                output = Number(ref json);
            }
            else if (json.ValueTextEquals("total_tokens"u8))
            {
                total = Number(ref json);
            }
            else if (json.ValueTextEquals("prompt_tokens_details"u8))
            {
                cached = Detail(ref json, "cached_tokens"u8) ?? cached;
            }
            else if (json.ValueTextEquals("completion_tokens_details"u8))
            {
                reasoning = Detail(ref json, "reasoning_tokens"u8) ?? reasoning;
            }
            else if (json.ValueTextEquals("prompt_cache_hit_tokens"u8) || json.ValueTextEquals("num_cached_tokens"u8) || json.ValueTextEquals("cached_tokens"u8))
            {
                cached ??= Number(ref json);
                json.Skip();
            }
            else
            {
                json.Read();
                json.Skip();
            }
        }

        return input is null && output is null ? null : Settle(input ?? 0, output ?? 0, total ?? 0, cached ?? 0, reasoning);
    }

    private static TokenUsage Settle(long input, long output, long total, long cached, long? reasoning)
    {
        var billed = Math.Max(output, total - input);
        return new TokenUsage(input, Math.Min(cached, input), billed, Math.Min(Math.Max(reasoning ?? 0, billed - output), billed));
    }

    private static long? Number(ref Utf8JsonReader json)
    {
        json.Read();
        if (json.TokenType == JsonTokenType.Number && json.TryGetDouble(out var value) && value is >= 0 and < 1e12)
        {
            return (long)value;
        }

        json.Skip();
        return null;
    }

    private static long? Detail(ref Utf8JsonReader json, ReadOnlySpan<byte> member)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return null;
        }

        long? found = null;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals(member))
            {
                found = Number(ref json);
            }
            else
            {
                json.Read();
                json.Skip();
            }
        }

        return found;
    }
}
