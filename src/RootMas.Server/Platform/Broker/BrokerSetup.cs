using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Broker;

/// <summary>Registers the broker where one is configured.</summary>
public static class BrokerSetup
{
    public static WebApplicationBuilder AddBroker(this WebApplicationBuilder builder)
    {
        BrokerMetrics.Create();
        var options = builder.AddSettings<BrokerOptions>("RabbitMq");
        if (!options.IsUsed)
        {
            builder.Services.AddSingleton<IHealthProbe>(new AbsentProbe("rabbitmq", "not needed on one machine: runs are handed over in process"));
            return builder;
        }

        if (builder.Settings().Take<DatabaseOptions>("Database").Kind != DatabaseKind.Postgres)
        {
            builder.Settings().AddProblem("RabbitMq:Uri: a broker hands runs to several processes, and these need Database:Kind=postgres. Set it, or leave RabbitMq:Uri empty.");
        }

        builder.Services.AddSingleton<RabbitBroker>();
        builder.Services.AddHostedService(static p => p.GetRequiredService<RabbitBroker>());
        builder.Services.AddSingleton<IHealthProbe, BrokerProbe>();
        return builder;
    }
}
