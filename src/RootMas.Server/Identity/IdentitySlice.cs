using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Caching;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Identity.Machines;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Secrets;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity;

/// <summary>Who may do what, how often, and what is written down about it.</summary>
public static class IdentitySlice
{
    public static WebApplicationBuilder AddIdentity(this WebApplicationBuilder builder)
    {
        builder.AddAudit();
        builder.AddAccess();
        builder.AddUsers();
        builder.AddSessions();
        builder.AddMachines();
        builder.AddLimits();
        builder.AddSecrets();
        return builder;
    }

    public static WebApplication UseIdentity(this WebApplication app)
    {
        AuditMetrics.BeginAtZero();
        app.UseMiddleware<AccessMiddleware>();
        app.UseMiddleware<AuditedReads>();
        app.UseMiddleware<AnswerCaching>();
        return app;
    }

    public static IEndpointRouteBuilder MapIdentity(this IEndpointRouteBuilder routes)
    {
        AuditApi.Map(routes);
        SecretsApi.Map(routes);
        AuthApi.Map(routes);
        SessionsApi.Map(routes);
        KeysApi.Map(routes);
        UsersApi.Map(routes);
        UserSessionsApi.Map(routes);
        ApiKeysApi.Map(routes);
        UserApiKeysApi.Map(routes);
        ServiceTokensApi.Map(routes);
        return routes;
    }

    private static void AddAccess(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<UserRights>();
        builder.Services.AddSingleton<Subjects>();
        builder.Services.AddSingleton<ContentReads>();
        builder.Services.AddSingleton<LocalUser>();
        builder.Services.AddSingleton<LocalAccess>();
        builder.Services.AddSingleton<LiveSessions>();
        builder.Services.AddSingleton(static p => new CallerCache(p.GetRequiredService<TimeProvider>(), () => p.GetRequiredService<ChangeFeed>().IsCurrent));
        builder.Services.AddSingleton<ICallers, Callers>();
        builder.Services.AddSingleton<CredentialMemory>();
        builder.Services.AddHostedService<AccessFollower>();
        builder.Services.AddSingleton<RequestOwner>(static context => context.Features.Get<Caller>()?.UserId);
    }

    private static void AddUsers(this WebApplicationBuilder builder)
    {
        var options = builder.AddSettings<IdentityOptions>("Identity");
        if (!builder.Settings().Take<ServerOptions>("Server").IsDevelopment && options.PasswordCost < IdentityOptions.LeastProductionCost)
        {
            builder.Settings().AddProblem($"Identity:PasswordCost: {options.PasswordCost} is not allowed in Production; legal: at least {IdentityOptions.LeastProductionCost}");
        }

        var problems = new List<string>();
        GivenAdmin.Read(builder.Settings().Variables, problems);
        problems.ForEach(builder.Settings().AddProblem);
        builder.Services.AddSingleton<UserStore>();
        builder.Services.AddSingleton<UserSessions>();
        builder.Services.AddSingleton<UserAdministration>();
        builder.Services.AddSingleton<PasswordHasher>();
        builder.Services.AddSingleton<PasswordChanges>();
        builder.Services.AddSingleton<Logins>();
        builder.Services.AddSingleton<FirstAdmin>();
        builder.Services.AddSingleton<Setups>();
        builder.Services.AddSingleton<AuthAnswers>();
        builder.Services.AddSingleton<IdentityFirsts>();
        builder.Services.AddHostedService<IdentityStart>();
    }

    private static void AddSessions(this WebApplicationBuilder builder)
    {
        var options = builder.Settings().Take<IdentityOptions>("Identity");
        builder.Services.AddSingleton(new SharedKey(IdentityKeys.PepperName, "Identity:Pepper", KeyFile.Parse(options.Pepper)) { MadeWith = "select '' from users where password_hash is not null limit 1" });
        builder.Services.AddSingleton(new SharedKey(IdentityKeys.RefreshName, "Identity:RefreshKey", KeyFile.Parse(options.RefreshKey)));
        builder.Services.AddSingleton(new SharedKey("signing", "Identity:SigningKey", KeyFile.Parse(options.SigningKey)) { OnlyIfGiven = true, Before = KeyFile.Parse(options.PreviousSigningKey) });
        builder.Services.AddSingleton<IdentityKeys>();
        builder.Services.AddSingleton<SigningKeyStore>();
        builder.Services.AddSingleton<SigningKeys>();
        if (builder.Settings().Take<DatabaseOptions>("Database").Kind == DatabaseKind.Postgres)
        {
            builder.Services.AddSingleton<IHealthProbe, SigningKeysProbe>();
        }

        builder.Services.AddSingleton<AccessTokens>();
        builder.Services.AddSingleton<RefreshTokens>();
        builder.Services.AddSingleton<SessionStore>();
        builder.Services.AddSingleton<SessionCallers>();
        builder.Services.AddSingleton<SessionEnds>();
        builder.Services.AddSingleton<SessionTouches>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<SessionTouches>());
    }

    private static void AddMachines(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<ApiKeyStore>();
        builder.Services.AddSingleton<ScrapeKeys>();
        builder.Services.AddSingleton<ApiKeys>();
        var problems = new List<string>();
        builder.Services.AddSingleton(AdminSecret.Read(builder.Settings().Variables, problems));
        problems.ForEach(builder.Settings().AddProblem);
        builder.Services.AddSingleton<ServiceTokens>();
    }

    private static void AddLimits(this WebApplicationBuilder builder)
    {
        var options = builder.AddSettings<LimitOptions>("Limits");
        if (!options.Enabled && !builder.Settings().Take<ServerOptions>("Server").IsDevelopment)
        {
            builder.Settings().AddProblem("Limits:Enabled: 'false' is refused in Production: anybody could drown the others. Raise single limits instead");
        }

        builder.Services.AddSingleton(services => MakeLimitStore(services, options));
        builder.Services.AddSingleton<RequestLimiter>();
        if (builder.Settings().Take<RedisOptions>("Redis").IsUsed)
        {
            builder.Services.AddSingleton(static p => new SharedStreams(
                p.GetRequiredService<RedisPool>(), p.GetRequiredService<Instance>(), () => p.GetRequiredService<RedisInstances>().Count, p.GetRequiredService<TimeProvider>(),
                p.GetRequiredService<ILogger<SharedStreams>>()));
            builder.Services.AddHostedService(static p => p.GetRequiredService<SharedStreams>());
        }

        builder.Services.AddSingleton(p => new OpenStreams(options, p.GetRequiredService<ServerOptions>(), p.GetService<SharedStreams>()));
        builder.Services.AddSingleton<EarlyRefusal>(services => services.GetRequiredService<RequestLimiter>().TakeEarlyAsync);
    }

    private static ILimitStore MakeLimitStore(IServiceProvider services, LimitOptions options)
    {
        var memory = new MemoryLimitStore(options.MaxKeys, services.GetRequiredService<TimeProvider>());
        return services.GetService<RedisPool>() is { } redis ? new RedisLimitStore(redis, memory, () => services.GetRequiredService<RedisInstances>().Count) : memory;
    }

    private static void AddSecrets(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var masters = MasterKeys.Read(builder.Settings().Variables);
        var isEmbedded = builder.Settings().Take<DatabaseOptions>("Database").Kind == DatabaseKind.Sqlite;

        // With the embedded database the master key seals secrets itself; so it did on PostgreSQL before keys were shared there.
        services.AddSingleton(new SharedKey(SecretBox.FileName, MasterKeys.Variable, isEmbedded ? masters.Current : null) { Earlier = masters.All, MadeWith = "select encode(substring(sealed from 2 for 6), 'hex') from secrets limit 1" });
        services.AddSingleton(static p => new SecretBox(() => p.GetRequiredService<KeyRing>().Get(SecretBox.FileName)));
        services.AddSingleton<SecretStore>();
        services.AddSingleton<SecretVault>();
        services.AddHostedService<SecretVaultStart>();
    }

    private static void AddAudit(this WebApplicationBuilder builder)
    {
        var options = builder.AddSettings<AuditOptions>("Audit");
        AuditMetrics.Create();
        var services = builder.Services;
        services.AddSingleton(new SharedKey(AuditKey.FileName, "Audit:Key", KeyFile.Parse(options.Key ?? ""))
        {
            MadeWith = "select key_id from audit order by id desc limit 1",
            MayBeReplaced = options.AcceptNewKey,
        });
        services.AddSingleton(static p => new AuditKey(() => p.GetRequiredService<KeyRing>().Get(AuditKey.FileName)));
        services.AddSingleton<AuditLog>();
        services.AddSingleton<AuditStore>();
        services.AddSingleton<SeenSettings>();
        services.AddSingleton<Denials>();
        services.AddSingleton<RefusalObserver>(static p => p.GetRequiredService<Denials>().ObserveAsync);
        services.AddSingleton<AuditServices>();
        services.AddHostedService<AuditUpkeep>();
    }
}
