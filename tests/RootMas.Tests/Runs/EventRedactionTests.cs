using System.Reflection;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Runs;

namespace RootMas.Tests.Runs;

public sealed class EventRedactionTests
{
    private const string Canary = "the canary sings";

    public static TheoryData<string> Types => [.. typeof(RunEvent).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(RunEvent)) && !t.IsAbstract).Select(t => t.Name)];

    /// <summary>Every text of every event type, also of those that somebody adds later.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public void Nothing_that_was_said_gets_through(string name)
    {
        var type = typeof(RunEvent).Assembly.GetTypes().Single(t => t.Name == name && t.IsSubclassOf(typeof(RunEvent)));
        var e = (RunEvent)Fill(type)!;
        (e.RunId, e.Seq, e.Agent, e.CreatedAt) = ("run-1", 7, "writer", DateTimeOffset.UnixEpoch);
        var stored = RunJson.Serialize(e);
        var redacted = Encoding.UTF8.GetString(EventRedaction.Redact(stored));

        Assert.DoesNotContain("canary", redacted, StringComparison.Ordinal);
        var json = JsonElement.Parse(redacted);
        Assert.Equal(("run-1", 7, "writer"), (json.GetProperty("run_id").GetString(), json.GetProperty("seq").GetInt32(), json.GetProperty("agent").GetString()));
        Assert.Equal(JsonElement.Parse(stored).GetProperty("type").GetString(), json.GetProperty("type").GetString());
        Assert.True(json.GetProperty("redacted").GetBoolean());
    }

    [Fact]
    public void What_it_cost_and_what_was_used_stays()
    {
        var stored = RunJson.Serialize(new ToolStarted(3, "http_request", JsonElement.Parse("""{"body":"the canary sings"}"""), "unsafe", "key", "1") { RunId = "r", Seq = 2 });
        var json = JsonElement.Parse(EventRedaction.Redact(stored));
        Assert.Equal(("http_request", "call_3", "unsafe"), (json.GetProperty("tool").GetString(), json.GetProperty("call_id").GetString(), json.GetProperty("effect").GetString()));
        Assert.Equal(JsonValueKind.Null, json.GetProperty("arguments").ValueKind);
    }

    private static object? Fill(Type type)
    {
        if (type == typeof(string))
        {
            return Canary;
        }

        if (type == typeof(JsonElement))
        {
            return JsonElement.Parse($$"""{"text":"{{Canary}}"}""");
        }

        if (type.IsGenericType && type.GetInterface("IEnumerable") is not null)
        {
            var item = type.GetGenericArguments()[0];
            var list = Array.CreateInstance(item, 1);
            list.SetValue(Fill(item), 0);
            return list;
        }

        if (type.IsValueType)
        {
            return Nullable.GetUnderlyingType(type) is { } inner ? Fill(inner) : Activator.CreateInstance(type);
        }

        var constructor = type.GetConstructors(BindingFlags.Public | BindingFlags.Instance).MaxBy(c => c.GetParameters().Length)!;
        return constructor.Invoke([.. constructor.GetParameters().Select(p => Fill(p.ParameterType))]);
    }
}
