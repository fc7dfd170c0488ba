namespace RootMas.Server.Platform.Broker;

/// <summary>How the queues of an installation are called.</summary>
/// <param name="Installation">See <see cref="Data.InstallationId"/>. Every message carries it.</param>
/// <param name="Queue">Beginning of the names.</param>
/// <param name="Before">Beginning of the names that older versions used on this setting: their queues of runs are emptied beside, until a message of somebody else is in one. Null: the same, or they are left.</param>
internal sealed record BrokerNames(string Installation, string Queue, string? Before)
{
    /// <summary>Of all installations, until each had a name of its own.</summary>
    public const string Shared = "rootmas.runs";

    public static BrokerNames Of(BrokerOptions options, string installation) =>
        options.Queue.Length > 0 ? new BrokerNames(installation, options.Queue, null) : new BrokerNames(installation, $"{Shared}.{installation}", Shared);

    public string NameOf(BrokerQueue queue) => NameOf(Queue, queue);

    public static string NameOf(string beginning, BrokerQueue queue) => $"{beginning}.{queue.ToString().ToLowerInvariant()}";
}
