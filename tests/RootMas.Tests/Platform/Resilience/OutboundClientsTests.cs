using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server.Cli;
using RootMas.Server.Models;
using RootMas.Server.Models.OpenAi;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Architecture;
using RootMas.Tests.Support;
using RootMas.Tests.Tools;

namespace RootMas.Tests.Platform.Resilience;

/// <summary>Every client that reaches outside has a policy, and is seen to try again and to give up.</summary>
public sealed class OutboundClientsTests
{
    /// <summary>Types whose making, or whose factory, opens a way out of the process.</summary>
    private static readonly string[] Ways =
    [
        "HttpClient", "SocketsHttpHandler", "HttpClientHandler", "HttpMessageInvoker", "ClientWebSocket", "Socket", "TcpClient", "UdpClient", "SmtpClient",
        "NpgsqlDataSource", "NpgsqlDataSourceBuilder", "NpgsqlConnection", "PostgresConnection", "ConnectionMultiplexer", "ConnectionFactory",
    ];

    /// <summary>Where the policy stands when it is not in the file that makes the client, and why.</summary>
    private static readonly Dictionary<string, string> Elsewhere = new(StringComparer.Ordinal)
    {
        ["src/RootMas.Server/Tools/Outbound/GuardedHttpClient.cs"] = "src/RootMas.Server/Tools/Outbound/RetryPolicy.cs", // tools say whether a call may be repeated
        ["src/RootMas.Server/Tools/Outbound/AddressRace.cs"] = "src/RootMas.Server/Tools/Outbound/RetryPolicy.cs", // its connections
        ["src/RootMas.Server/Tools/Outbound/ConfiguredHttpClients.cs"] = "src/RootMas.Server/Tools/Outbound/RetryPolicy.cs",
        ["src/RootMas.Server/Models/OpenAi/ProviderTransport.cs"] = "src/RootMas.Server/Models/Pipeline/ModelEndpoint.cs", // each attempt has its row in the ledger
        ["src/RootMas.Server/Platform/Redis/RedisLink.cs"] = "src/RootMas.Server/Platform/Redis/RedisCircuit.cs", // a link tries for ever, when the circuit lets it
        ["src/RootMas.Server/Platform/Data/PostgresPool.cs"] = "src/RootMas.Server/Platform/Data/PostgresDatabase.cs", // a transaction begins again, not a statement
        ["src/RootMas.Server/Platform/Data/PostgresPresence.cs"] = "src/RootMas.Server/Platform/Data/PostgresDatabase.cs", // held anew every few seconds
        ["src/RootMas.Server/Platform/Migrations/PostgresMigrator.cs"] = "src/RootMas.Server/Platform/Data/PostgresDatabase.cs", // runs within the opening of the database
        ["src/RootMas.Server/Platform/Secrets/KeyLoading.cs"] = "src/RootMas.Server/Platform/Data/PostgresDatabase.cs", // the same
    };

    /// <summary>Commands that an operator or a container engine gives to learn how things are now: a second try would hide what they look for.</summary>
    private static readonly string[] Looks = ["src/RootMas.Server/Cli/HealthCommand.cs", "src/RootMas.Server/Cli/Doctor/ServiceChecks.cs", "src/RootMas.Server/Cli/Doctor/BrokerChecks.cs"];

    /// <summary>Calls nobody, or only for others, each of whom is looked at.</summary>
    private static readonly string[] Inward =
    [
        "src/RootMas.Server/Cli/Doctor/SystemChecks.cs", // tries whether a port is free
        "src/RootMas.Server/Platform/Data/PostgresConnection.cs", // whoever calls OpenAsync has the policy
    ];

    [Fact]
    public void Every_way_out_of_the_process_has_a_declared_policy()
    {
        var clients = new OutboundPolicies(new ResilienceOptions(), TimeProvider.System).Clients;
        var offences = from file in Sources.Product
                       where !Inward.Contains(file.Path) && !Looks.Contains(file.Path) && WaysOut(file).Any()
                       let holder = Elsewhere.GetValueOrDefault(file.Path, file.Path)
                       where !NamesPolicy(Sources.Product.SingleOrDefault(f => f.Path == holder))
                       select $"{string.Join(", ", WaysOut(file))} without a policy of OutboundPolicies";
        Assert.True(!offences.Any(), string.Join('\n', offences));

        // And each policy that is asked for is declared.
        var unknown = from file in Sources.Product
                      from call in file.Root.DescendantNodes().OfType<InvocationExpressionSyntax>()
                      where call.Expression is MemberAccessExpressionSyntax { Name.Identifier.Text: "Get" or "SettingsOf" } access && access.Expression.ToString().EndsWith("utbound", StringComparison.Ordinal)
                      let name = (call.ArgumentList.Arguments[0].Expression as LiteralExpressionSyntax)?.Token.ValueText
                      where name is not null && !clients.Contains(name)
                      select $"{file.At(call)}: {name}";
        Assert.Empty(unknown);
    }

    [Fact]
    public void The_table_of_the_docs_has_every_client_with_its_defaults_and_says_which_are_not_used_yet()
    {
        var policies = new OutboundPolicies(new ResilienceOptions(), TimeProvider.System);
        var rows = File.ReadLines(Repository.PathOf("docs/architecture.md")).Where(static l => l.StartsWith("| `", StringComparison.Ordinal)).ToList();
        var words = Sources.Product.Where(static f => f.Root.DescendantNodes().OfType<IdentifierNameSyntax>().Any(static n => n.Identifier.Text is "OutboundPolicies" or "OutboundPolicy" or "Policies"))
            .SelectMany(static f => f.Root.DescendantNodes().OfType<LiteralExpressionSyntax>()).Select(static l => l.Token.ValueText).ToHashSet(StringComparer.Ordinal);
        foreach (var client in policies.Clients)
        {
            var own = policies.SettingsOf(client);
            var row = Assert.Single(rows, l => l.StartsWith(string.Create(CultureInfo.InvariantCulture, $"| `{client}` | {own.Tries} / {own.Base.TotalSeconds} s / {own.Longest.TotalSeconds} s |"), StringComparison.Ordinal));
            Assert.Equal(!words.Contains(client), row.Contains("Not used yet", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void The_rule_sees_a_client_that_is_made_and_one_that_is_connected()
    {
        var file = Sources.Parse("src/x.cs", "class C { object A = new HttpClient(); object B = ConnectionMultiplexer.Connect(\"x\"); System.Net.Http.SocketsHttpHandler D = new() { UseCookies = false }; }").Single();
        Assert.Equal(3, WaysOut(file).Count());
        Assert.False(NamesPolicy(file));
    }

    public static TheoryData<string> Clients() => [.. new OutboundPolicies(new ResilienceOptions(), TimeProvider.System).Clients];

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task Each_declared_client_tries_again_gives_up_breaks_and_recovers(string client)
    {
        var isUp = false;
        await using var server = await LoopbackServer.StartAsync(http =>
        {
            http.Response.StatusCode = isUp ? 200 : 503;
            return Task.CompletedTask;
        });
        using var http = new HttpClient(new SocketsHttpHandler());
        var clock = new SteppedClock();
        var policy = Quick(client, clock).Get(client);
        async ValueTask<int> AskAsync(CancellationToken token)
        {
            using var answer = await http.GetAsync(server.Url, token);
            return (int)answer.StatusCode;
        }

        static OutboundVerdict Judge(int status, Exception? error) => status == 200 ? OutboundVerdict.Answered : OutboundVerdict.Again();
        Assert.Equal(503, await policy.ExecuteAsync(AskAsync, Judge, CancellationToken.None));
        Assert.Equal(policy.Tries, server.Requests.Count);

        while (policy.Circuit == "closed")
        {
            await policy.ExecuteOnceAsync(AskAsync, Judge, CancellationToken.None);
        }

        var before = server.Requests.Count;
        await Assert.ThrowsAsync<OutboundUnavailableException>(() => policy.ExecuteAsync(AskAsync, Judge, CancellationToken.None).AsTask());
        Assert.Equal(before, server.Requests.Count);
        isUp = true;
        clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(200, await policy.ExecuteAsync(AskAsync, Judge, CancellationToken.None));
        Assert.Equal("closed", policy.Circuit);
    }

    [Fact]
    public async Task The_list_of_models_is_asked_for_again_and_given_up()
    {
        await using var server = await LoopbackServer.StartAsync(static http =>
        {
            http.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        using var transport = new ProviderTransport(TimeProvider.System);
        var discovery = new ModelDiscovery(transport, Quick("discovery", TimeProvider.System), TimeProvider.System);
        var probe = await discovery.ProbeAsync(new ModelProvider { Name = "p", BaseUrl = server.Url }, TimeSpan.FromMinutes(1), CancellationToken.None);
        Assert.Equal("server_error", probe.ErrorClass);
        Assert.Equal(2, server.Requests.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_batch_of_telemetry_is_offered_again_and_dropped(bool sync)
    {
        await using var server = await LoopbackServer.StartAsync(static http =>
        {
            http.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        var transport = new OtlpTransport();
        transport.Use(Quick("otlp", TimeProvider.System));
        using var client = transport.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, server.Url) { Content = new ByteArrayContent([1, 2, 3]) };
        using var answer = sync ? await Task.Run(() => client.Send(request)) : await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(3, server.Requests.Count);
        Assert.All(server.Requests, static r => Assert.Equal("\u0001\u0002\u0003", r.Body));
    }

    [Fact]
    public async Task A_command_waits_for_a_server_that_is_starting_and_repeats_no_change_that_may_have_arrived()
    {
        var broken = 0;
        await using var server = await LoopbackServer.StartAsync(http =>
        {
            Interlocked.Increment(ref broken);
            http.Abort();
            return Task.CompletedTask;
        });
        using var client = new HttpClient(new PatientHandler(Quick("cli", TimeProvider.System).Get("cli"), new SocketsHttpHandler()));
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(server.Url));
        Assert.Equal(3, broken);
        await Assert.ThrowsAsync<HttpRequestException>(() => client.PostAsync(server.Url, new StringContent("once")));
        Assert.Equal(4, broken);

        // Nobody there: the change cannot have arrived.
        var tries = 0;
        using var nobody = new HttpClient(new PatientHandler(Quick("cli", TimeProvider.System).Get("cli"), new Counting(() => tries++)));
        await Assert.ThrowsAsync<HttpRequestException>(() => nobody.PostAsync(new Uri($"http://127.0.0.1:{ServerProcess.FreePort()}"), new StringContent("once")));
        Assert.Equal(3, tries);
    }

    /// <summary>A firewall that drops: the handler's own time-out for connections looks like a stop by the caller.</summary>
    [Fact]
    public async Task A_connection_that_is_not_made_in_time_counts_like_a_refused_one()
    {
        using var deaf = await DeafAddress.StartAsync(IPAddress.Loopback, 0);
        var (url, soon) = (new Uri($"http://127.0.0.1:{deaf.Port}"), TimeSpan.FromMilliseconds(100));
        var tries = 0;
        var handler = new ConnectTimeoutHandler(new SocketsHttpHandler { ConnectTimeout = soon });
        using var command = new HttpClient(new PatientHandler(Quick("cli", TimeProvider.System).Get("cli"), new Counting(() => tries++, handler)));
        var unreached = await Assert.ThrowsAsync<HttpRequestException>(() => command.PostAsync(url, new StringContent("once")));
        Assert.Equal((HttpRequestError.ConnectionError, 3), (unreached.HttpRequestError, tries));

        var policies = Quick("otlp", TimeProvider.System);
        var transport = new OtlpTransport(soon);
        transport.Use(policies);
        using var exporter = transport.Client();
        await Assert.ThrowsAsync<HttpRequestException>(() => exporter.PostAsync(url, new ByteArrayContent([1])));
        Assert.Equal("unreachable", policies.Get("otlp").LastFailure);
    }

    [Fact]
    public async Task A_tools_reading_call_is_repeated_and_a_changing_one_never_and_both_end_when_the_host_keeps_failing()
    {
        await using var server = await LoopbackServer.StartAsync(static http =>
        {
            http.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        using var bench = new ToolBench();
        await ToolBench.RunAsync(bench.Request, new { method = "GET", url = server.Url.AbsoluteUri });
        Assert.Equal(3, server.Requests.Count);
        await ToolBench.RunAsync(bench.Request, new { method = "POST", url = server.Url.AbsoluteUri, body = "x" });
        Assert.Equal(4, server.Requests.Count);
    }

    [Fact]
    public async Task What_happens_to_calls_is_counted_and_an_open_circuit_makes_health_degraded_and_not_unready()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Resilience:Webhook:BreakFor"] = "10m");
        var policy = app.Services.GetRequiredService<OutboundPolicies>().Get("webhook");
        while (policy.Circuit == "closed")
        {
            await policy.ExecuteOnceAsync(static _ => ValueTask.FromResult(0), static (_, _) => OutboundVerdict.Failed, CancellationToken.None);
        }

        using var health = JsonDocument.Parse(await app.Client.GetStringAsync("/health"));
        Assert.Equal("degraded", health.RootElement.GetProperty("services").GetProperty("outbound").GetString());
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/health/ready")).StatusCode);
        var metrics = await app.Client.GetStringAsync("/metrics");
        Assert.Contains("rootmas_outbound_circuit{client=\"webhook\"} 2", metrics, StringComparison.Ordinal);
        Assert.Contains("rootmas_outbound_attempts_total{client=\"webhook\",outcome=\"refused\"}", metrics, StringComparison.Ordinal);
        Assert.Contains("rootmas_outbound_give_ups_total{client=\"webhook\"}", metrics, StringComparison.Ordinal);
    }

    private static IEnumerable<string> WaysOut(SourceFile file) =>
        file.Root.DescendantNodes().Select(node => node switch
        {
            ObjectCreationExpressionSyntax made when IsWay(made.Type.ToString()) => file.At(made),
            ImplicitObjectCreationExpressionSyntax { Parent: EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax { Parent: VariableDeclarationSyntax declared } } } made when IsWay(declared.Type.ToString()) => file.At(made),
            ImplicitObjectCreationExpressionSyntax { Parent: ArrowExpressionClauseSyntax { Parent: MethodDeclarationSyntax method } } made when IsWay(method.ReturnType.ToString()) => file.At(made),
            MemberAccessExpressionSyntax { Name.Identifier.Text: "Connect" or "ConnectAsync" or "Create" or "OpenAsync" } call when IsWay(call.Expression.ToString()) => file.At(call),
            _ => null,
        }).OfType<string>();

    private static bool IsWay(string type) => Ways.Contains(type.Split('.')[^1]);

    private static bool NamesPolicy(SourceFile? file) =>
        file?.Root.DescendantNodes().OfType<IdentifierNameSyntax>().Any(static n => n.Identifier.Text is "OutboundPolicies" or "OutboundPolicy") is true;

    /// <summary>The shipped table, with waits of a millisecond for this client, and time for each try on a machine that does much else.</summary>
    private static OutboundPolicies Quick(string client, TimeProvider clock)
    {
        var options = new ResilienceOptions();
        var property = typeof(ResilienceOptions).GetProperties().Single(p => p.Name.Equals(client, StringComparison.OrdinalIgnoreCase));
        property.SetValue(options, (OutboundSettings)property.GetValue(options)! with { Base = TimeSpan.FromMilliseconds(1), Timeout = TimeSpan.FromMinutes(1) });
        return new OutboundPolicies(options, clock);
    }

    private sealed class Counting(Action sending, HttpMessageHandler? inner = null) : DelegatingHandler(inner ?? new SocketsHttpHandler())
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            sending();
            return base.SendAsync(request, cancellationToken);
        }
    }
}
