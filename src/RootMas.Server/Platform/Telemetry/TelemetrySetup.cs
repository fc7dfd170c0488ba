using Microsoft.Extensions.Logging.Console;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Telemetry;

internal static class TelemetrySetup
{
    public static void AddTelemetry(this WebApplicationBuilder builder, ServerOptions server)
    {
        var options = builder.AddSettings<TelemetryOptions>("Telemetry");
        builder.Services.AddSingleton<PrometheusMetrics>();
        builder.Services.AddSingleton<ServerMeter>();
        builder.Services.AddSingleton<LogRing>();
        builder.Services.AddSingleton<ILoggerProvider>(services => services.GetRequiredService<LogRing>());
        builder.Services.AddMetrics();
        AddConsole(builder.Logging, server, options);
        AddLevels(builder, options);
        AddFile(builder);
        if (options.OtlpEndpoint is { } endpoint)
        {
            var transport = new OtlpTransport();
            OtlpExport.AddLogs(builder.Logging, endpoint, transport);
            builder.Services.AddSingleton<IHostedService>(p =>
            {
                transport.Use(p.GetRequiredService<OutboundPolicies>());
                return new OtlpExport(endpoint, transport);
            });
        }
    }

    private static void AddConsole(ILoggingBuilder logging, ServerOptions server, TelemetryOptions options)
    {
        var text = options.LogFormat == "text" || (options.LogFormat == "auto" && server.IsDevelopment);
        logging.AddConsoleFormatter<EcsLogFormatter, ConsoleFormatterOptions>();
        logging.AddConsoleFormatter<TextLogFormatter, ConsoleFormatterOptions>();
        logging.AddConsole(console =>
        {
            console.FormatterName = text ? TextLogFormatter.FormatName : EcsLogFormatter.FormatName;

            // Data goes to stdout, notes to stderr; and a reader who does not keep up must not stop the server.
            console.LogToStandardErrorThreshold = LogLevel.Trace;
            console.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite;
        });
    }

    private static void AddFile(WebApplicationBuilder builder)
    {
        LogFile.Create();
        var options = builder.AddSettings<LoggingOptions>("Logging").File;
        var isCommand = builder.Services.Any(static d => d.ImplementationInstance is ServerArguments { IsEmbedded: true });
        if (options.Path.Length == 0 || isCommand)
        {
            return; // a command that runs the server inside itself must not turn the server's files over
        }

        var path = Path.GetFullPath(options.Path, builder.Settings().WorkingDirectory);
        if (LogFile.Problem(path) is { } problem)
        {
            builder.Settings().AddProblem(problem);
            return;
        }

        // By the container, which lets it write its last lines; the factory would not wait.
        builder.Services.AddSingleton(p => new LogFile(options, path, p.GetRequiredService<TimeProvider>()));
        builder.Services.AddSingleton<ILoggerProvider>(static p => p.GetRequiredService<LogFile>());
    }

    private static void AddLevels(WebApplicationBuilder builder, TelemetryOptions options)
    {
        builder.Logging.SetMinimumLevel(options.LogLevel);
        if (options.LogLevel >= LogLevel.Information)
        {
            // One line per request of the framework says nothing that metrics and traces do not.
            builder.Logging.AddFilter("Microsoft", LogLevel.Warning).AddFilter("System", LogLevel.Warning);
        }

        // ASP.NET logs an exception that our edge answers and logs itself.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel.BadRequests", LogLevel.None);
        foreach (var (category, name) in options.LogLevels)
        {
            if (LogText.TryParse(name, out var level))
            {
                builder.Logging.AddFilter(category, level);
            }
            else
            {
                builder.Settings().AddProblem($"Telemetry:LogLevels:{category}: '{name}' is not a level; legal: {string.Join(" | ", Enum.GetNames<LogLevel>().SkipLast(1))}");
            }
        }
    }
}
