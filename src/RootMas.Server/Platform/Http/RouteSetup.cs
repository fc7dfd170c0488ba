namespace RootMas.Server.Platform.Http;

/// <summary>What holds for every route.</summary>
public static class RouteSetup
{
    /// <summary>The group that all slices map into.</summary>
    public static RouteGroupBuilder MapRoutes(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var routes = app.MapGroup("");
        routes.AddEndpointFilterFactory(QueryBinding.Create);
        routes.AddEndpointFilterFactory(RequestValidation.Create);
        return routes;
    }

    /// <summary>A route without a permission is a mistake that must not reach a user.</summary>
    /// <exception cref="InvalidOperationException">Names the routes, and the line of code to add.</exception>
    public static void CheckRoutes(this IEndpointRouteBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var open = app.DataSources.SelectMany(s => s.Endpoints).Where(e => e.Metadata.GetMetadata<RoutePermission>() is null).Select(e => e.DisplayName).ToList();
        if (open.Count > 0)
        {
            throw new InvalidOperationException($"No permission is declared for: {string.Join(", ", open)}. Add .RequirePermission(\"area:action\"), or .AllowPublic(), where the route is mapped.");
        }
    }
}
