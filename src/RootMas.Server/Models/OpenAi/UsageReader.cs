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

        var counts = default(Counts);
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            counts.Take(ref json);
        }

        return counts.Settle();
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

    /// <summary>The members as they were sent, null where they were not.</summary>
    private struct Counts
    {
        private long? _input;
        private long? _output;
        private long? _total;
        private long? _cached;
        private long? _reasoning;

        public void Take(ref Utf8JsonReader json)
        {
            if (json.ValueTextEquals("prompt_tokens"u8))
            {
                _input = Number(ref json);
            }
            else if (json.ValueTextEquals("completion_tokens"u8))
            {
                _output = Number(ref json);
            }
            else if (json.ValueTextEquals("total_tokens"u8))
            {
                _total = Number(ref json);
            }
            else if (json.ValueTextEquals("prompt_tokens_details"u8))
            {
                _cached = Detail(ref json, "cached_tokens"u8) ?? _cached;
            }
            else if (json.ValueTextEquals("completion_tokens_details"u8))
            {
                _reasoning = Detail(ref json, "reasoning_tokens"u8) ?? _reasoning;
            }
            else if (json.ValueTextEquals("prompt_cache_hit_tokens"u8) || json.ValueTextEquals("num_cached_tokens"u8) || json.ValueTextEquals("cached_tokens"u8))
            {
                _cached ??= Number(ref json);
                json.Skip();
            }
            else
            {
                json.Read();
                json.Skip();
            }
        }

        public readonly TokenUsage? Settle()
        {
            if (_input is null && _output is null)
            {
                return null;
            }

            var (input, output) = (_input ?? 0, _output ?? 0);
            var billed = Math.Max(output, (_total ?? 0) - input);
            return new TokenUsage(input, Math.Min(_cached ?? 0, input), billed, Math.Min(Math.Max(_reasoning ?? 0, billed - output), billed));
        }
    }
}
