using System.Net;
using RootMas.Runtime.Tools;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Tools.Calculator;
using RootMas.Server.Tools.Outbound;
using RootMas.Server.Tools.Web;

namespace RootMas.Server.Tools;

/// <summary>The built-in tools, the catalog of all tools, and the clients that reach the outside.</summary>
public static class ToolsSlice
{
    public static void AddTools(this WebApplicationBuilder builder)
    {
        builder.AddSettings<ToolsOptions>("Tools");
        builder.AddSettings<OutboundOptions>("Outbound");

        var services = builder.Services;
        services.AddSingleton<HostResolver>(static (host, cancellationToken) => Dns.GetHostAddressesAsync(host, cancellationToken));
        services.AddSingleton<AddressPolicy>();
        services.AddSingleton<OutboundMetrics>();
        services.AddSingleton<RetryPolicy>();
        services.AddSingleton<GuardedHttpClient>();
        services.AddSingleton<ConfiguredHttpClients>();

        services.AddSingleton<Tool, CalculatorTool>();
        services.AddSingleton<Tool, CurrentTimeTool>();
        services.AddSingleton<Tool, FetchPageTool>();
        services.AddSingleton<Tool, WebSearchTool>();
        services.AddSingleton<Tool, HttpRequestTool>();
        services.AddSingleton<SecretUses>(static p => new HttpCredentials(p.GetRequiredService<ToolsOptions>().Http, p.GetRequiredService<SecretVault>()).UsesOf);
        services.AddSingleton<IToolCatalog, ToolCatalog>();
    }
}
