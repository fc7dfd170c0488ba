using System.Globalization;

namespace RootMas.LlmSimulator;

/// <summary><c>/_sim</c>: scripts, recorded calls and holds for clients in other processes.</summary>
internal static class ControlApi
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    public static void Map(WebApplication app, SimulatorState state)
    {
        app.MapPut("/_sim/script", http => WithBodyAsync(http, text =>
        {
            state.Use(ScriptReader.Read(text));
            return new { rules = state.Rules.Script.Rules.Count };
        }));
        app.MapGet("/_sim/calls", http =>
        {
            _ = long.TryParse(http.Request.Query["after"], CultureInfo.InvariantCulture, out var after);
            return http.Response.WriteAsJsonAsync(new { items = state.Calls.Calls.Where(c => c.Number > after) }, ScriptReader.Json);
        });
        app.MapGet("/_sim/stats", http => http.Response.WriteAsJsonAsync(state.Calls.Stats(), ScriptReader.Json));
        app.MapPost("/_sim/reset", http =>
        {
            state.Reset();
            return http.Response.WriteAsJsonAsync(new { status = "reset" });
        });
        app.MapPost("/_sim/hold", http => WithBodyAsync(http, text =>
        {
            var hold = state.Holds.Add(text.Length == 0 ? new HoldSpec() : ScriptReader.Read<HoldSpec>(text));
            return new { id = hold.Id };
        }));
        app.MapPost("/_sim/release", http =>
        {
            var id = http.Request.Query["id"].ToString();
            return http.Response.WriteAsJsonAsync(new { released = state.Holds.Release(id.Length == 0 ? null : id) });
        });
        app.MapGet("/_sim/wait", http => WaitAsync(http, state));
    }

    /// <summary><c>?calls=N</c> or <c>?hold=id</c>, at most <c>timeout_ms</c> (default and most 30 s): 200 when reached, 408 when not.</summary>
    private static async Task WaitAsync(HttpContext http, SimulatorState state)
    {
        var query = http.Request.Query;
        var atMost = int.TryParse(query["timeout_ms"], CultureInfo.InvariantCulture, out var ms) ? TimeSpan.FromMilliseconds(ms) : LongestWait;
        Task reached;
        if (query["hold"].ToString() is { Length: > 0 } id)
        {
            if (state.Holds.Find(id) is not { } hold)
            {
                await Errors.SendAsync(http, 404, "invalid_request_error", "There is no such hold.");
                return;
            }

            reached = hold.Reached;
        }
        else if (long.TryParse(query["calls"], CultureInfo.InvariantCulture, out var calls))
        {
            reached = state.Calls.WaitAsync(calls);
        }
        else
        {
            await Errors.SendAsync(http, 400, "invalid_request_error", "'calls' or 'hold' is needed.");
            return;
        }

        try
        {
            await reached.WaitAsync(atMost < LongestWait ? atMost : LongestWait, http.RequestAborted);
        }
        catch (TimeoutException)
        {
            http.Response.StatusCode = 408;
        }

        await http.Response.WriteAsJsonAsync(new { calls = state.Calls.Count });
    }

    internal static async Task WithBodyAsync(HttpContext http, Func<string, object> act)
    {
        using var reader = new StreamReader(http.Request.Body);
        var text = await reader.ReadToEndAsync(http.RequestAborted);
        try
        {
            await http.Response.WriteAsJsonAsync(act(text), http.RequestAborted);
        }
        catch (ScriptException e)
        {
            await Errors.SendAsync(http, 400, "invalid_request_error", e.Message);
        }
    }
}
