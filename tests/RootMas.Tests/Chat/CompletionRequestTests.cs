using System.Text.Json;
using RootMas.Server.Chat.OpenAi;

namespace RootMas.Tests.Chat;

public sealed class CompletionRequestTests
{
    private const string User = """{"role":"user","content":"hi"}""";

    [Fact]
    public void The_last_message_is_the_input_and_the_rest_is_history_and_instructions()
    {
        var request = Parse("""
            {"model":"root-mas","messages":[
              {"role":"system","content":"Be brief."},{"role":"developer","content":[{"type":"text","text":"No jokes."}]},
              {"role":"user","content":"one"},{"role":"assistant","content":"two","tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]},
              {"role":"tool","tool_call_id":"x","content":"three"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}
            """);
        Assert.Equal("a\nb", request.Input);
        Assert.Equal("Be brief.\n\nNo jokes.", request.Options.CallerInstructions);
        Assert.Equal(["user", "assistant", "tool"], request.History.Select(m => m.Role));
        Assert.Equal("two\n[called f {}]", request.History[1].Text);
        Assert.True(request.History[2].Tainted);
        Assert.False(request.Stream);
    }

    [Fact]
    public void Sampling_limits_stop_and_format_reach_the_run()
    {
        var options = Parse("""
            {"model":"m","messages":[{"role":"user","content":"x"}],"temperature":0.3,"top_p":0.9,"max_tokens":7,"stop":["a","b"],
             "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},"seed":1,"user":"u","store":true,"unknown":{"x":1}}
            """).Options;
        Assert.Equal((0.3, 0.9, 7), (options.Temperature, options.TopP, options.MaxOutputTokens));
        Assert.Equal(["a", "b"], options.Stop);
        Assert.Equal("""{"type":"object"}""", options.ResponseSchema);
    }

    [Theory]
    [InlineData("""{"messages":[USER]}""", "model", "invalid_value")]
    [InlineData("""{"model":"m"}""", "messages", "invalid_value")]
    [InlineData("""{"model":"m","messages":[]}""", "messages", "invalid_value")]
    [InlineData("""{"model":"m","messages":"hi"}""", "messages", "invalid_value")]
    [InlineData("""{"model":7,"messages":[USER]}""", "model", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"assistant","content":"x"}]}""", "messages", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"wizard","content":"x"}]}""", "messages[0].role", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"user"}]}""", "messages[0].content", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"a\u0000b"}]}""", "messages[0].content", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}],"metadata":{"k":"a\u0000b"}}""", "metadata", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}],"max_completion_tokens":9,"max_tokens":"many"}""", "max_tokens", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}""", "messages[0].content", "unsupported_parameter")]
    [InlineData("""{"model":"m","messages":[USER],"temperature":3}""", "temperature", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"temperature":"hot"}""", "temperature", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"stream":"yes"}""", "stream", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"stream_options":{"include_usage":true}}""", "stream_options", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"max_tokens":0}""", "max_tokens", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"max_completion_tokens":1.5}""", "max_completion_tokens", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"stop":["a","b","c","d","e"]}""", "stop", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"response_format":{"type":"xml"}}""", "response_format.type", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"foo"}}}}""", "response_format.json_schema.schema", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"$ref":"#"}}}}""", "response_format.json_schema.schema", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"unevaluatedProperties":false}}}}""", "response_format.json_schema.schema", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"n":2}""", "n", "unsupported_parameter")]
    [InlineData("""{"model":"m","messages":[USER],"logprobs":true}""", "logprobs", "unsupported_parameter")]
    [InlineData("""{"model":"m","messages":[USER],"audio":{"voice":"x"}}""", "audio", "unsupported_parameter")]
    [InlineData("""{"model":"m","messages":[USER],"modalities":["text","audio"]}""", "modalities", "unsupported_parameter")]
    [InlineData("""{"model":"m","messages":[USER],"tools":[{"type":"function"}]}""", "tools", "unsupported_parameter")]
    [InlineData("""{"model":"m","messages":[USER],"presence_penalty":1}""", "presence_penalty", "unsupported_parameter")]
    [InlineData("""{"model":"m","messages":[USER],"seed":"x"}""", "seed", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"seed":1.5}""", "seed", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"seed":1e30}""", "seed", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"audio":{}}""", "audio", "unsupported_parameter")]
    [InlineData("""{"model":"m","messages":[USER],"audio":"x"}""", "audio", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x","name":5}]}""", "messages[0].name", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"tool","content":"x","tool_call_id":5},USER]}""", "messages[0].tool_call_id", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"assistant","content":"x","refusal":{}},USER]}""", "messages[0].refusal", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"assistant","content":"x","tool_calls":[5]},USER]}""", "messages[0].tool_calls", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"user":5}""", "user", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"parallel_tool_calls":"x"}""", "parallel_tool_calls", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"reasoning_effort":3}""", "reasoning_effort", "invalid_value")]
    [InlineData("""{"model":"m","messages":[USER],"store":"x"}""", "store", "invalid_value")]
    [InlineData("""[1]""", "body", "invalid_value")]
    public void What_is_wrong_or_cannot_be_honoured_is_named(string body, string param, string code)
    {
        var refused = Assert.Throws<CompletionRefused>(() => Parse(body.Replace("USER", User, StringComparison.Ordinal)));
        Assert.Equal((param, code), (refused.Param, refused.Code));
    }

    [Theory]
    [InlineData("""{"model":"m","messages":[USER],"n":1,"logprobs":false,"tools":[],"tool_choice":"none","logit_bias":{},"frequency_penalty":0,"modalities":["text"],"seed":-9223372036854775808}""")]
    [InlineData("""{"model":"m","messages":[{"role":"tool","content":"x","tool_call_id":"c"},{"role":"user","content":"hi","name":null,"refusal":null}]}""")]
    [InlineData("""{"model":"m","messages":[USER],"n":null,"stop":null,"tools":null,"audio":null,"stream":null,"response_format":{"type":"text"}}""")]
    public void Members_that_change_nothing_are_accepted(string body) => Assert.Equal("hi", Parse(body.Replace("USER", User, StringComparison.Ordinal)).Input);

    private static CompletionRequest Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return CompletionParser.Parse(document.RootElement);
    }
}
