namespace RootMas.LlmSimulator;

/// <summary>Every path of the simulator.</summary>
internal static class SimulatorRoutes
{
    public static void Map(WebApplication app, SimulatorState state)
    {
        var chat = new ChatEndpoint(state);

        // The path under load goes before routing.
        app.Use((http, next) =>
            IsRefused(http, state.Rules.Script.Keys) ? Errors.SendAsync(http, 401, "authentication_error", "Incorrect API key provided.")
            : http.Request.Path.Value is "/v1/chat/completions" && http.Request.Method == "POST" ? chat.HandleAsync(http) : next(http));
        app.UseRouting();
        app.MapPost("/v1/embeddings", new EmbeddingsEndpoint(state).HandleAsync);
        app.MapGet("/v1/models", http => http.Response.WriteAsJsonAsync(new
        {
            @object = "list",
            data = state.Rules.Script.Models.Select(id => new { id, @object = "model", created = 1_700_000_000, owned_by = "simulator" }),
        }));
        app.MapGet("/health", http => http.Response.WriteAsync("ok"));
        ControlApi.Map(app, state);
        ToolServer.Map(app, state);
        WebFakes.Map(app, state);
    }

    private static bool IsRefused(HttpContext http, IReadOnlyList<string> keys) =>
        keys.Count > 0 && http.Request.Path.StartsWithSegments("/v1", StringComparison.Ordinal) && !keys.Any(key => http.Request.Headers.Authorization.ToString() == "Bearer " + key);
}
