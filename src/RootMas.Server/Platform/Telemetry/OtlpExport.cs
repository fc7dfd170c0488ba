using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Sends traces, metrics and logs to an OTLP collector. Made only when an endpoint is set, so that nobody else loads the SDK.</summary>
internal sealed class OtlpExport(Uri endpoint, OtlpTransport transport) : IHostedService, IDisposable
{
    private TracerProvider? _traces;
    private MeterProvider? _metrics;

    public static void AddLogs(ILoggingBuilder logging, Uri endpoint, OtlpTransport transport) =>
        logging.AddOpenTelemetry(options =>
        {
            options.SetResourceBuilder(Resource());
            options.IncludeScopes = true;
            options.AddOtlpExporter(exporter => Configure(exporter, endpoint, "logs", transport));
        });

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _traces = Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(Resource())
            .AddSource("RootMas*", "Microsoft.AspNetCore", "System.Net.Http", "Experimental.Microsoft.Extensions.AI")
            .AddOtlpExporter(exporter => Configure(exporter, endpoint, "traces", transport))
            .Build();
        _metrics = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(Resource())
            .AddMeter("RootMas*", "Microsoft.AspNetCore.*", "System.Net.*", "System.Runtime", "Experimental.Microsoft.Extensions.AI")
            .AddView(MetricInstrument.LookUps, new MetricStreamConfiguration { TagKeys = ["error.type"] }) // not the names
            .AddOtlpExporter(exporter => Configure(exporter, endpoint, "metrics", transport))
            .Build();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _traces?.ForceFlush(2_000);
        _metrics?.ForceFlush(2_000);
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        _traces?.Dispose();
        _metrics?.Dispose();
    }

    private static ResourceBuilder Resource() => ResourceBuilder.CreateDefault().AddService("rootmas", serviceVersion: ProgramVersion.Text);

    private static void Configure(OtlpExporterOptions exporter, Uri endpoint, string signal, OtlpTransport transport)
    {
        // gRPC has one address for all; over HTTP each signal has its path, which the exporter adds only to addresses it found itself.
        var http = endpoint.Port == 4318 || endpoint.AbsolutePath.Length > 1;
        exporter.Protocol = http ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        exporter.Endpoint = http ? new Uri($"{endpoint.AbsoluteUri.TrimEnd('/')}/v1/{signal}") : endpoint;
        exporter.HttpClientFactory = transport.Client;
    }
}
