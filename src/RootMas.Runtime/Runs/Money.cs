using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RootMas.Runtime.Runs;

/// <summary>An amount of US dollars, counted in whole micro-dollars (1 USD = 1,000,000). JSON: a decimal string such as <c>"0.001234"</c>.</summary>
[JsonConverter(typeof(MoneyJsonConverter))]
public readonly record struct Money(long MicroUsd) : IComparable<Money>
{
    public static readonly Money Zero;

    public static Money operator +(Money a, Money b) => new(checked(a.MicroUsd + b.MicroUsd));
    public static Money operator -(Money a, Money b) => new(checked(a.MicroUsd - b.MicroUsd));
    public static bool operator <(Money a, Money b) => a.MicroUsd < b.MicroUsd;
    public static bool operator >(Money a, Money b) => a.MicroUsd > b.MicroUsd;
    public static bool operator <=(Money a, Money b) => a.MicroUsd <= b.MicroUsd;
    public static bool operator >=(Money a, Money b) => a.MicroUsd >= b.MicroUsd;

    /// <summary>Parses a decimal number of dollars; more than six decimals are rounded half away from zero.</summary>
    /// <exception cref="FormatException">The text is not a decimal number.</exception>
    public static Money Parse(string usd) =>
        new(decimal.ToInt64(decimal.Round(decimal.Parse(usd, NumberStyles.Float, CultureInfo.InvariantCulture) * 1_000_000m, MidpointRounding.AwayFromZero)));

    public int CompareTo(Money other) => MicroUsd.CompareTo(other.MicroUsd);

    /// <summary>Dollars with at least two and at most six decimals: <c>0.00</c>, <c>1.25</c>, <c>0.000007</c>.</summary>
    public override string ToString() => (MicroUsd / 1_000_000m).ToString("0.00####", CultureInfo.InvariantCulture);
}

public sealed class MoneyJsonConverter : JsonConverter<Money>
{
    public override Money Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Money.Parse(reader.GetString() ?? throw new JsonException("cost_usd must be a decimal string"));

    public override void Write(Utf8JsonWriter writer, Money value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
