using System.Text.Json;
using RootMas.Runtime.Tools;

namespace RootMas.Tests.Runtime.Tools;

public sealed class JsonSchemaValidatorTests
{
    private static IReadOnlyList<string> Validate(string schema, string json) => JsonSchemaValidator.Validate(schema, JsonDocument.Parse(json).RootElement);

    [Theory]
    [InlineData("3", 3)]
    [InlineData("-3.0", -3)]
    [InlineData("36e2", 3600)]
    [InlineData("2.5", null)]
    [InlineData("4294967296", null)]
    [InlineData("1e999", null)]
    [InlineData("\"3\"", null)]
    public void An_integer_is_read_in_every_form_that_a_schema_accepts(string json, int? expected) => Assert.Equal(expected, SchemaValue.Integer(JsonDocument.Parse(json).RootElement));

    /// <summary>Whoever sends a schema must not be able to end the process, or to keep it busy for ever.</summary>
    [Theory]
    [InlineData("prefixItems", false)]
    [InlineData("prefixItems", true)]
    [InlineData("allOf", false)]
    [InlineData("allOf", true)]
    public void References_that_lead_deep_into_the_same_value_are_refused(string keyword, bool lastFirst)
    {
        const int Long = 2_000; // each is some four parts, of which a schema may have 10,000
        var parts = string.Join(',', Enumerable.Range(0, Long).Select(i => $$"""
            "d{{i}}":{"{{keyword}}":[{{(i + 1 < Long ? $$"""{"$ref":"#/$defs/d{{i + 1}}"}""" : "true")}}]}
            """));
        var entries = string.Join(',', (lastFirst ? Enumerable.Range(0, Long).Reverse() : [0]).Select(static i => $$"""{"$ref":"#/$defs/d{{i}}"}"""));
        var schema = $$"""{"$defs":{{{parts}}},"allOf":[{{entries}}]}""";
        if (keyword == "prefixItems")
        {
            Assert.Empty(Validate(schema, "[[[1]]]")); // each goes one level into the value, which has an end
            return;
        }

        Assert.Contains("deep", Assert.Throws<JsonSchemaException>(() => Validate(schema, "[[[1]]]")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parts_below_a_very_long_name_are_not_kept_in_their_thousands()
    {
        var parts = string.Join(',', Enumerable.Range(0, 5_000).Select(static i => $"\"p{i}\":{{}}"));
        string Below(string name) => """{"properties":{"NAME":{"properties":{PARTS}}}}""".Replace("PARTS", parts, StringComparison.Ordinal).Replace("NAME", name, StringComparison.Ordinal);
        var schema = Below(new string('a', 100_000));
        Assert.Contains("very long", Assert.Throws<JsonSchemaException>(() => Validate(schema, "{}")).Message, StringComparison.Ordinal);
        Assert.Empty(Validate(Below("ordinary"), "{}"));
    }

    [Theory]
    [InlineData("allOf", 60, "{\"type\":\"string\"}")]
    [InlineData("anyOf", 60, "{\"type\":\"string\"}")]
    [InlineData("oneOf", 60, "{\"type\":\"string\"}")]
    [InlineData("allOf", 20, null)]
    public void References_that_double_with_each_level_come_to_an_end(string keyword, int levels, string? last)
    {
        last ??= $$"""{"enum":[{{string.Join(',', Enumerable.Range(0, 20_000).Select(static i => $"\"{i}\""))}}]}"""; // each step of it is many comparisons
        var parts = string.Join(',', Enumerable.Range(0, levels).Select(i => i == levels - 1
            ? $$""" "d{{i}}":{{last}} """
            : $$""" "d{{i}}":{"{{keyword}}":[{"$ref":"#/$defs/d{{i + 1}}"},{"$ref":"#/$defs/d{{i + 1}}"}]} """));
        Assert.Contains("too many comparisons", Validate($$"""{"$defs":{{{parts}}},"$ref":"#/$defs/d0"}""", "1")[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2026-03-01T12:00:00Z")]
    [InlineData("2026-03-01 12:00:00Z")]
    [InlineData("2026-03-01t12:00:00.000z")]
    [InlineData("2026-03-01T15:00:00+03:00")]
    [InlineData("2026-03-01T12:00:00")]
    [InlineData("tomorrow")]
    public void A_time_is_read_in_every_form_that_a_schema_accepts(string text)
    {
        var arguments = JsonSerializer.SerializeToElement(new { at = text });
        var accepted = Validate("""{"properties":{"at":{"format":"date-time"}}}""", arguments.GetRawText()).Count == 0;
        DateTimeOffset? expected = accepted ? new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero) : null;
        Assert.Equal(expected, SchemaValue.Time(arguments, "at"));
    }

    [Theory]
    [InlineData("""{"type":"string"}""", "\"a\"")]
    [InlineData("""{"type":["string","null"]}""", "null")]
    [InlineData("""{"type":"integer"}""", "3")]
    [InlineData("""{"type":"integer"}""", "3.0")]
    [InlineData("""{"type":"integer"}""", "12345678901234567890123")]
    [InlineData("""{"type":"number","minimum":0,"exclusiveMaximum":1}""", "0.999")]
    [InlineData("""{"multipleOf":0.01}""", "19.99")]
    [InlineData("""{"minLength":2,"maxLength":2}""", "\"😀я\"")]
    [InlineData("""{"pattern":"^[a-z]+$"}""", "\"abc\"")]
    [InlineData("""{"pattern":"b"}""", "\"abc\"")]
    [InlineData("""{"pattern":"^(?!x)a"}""", "\"ab\"")]
    [InlineData("""{"enum":[1,"a",{"b":[1]}]}""", """{"b":[1.0]}""")]
    [InlineData("""{"const":null}""", "null")]
    [InlineData("""{"prefixItems":[{"type":"string"}],"items":{"type":"number"}}""", """["a",1,2]""")]
    [InlineData("""{"items":{"type":"string"},"minItems":1,"maxItems":2,"uniqueItems":true}""", """["a","b"]""")]
    [InlineData("""{"contains":{"type":"number"},"minContains":2}""", """["a",1,2]""")]
    [InlineData("""{"anyOf":[{"type":"string"},{"type":"number"}]}""", "1")]
    [InlineData("""{"oneOf":[{"multipleOf":3},{"multipleOf":5}]}""", "9")]
    [InlineData("""{"allOf":[{"minimum":1},{"maximum":3}]}""", "2")]
    [InlineData("""{"not":{"type":"string"}}""", "2")]
    [InlineData("""{"if":{"type":"string"},"then":{"minLength":2},"else":{"minimum":5}}""", "5")]
    [InlineData("""{"properties":{"a":{}},"patternProperties":{"^x-":{"type":"string"}},"additionalProperties":false}""", """{"a":1,"x-b":"c"}""")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}""", """{"a":1,"b":2}""")]
    [InlineData("""{"dependentRequired":{"a":["b"]}}""", """{"b":1}""")]
    [InlineData("""{"propertyNames":{"maxLength":3}}""", """{"abc":1}""")]
    [InlineData("""{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}},"additionalProperties":false}}}""", """{"next":{"next":{}}}""")]
    [InlineData("""{"format":"date-time"}""", "\"2026-03-01T12:00:00+03:00\"")]
    [InlineData("""{"format":"uri"}""", "\"https://example.org/a?b=c\"")]
    [InlineData("""{"format":"email"}""", "\"a.b@example.org\"")]
    [InlineData("""{"format":"something-else"}""", "\"x\"")]
    [InlineData("true", "{}")]
    [InlineData("{}", "[1]")]
    public void A_value_that_fits_has_no_errors(string schema, string json) => Assert.Empty(Validate(schema, json));

    [Theory]
    [InlineData("""{"type":"integer"}""", "\"3\"", "must be an integer, but is the string \"3\"")]
    [InlineData("""{"type":"integer"}""", "3.5", "must be an integer, but is the number 3.5")]
    [InlineData("""{"type":["string","null"]}""", "true", "must be a string or null, but is true")]
    [InlineData("""{"type":"object","required":["city"]}""", "{}", "the required property \"city\" is missing")]
    [InlineData("""{"properties":{"a":{},"b":{}},"additionalProperties":false}""", """{"c":1}""", "the property \"c\" is unknown; allowed are a, b")]
    [InlineData("""{"properties":{"a":{}}}""", """{"a":1,"a":2}""", "the property \"a\" is there twice")]
    [InlineData("""{"properties":{"a":{"items":{"properties":{"n":{"type":"string"}}}}}}""", """{"a":[{},{"n":1}]}""", "a[1].n: must be a string, but is the number 1")]
    [InlineData("""{"enum":["km","mi"]}""", "\"m\"", "must be one of \"km\", \"mi\", but is the string \"m\"")]
    [InlineData("""{"minimum":1}""", "0", "must be at least 1, but is the number 0")]
    [InlineData("""{"exclusiveMinimum":1}""", "1", "must be more than 1, but is the number 1")]
    [InlineData("""{"maximum":1}""", "1e999", "must be at most 1, but is the number 1e999")]
    [InlineData("""{"exclusiveMaximum":1}""", "1", "must be less than 1, but is the number 1")]
    [InlineData("""{"multipleOf":0.01}""", "1.005", "must be a multiple of 0.01, but is the number 1.005")]
    [InlineData("""{"minLength":1}""", "\"\"", "must not be empty")]
    [InlineData("""{"maxLength":1}""", "\"ab\"", "must have at most 1 characters, but has 2")]
    [InlineData("""{"pattern":"^[a-z]+$"}""", "\"abc\\n\"", "must match the pattern ^[a-z]+$, but is the string \"abc\\n\"")]
    [InlineData("""{"pattern":"^\\d$"}""", "\"٣\"", "must match the pattern ^\\d$, but is the string \"٣\"")]
    [InlineData("""{"uniqueItems":true}""", "[1,2,1.0]", "must not contain the same item twice, but item 2 repeats an earlier one")]
    [InlineData("""{"minItems":1}""", "[]", "must have at least 1 items, but has 0")]
    [InlineData("""{"oneOf":[{"multipleOf":3},{"multipleOf":5}]}""", "15", "must fit exactly one of 2 alternatives, but fits 2")]
    [InlineData("""{"anyOf":[{"type":"string"},{"type":"object","required":["a"]}]}""", "{}", "the required property \"a\" is missing")]
    [InlineData("""{"anyOf":[{"type":"string"},{"type":"number"}]}""", "[]", "must be a string or a number, but is a list")]
    [InlineData("""{"not":{"type":"string"}}""", "\"a\"", "is the string \"a\", which is ruled out here")]
    [InlineData("""{"format":"date-time"}""", "\"tomorrow\"", "must be a date and time like 2026-03-01T12:00:00Z, but is the string \"tomorrow\"")]
    [InlineData("""{"format":"uri"}""", "\"/a/b\"", "must be an absolute URI like https://example.org/page, but is the string \"/a/b\"")]
    [InlineData("""{"dependentRequired":{"a":["b"]}}""", """{"a":1}""", "the property \"b\" is required beside \"a\"")]
    [InlineData("""{"additionalProperties":false}""", """{"a":1}""", "the property \"a\" is not allowed")]
    [InlineData("false", "1", "is not allowed here")]
    [InlineData("{}", "\"\\ud800\"", "contains an escape (\\ud800 to \\udfff) that is no valid Unicode text")]
    [InlineData("{}", """{"a":[{"\uDC00":1}]}""", "contains an escape (\\ud800 to \\udfff) that is no valid Unicode text")]
    public void A_value_that_does_not_fit_is_told_in_words_a_model_can_act_on(string schema, string json, string expected) =>
        Assert.Equal(expected, Assert.Single(Validate(schema, json)));

    [Fact]
    public void All_mistakes_of_an_object_are_told_at_once()
    {
        var errors = Validate("""{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a","b","c"],"additionalProperties":false}""", """{"a":"x","b":1,"d":0}""");
        Assert.Equal(
            ["the required property \"c\" is missing", "a: must be an integer, but is the string \"x\"", "b: must be a string, but is the number 1", "the property \"d\" is unknown; allowed are a, b"],
            errors);
    }

    [Fact]
    public void Errors_are_bounded_whatever_a_model_sends()
    {
        var json = $"[{string.Join(',', Enumerable.Repeat("\"x\"", 10_000))}]";
        Assert.Equal(20, Validate("""{"items":{"type":"integer"}}""", json).Count);
    }

    [Theory]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "#: a schema is an object")]
    [InlineData("""{"type":"text"}""", "#/type: must be one of object")]
    [InlineData("""{"properties":[]}""", "#/properties: must be an object")]
    [InlineData("""{"pattern":"("}""", "no usable regular expression")]
    [InlineData("""{"$ref":"#/$defs/missing"}""", "leads nowhere")]
    [InlineData("""{"$ref":"https://example.org/schema"}""", "only references within the schema")]
    [InlineData("""{"$ref":"#"}""", "round in a circle")]
    [InlineData("""{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"$ref":"#/$defs/a"}}}""", "round in a circle")]
    [InlineData("""{"unevaluatedProperties":false}""", "the keyword is not supported")]
    [InlineData("""{"tpye":"string"}""", "the keyword is not supported")]
    [InlineData("""{"enum":[]}""", "at least one value")]
    [InlineData("""{"minLength":-1}""", "not negative")]
    [InlineData("""{"multipleOf":0}""", "above zero")]
    [InlineData("""{"required":"a"}""", "a list of names")]
    public void An_unusable_schema_is_refused_and_says_where(string schema, string expected) =>
        Assert.Contains(expected, Assert.Throws<JsonSchemaException>(() => JsonSchemaValidator.Compile(schema)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_schema_is_compiled_once() =>
        Assert.Same(JsonSchemaValidator.Compile("""{"type":"object","title":"once"}"""), JsonSchemaValidator.Compile("""{"type":"object","title":"once"}"""));

    [Fact]
    public void A_value_that_fits_costs_next_to_no_memory()
    {
        const string Schema = """{"type":"object","properties":{"a":{"type":"integer","minimum":0},"b":{"type":"array","items":{"type":"boolean"}}},"required":["a"],"additionalProperties":false}""";
        var value = JsonDocument.Parse("""{"a":5,"b":[true,false,true]}""").RootElement;
        var compiled = JsonSchemaValidator.Compile(Schema);
        compiled.Validate(value);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            compiled.Validate(value);
        }

        Assert.True((GC.GetAllocatedBytesForCurrentThread() - before) / 100 <= 512, $"{(GC.GetAllocatedBytesForCurrentThread() - before) / 100} bytes");
    }
}
