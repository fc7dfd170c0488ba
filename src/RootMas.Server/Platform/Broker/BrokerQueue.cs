namespace RootMas.Server.Platform.Broker;

/// <summary>One queue for each class of urgency: quorum queues of RabbitMQ before 4.0 know no priorities. Numbers are stored.</summary>
public enum BrokerQueue
{
    /// <summary>Runs that go on, and parts of runs.</summary>
    First,

    /// <summary>New runs that somebody sits in front of.</summary>
    Interactive,

    /// <summary>New runs that nobody sits in front of.</summary>
    Background,

    /// <summary>What nobody could read, or was brought too often.</summary>
    Dead,
}

/// <param name="Messages">That wait to be handed to somebody.</param>
public sealed record BrokerQueueState(string Name, long Messages, int Consumers);
