using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity;

/// <summary>Who may do what. For now: one local administrator.</summary>
public static class IdentitySlice
{
    public static WebApplicationBuilder AddIdentity(this WebApplicationBuilder builder)
    {
        builder.AddSettings<LimitOptions>("Limits");
        builder.Services.AddSingleton<UserStore>();
        builder.Services.AddSingleton<LocalUser>();
        builder.Services.AddSingleton<ICallers>(services => services.GetRequiredService<LocalUser>());
        builder.Services.AddSingleton<RequestLimiter>();
        builder.Services.AddSingleton<RequestOwner>(static context => context.Features.Get<Caller>()?.UserId);
        builder.Services.AddHostedService<LocalUserStartup>();
        return builder;
    }

    public static WebApplication UseIdentity(this WebApplication app)
    {
        app.UseMiddleware<AccessMiddleware>();
        return app;
    }

    public static IEndpointRouteBuilder MapIdentity(this IEndpointRouteBuilder routes) => routes;
}
