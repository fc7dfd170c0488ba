using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Tools;
using RootMas.Tests.Architecture;
using RootMas.Tests.Backups;
using RootMas.Tests.Models;
using RootMas.Tests.Platform.Data;
using RootMas.Tests.Platform.Redis;
using RootMas.Tests.Support;
using RootMas.Tests.Tools;

namespace RootMas.Tests.Platform.Resilience;

/// <summary>Each client that is used, itself and not only its policy, is seen to try again and to give up against something that fails.</summary>
public sealed partial class OutboundSeenTests
{
    private static readonly Dictionary<string, (Type Tests, string Test)> Seen = new(StringComparer.Ordinal)
    {
        ["model"] = (typeof(ProviderFaultTests), nameof(ProviderFaultTests.A_model_that_keeps_failing_is_asked_as_often_as_declared_and_given_up)),
        ["discovery"] = (typeof(OutboundClientsTests), nameof(OutboundClientsTests.The_list_of_models_is_asked_for_again_and_given_up)),
        ["redis"] = (typeof(RedisCircuitTests), nameof(RedisCircuitTests.A_Redis_that_is_killed_is_tried_again_given_up_left_alone_and_used_again_when_one_try_succeeded)),
        ["rabbitmq"] = (typeof(OutboundSeenTests), nameof(A_broker_that_takes_no_connection_is_tried_again_and_given_up)),
        ["postgres"] = (typeof(PostgresFaultTests), nameof(PostgresFaultTests.While_the_server_is_down_calls_get_503_liveness_stays_green_and_all_is_well_when_it_returns)),
        ["http"] = (typeof(OutboundClientsTests), nameof(OutboundClientsTests.A_tools_reading_call_is_repeated_and_a_changing_one_never_and_both_end_when_the_host_keeps_failing)),
        ["search"] = (typeof(OutboundSeenTests), nameof(A_search_engine_that_fails_is_asked_again_and_given_up)),
        ["s3"] = (typeof(OffsiteTests), nameof(OffsiteTests.A_server_that_always_fails_is_given_up_after_the_tries_of_the_policy)),
        ["otlp"] = (typeof(OutboundClientsTests), nameof(OutboundClientsTests.A_batch_of_telemetry_is_offered_again_and_dropped)),
        ["cli"] = (typeof(OutboundClientsTests), nameof(OutboundClientsTests.A_command_waits_for_a_server_that_is_starting_and_repeats_no_change_that_may_have_arrived)),
    };

    /// <summary>Declared, and not used by this version, as the table of the documentation says.</summary>
    private static readonly string[] Unused = ["voice", "webhook", "other"];

    [Fact]
    public void Every_client_that_is_used_is_seen_by_a_test_of_its_own()
    {
        var clients = new OutboundPolicies(new ResilienceOptions(), TimeProvider.System).Clients;
        Assert.Equal(clients.Order(StringComparer.Ordinal), Seen.Keys.Concat(Unused).Order(StringComparer.Ordinal));
        Assert.All(Seen.Values, static s => Assert.Contains(s.Tests.GetMethod(s.Test)!.GetCustomAttributes(inherit: true), static a => a is FactAttribute));

        // Whoever begins to use one of the others has to show it.
        var used = Sources.Product.SelectMany(static f => Asked().Matches(f.Root.ToFullString())).Select(static m => m.Groups["client"].Value).ToHashSet(StringComparer.Ordinal);
        Assert.Empty(used.Intersect(Unused, StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_search_engine_that_fails_is_asked_again_and_given_up()
    {
        await using var server = await LoopbackServer.StartAsync(static http =>
        {
            http.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        using var bench = new ToolBench(tools: new ToolsOptions { Search = new SearchOptions { Kind = "searxng", BaseUrl = server.Url, ApiKey = "key-1" } });
        Assert.Contains("503", (await ToolBench.FailAsync(bench.Search, new { query = "x" })).Message, StringComparison.Ordinal);
        Assert.Equal(new ResilienceOptions().Search.Tries, server.Requests.Count);
    }

    [Fact]
    public async Task A_broker_that_takes_no_connection_is_tried_again_and_given_up()
    {
        using var hanging = new HangingUp();
        await using var test = new TestDatabase();
        var policies = new OutboundPolicies(new ResilienceOptions { RabbitMq = new ResilienceOptions().RabbitMq with { Base = TimeSpan.FromMilliseconds(1) } }, TimeProvider.System);
        using var broker = new RabbitBroker(new BrokerOptions { Uri = $"amqp://guest:guest@127.0.0.1:{hanging.Port}" }, test.Database, policies, TimeProvider.System, NullLogger<RabbitBroker>.Instance);
        await broker.StartAsync(default);
        await Wait.UntilAsync(() => broker.Trouble is not null);
        Assert.InRange(hanging.Connections, policies.SettingsOf("rabbitmq").Tries, int.MaxValue);
        Assert.False(broker.IsConnected);
        Assert.Matches("^[a-z_]+$", policies.Get("rabbitmq").LastFailure); // its own words, which /health shows; no type of an exception
        await broker.StopAsync(default);
    }

    [GeneratedRegex("""(?:Get|SettingsOf|Of)\("(?<client>[a-z0-9]+)"[,)]""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex Asked();

    /// <summary>Takes connections and ends them.</summary>
    private sealed class HangingUp : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private int _connections;

        public HangingUp()
        {
            _listener.Start();
            _ = TakeAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public int Connections => Volatile.Read(ref _connections);

        public void Dispose() => _listener.Dispose();

        private async Task TakeAsync()
        {
            try
            {
                while (true)
                {
                    using var taken = await _listener.AcceptSocketAsync();
                    Interlocked.Increment(ref _connections);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // disposed
            }
        }
    }
}
