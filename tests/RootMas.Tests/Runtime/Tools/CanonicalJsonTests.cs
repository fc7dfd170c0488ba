using System.Globalization;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using RootMas.Runtime.Tools;

namespace RootMas.Tests.Runtime.Tools;

public sealed class CanonicalJsonTests
{
    private static string Canonical(string json) => Encoding.UTF8.GetString(CanonicalJson.Serialize(JsonDocument.Parse(json).RootElement));

    // RFC 8785, appendix B.
    [Theory]
    [InlineData("0000000000000000", "0")]
    [InlineData("8000000000000000", "0")]
    [InlineData("0000000000000001", "5e-324")]
    [InlineData("8000000000000001", "-5e-324")]
    [InlineData("7fefffffffffffff", "1.7976931348623157e+308")]
    [InlineData("ffefffffffffffff", "-1.7976931348623157e+308")]
    [InlineData("4340000000000000", "9007199254740992")]
    [InlineData("c340000000000000", "-9007199254740992")]
    [InlineData("4430000000000000", "295147905179352830000")]
    [InlineData("44b52d02c7e14af5", "9.999999999999997e+22")]
    [InlineData("44b52d02c7e14af6", "1e+23")]
    [InlineData("44b52d02c7e14af7", "1.0000000000000001e+23")]
    [InlineData("444b1ae4d6e2ef4e", "999999999999999700000")]
    [InlineData("444b1ae4d6e2ef4f", "999999999999999900000")]
    [InlineData("444b1ae4d6e2ef50", "1e+21")]
    [InlineData("3eb0c6f7a0b5ed8c", "9.999999999999997e-7")]
    [InlineData("3eb0c6f7a0b5ed8d", "0.000001")]
    [InlineData("41b3de4355555553", "333333333.3333332")]
    [InlineData("41b3de4355555554", "333333333.33333325")]
    [InlineData("41b3de4355555555", "333333333.3333333")]
    [InlineData("41b3de4355555556", "333333333.3333334")]
    [InlineData("41b3de4355555557", "333333333.33333343")]
    [InlineData("becbf647612f3696", "-0.0000033333333333333333")]
    [InlineData("43143ff3c1cb0959", "1424953923781206.2")]
    public void Numbers_are_written_as_RFC_8785_appendix_B_lists_them(string bits, string expected)
    {
        var value = BitConverter.UInt64BitsToDouble(ulong.Parse(bits, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        Assert.Equal(expected, Canonical(value.ToString("R", CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void The_example_of_RFC_8785_section_3_2_has_its_canonical_form() => Assert.Equal(
        """{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}""",
        Canonical("""
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """));

    [Fact]
    public void Members_are_sorted_by_UTF_16_code_units_as_RFC_8785_section_3_2_3_shows() => Assert.Equal(
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
        Canonical("""
            {"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
             "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}
            """));

    [Theory]
    [InlineData("""{"a":1,"a":2}""")]
    [InlineData("""{"a":1,"\u0061":2}""")]
    [InlineData("1e999")]
    [InlineData("\"\\ud800\"")]
    [InlineData("""{"\udc00":1}""")]
    public void What_has_no_canonical_form_is_refused_but_still_has_a_fingerprint(string json)
    {
        Assert.ThrowsAny<JsonException>(() => Canonical(json));
        Assert.Equal(64, CanonicalJson.Fingerprint(JsonDocument.Parse(json).RootElement).Length);
    }

    /// <summary>Two transfers to neighbouring accounts are two calls, not one again.</summary>
    [Fact]
    public void Large_numbers_that_differ_have_different_fingerprints_and_equal_ones_the_same()
    {
        static string Of(string json) => CanonicalJson.Fingerprint(JsonDocument.Parse(json).RootElement);
        Assert.NotEqual(Of("""{"account":9007199254740992}"""), Of("""{"account":9007199254740993}"""));
        Assert.Equal(Of("""{"a":1,"account":9007199254740993}"""), Of("""{"account":9007199254740993,"a":1.0}"""));
    }

    [Fact]
    public void Every_double_survives_its_canonical_form() => Prop.ForAll<double>(value =>
        !double.IsFinite(value) || double.Parse(Canonical(value.ToString("R", CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture).Equals(value + 0.0)).QuickCheckThrowOnFailure();

    [Fact]
    public void The_order_of_members_does_not_matter_and_their_values_do() => Prop.ForAll<Dictionary<string, string>>(members =>
    {
        members = members.Where(m => IsText(m.Key) && m.Value is not null && IsText(m.Value)).ToDictionary(m => m.Key, m => m.Value);
        var there = JsonSerializer.SerializeToElement(members);
        var back = JsonSerializer.SerializeToElement(members.Reverse().ToDictionary(m => m.Key, m => m.Value));
        var more = JsonSerializer.SerializeToElement(members.Append(KeyValuePair.Create("~", "more")).DistinctBy(m => m.Key).ToDictionary(m => m.Key, m => m.Value));
        return CanonicalJson.Fingerprint(there) == CanonicalJson.Fingerprint(back) && (members.ContainsKey("~") || CanonicalJson.Fingerprint(there) != CanonicalJson.Fingerprint(more));
    }).QuickCheckThrowOnFailure();

    private static bool IsText(string value) => value.EnumerateRunes().All(r => r != Rune.ReplacementChar);

    [Fact]
    public void An_approval_hash_depends_on_every_one_of_its_parts()
    {
        var arguments = JsonDocument.Parse("""{"url":"https://example.org","n":1.0}""").RootElement;
        var same = JsonDocument.Parse("""{ "n": 1, "url": "https://example.org" }""").RootElement;
        var other = JsonDocument.Parse("""{"url":"https://example.org/","n":1}""").RootElement;
        var hash = ApprovalHash.Compute("r", 1, "t", "v", "a", "u", "o", "c", arguments);
        Assert.Matches("^[0-9a-f]{64}$", hash);
        Assert.Equal(hash, ApprovalHash.Compute("r", 1, "t", "v", "a", "u", "o", "c", same));
        string[] others =
        [
            ApprovalHash.Compute("x", 1, "t", "v", "a", "u", "o", "c", arguments), ApprovalHash.Compute("r", 2, "t", "v", "a", "u", "o", "c", arguments),
            ApprovalHash.Compute("r", 1, "x", "v", "a", "u", "o", "c", arguments), ApprovalHash.Compute("r", 1, "t", "x", "a", "u", "o", "c", arguments),
            ApprovalHash.Compute("r", 1, "t", "v", "x", "u", "o", "c", arguments), ApprovalHash.Compute("r", 1, "t", "v", "a", "x", "o", "c", arguments),
            ApprovalHash.Compute("r", 1, "t", "v", "a", "u", null, "c", arguments), ApprovalHash.Compute("r", 1, "t", "v", "a", "u", "o", null, arguments),
            ApprovalHash.Compute("r", 1, "t", "v", "a", "u", "o", "c", other),
        ];
        Assert.Equal(others.Length + 1, others.Append(hash).Distinct().Count());
    }

    [Theory]
    [InlineData("9007199254740993", "9007199254740992")]
    [InlineData("1234567890123456789", "1234567890123456788")]
    [InlineData("-1234567890123456789", "-1234567890123456788")]
    [InlineData("0.12345678901234567890", "0.12345678901234567891")]
    [InlineData("1e-400", "0")]
    [InlineData("1e-99999999999999999999", "0")]
    public void An_approval_hash_tells_numbers_apart_that_a_double_does_not(string one, string other)
    {
        Assert.NotEqual(HashOf(one), HashOf(other));
        Assert.Equal(RoundedHashOf(one), RoundedHashOf(other)); // as it was before
    }

    [Theory]
    [InlineData("1", "1.0")]
    [InlineData("-0", "0.00")]
    [InlineData("0e99999999999999999999", "0")]
    [InlineData("100", "1e2")]
    [InlineData("100", "1.00E+2")]
    [InlineData("0.000001", "1e-6")]
    [InlineData("1e23", "100000000000000000000000")]
    [InlineData("-0.1", "-0.10")]
    [InlineData("9007199254740992", "9007199254740992.0")]
    public void An_approval_hash_is_that_of_RFC_8785_for_every_number_that_a_double_holds(string one, string other)
    {
        Assert.Equal(HashOf(one), HashOf(other));
        Assert.Equal(HashOf(one), RoundedHashOf(one));
    }

    private static string HashOf(string number) => ApprovalHash.Compute("r", 1, "t", "v", "a", "u", "o", "c", Amount(number));

    private static string RoundedHashOf(string number) => ApprovalHash.ComputeRounded("r", 1, "t", "v", "a", "u", "o", "c", Amount(number));

    private static JsonElement Amount(string number) => JsonElement.Parse($$"""{"list":[{"amount":{{number}}}]}""");

    [Fact]
    public void An_approval_hash_is_the_SHA_256_of_the_canonical_object()
    {
        var arguments = JsonDocument.Parse("""{"b":2,"a":"я"}""").RootElement;
        const string Expected = """{"agent":"a","arguments":{"a":"я","b":2},"call":7,"credential_reference":null,"run":"r","target_origin":"https://x:443","tool":"t","tool_version":"1","user":"u"}""";
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(Expected))),
            ApprovalHash.Compute("r", 7, "t", "1", "a", "u", "https://x:443", null, arguments));
    }
}
