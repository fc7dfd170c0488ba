using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Resilience;

/// <summary>
/// How this program waits for services outside of it, all in one place: one entry per kind of client (section <c>Resilience</c>). A client that is not here cannot be had
/// from <see cref="OutboundPolicies"/>, and a test finds those that are made without it.
/// </summary>
public sealed record ResilienceOptions
{
    /// <summary>Model endpoints; what a provider says in models.yaml counts more. The time-outs are the provider's.</summary>
    public OutboundSettings Model { get; init; } = new() { Tries = 3, Base = Seconds(2), Longest = Seconds(30), Timeout = Seconds(300), BreakFor = Seconds(5) };

    /// <summary>Lists of models of providers, Ollama included, and the doctor's questions to them. The start waits for them, so little is waited.</summary>
    public OutboundSettings Discovery { get; init; } = new() { Tries = 2, Base = Seconds(0.05), Longest = Seconds(1), Timeout = Seconds(3) };

    /// <summary>Redis. Its circuit counts failures in a row, of commands and of tries to connect: it is asked by every request, and goes on being asked on several connections.</summary>
    public OutboundSettings Redis { get; init; } = new() { Tries = 5, Base = Seconds(0.5), Longest = Seconds(10), Timeout = Seconds(2), BreakFor = Seconds(5) };

    /// <summary>RabbitMQ.</summary>
    public OutboundSettings RabbitMq { get; init; } = new() { Timeout = Seconds(10) };

    /// <summary>PostgreSQL: transactions that begin again after a connection was lost. Statements have a time-out of their own (<c>Database:CommandTimeout</c>). It is left alone for moments only: nothing goes on without it.</summary>
    public OutboundSettings Postgres { get; init; } = new() { Tries = 3, Base = Seconds(0.1), Longest = Seconds(1), Timeout = Seconds(300), BreakAfter = 20, BreakFor = Seconds(0.5) };

    /// <summary>Web pages and services that tools call, each origin with a circuit of its own. One request takes at most <c>Outbound:Timeout</c>, if that is less.</summary>
    public OutboundSettings Http { get; init; } = new() { Tries = 3, Base = Seconds(1), Longest = Seconds(20), Timeout = Seconds(60) };

    /// <summary>Search engines.</summary>
    public OutboundSettings Search { get; init; } = new() { Tries = 3, Base = Seconds(1), Longest = Seconds(20), Timeout = Seconds(60) };

    /// <summary>Speech services. Declared for the client that is to come: nothing calls one yet.</summary>
    public OutboundSettings Voice { get; init; } = new() { Tries = 2, Base = Seconds(1), Longest = Seconds(10), Timeout = Seconds(60) };

    /// <summary>S3-compatible storage.</summary>
    public OutboundSettings S3 { get; init; } = new() { Timeout = Seconds(300) };

    /// <summary>Webhooks, each target with a circuit of its own. Declared for the client that is to come: nothing calls one yet.</summary>
    public OutboundSettings Webhook { get; init; } = new() { Timeout = Seconds(20) };

    /// <summary>The collector of traces, metrics and logs. What it does not take in time is dropped: telemetry must not fill the memory.</summary>
    public OutboundSettings Otlp { get; init; } = new() { Timeout = Seconds(10) };

    /// <summary>Commands that talk to a Root-MAS server. A person waits, so they give up early when nobody is there; the time-out ends at an answer's first byte.</summary>
    public OutboundSettings Cli { get; init; } = new() { Tries = 3, Base = Seconds(0.25), Longest = Seconds(2), Timeout = Seconds(900), BreakAfter = 20, BreakFor = Seconds(1) };

    /// <summary>Anything else. Nothing is: every client has its own entry.</summary>
    public OutboundSettings Other { get; init; } = new();

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);
}

/// <summary>One kind of client.</summary>
public sealed record OutboundSettings
{
    /// <summary>Times that a call which may be repeated is sent at most; 1: never again.</summary>
    [Range(1, 20)]
    public int Tries { get; init; } = 3;

    /// <summary>Wait before the second try. It doubles from try to try, with jitter.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:05:00")]
    public TimeSpan Base { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait between two tries. A service that asks for more (<c>Retry-After</c>) is not asked again.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan Longest { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Time for one try.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Tries within 30 s, half of them or more failing, after which the service is left alone for a while. Of Redis: failures in a row.</summary>
    [Range(2, 1_000)]
    public int BreakAfter { get; init; } = 5;

    /// <summary>Time for which it is left alone; then one call tries.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "01:00:00")]
    public TimeSpan BreakFor { get; init; } = TimeSpan.FromSeconds(10);
}
