using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity;

/// <summary>Who may do what, how often, and what is written down about it.</summary>
public static class IdentitySlice
{
    public static WebApplicationBuilder AddIdentity(this WebApplicationBuilder builder)
    {
        builder.AddAccess();
        builder.AddLimits();
        builder.AddAudit();
        return builder;
    }

    public static WebApplication UseIdentity(this WebApplication app)
    {
        app.UseMiddleware<AccessMiddleware>();
        return app;
    }

    public static IEndpointRouteBuilder MapIdentity(this IEndpointRouteBuilder routes) => routes;

    private static void AddAccess(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<UserStore>();
        builder.Services.AddSingleton<UserRights>();
        builder.Services.AddSingleton<Subjects>();
        builder.Services.AddSingleton<ContentReads>();
        builder.Services.AddSingleton<LocalUser>();
        builder.Services.AddSingleton<ICallers>(services => services.GetRequiredService<LocalUser>());
        builder.Services.AddSingleton<RequestOwner>(static context => context.Features.Get<Caller>()?.UserId);
        builder.Services.AddHostedService<LocalUserStartup>();
    }

    private static void AddLimits(this WebApplicationBuilder builder)
    {
        builder.AddSettings<LimitOptions>("Limits");
        builder.Services.AddSingleton<RequestLimiter>();
    }

    private static void AddAudit(this WebApplicationBuilder builder) => builder.Services.AddSingleton<AuditLog>();
}
