using System.Net.Sockets;
using System.Security.Authentication;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Broker;

/// <summary>Why RabbitMQ cannot be used, in the same words for <c>/health</c>, the log and <c>doctor</c>.</summary>
/// <param name="Class">A word that may be shown.</param>
/// <param name="Text">For people; no secrets, no addresses.</param>
internal sealed record BrokerTrouble(string Class, string Text)
{
    public const string Unreachable = "unreachable";

    public static BrokerTrouble Lost { get; } = new("lost", "the connection was lost");

    /// <summary>The library wraps what happened several times; the outermost that says something counts.</summary>
    public static BrokerTrouble Of(Exception failure) =>
        All(failure).Select(Known).FirstOrDefault(static t => t is not null) ?? new BrokerTrouble(Unreachable, "RabbitMQ cannot be reached");

    private static IEnumerable<Exception> All(Exception e)
    {
        var inner = e switch
        {
            AggregateException many => (IEnumerable<Exception>)many.InnerExceptions,
            { InnerException: { } one } => [one],
            _ => [],
        };
        return inner.SelectMany(All).Prepend(e);
    }

    private static BrokerTrouble? Known(Exception e) => e switch
    {
        StorageUnavailableException => new("unavailable", "the names of its queues come from the database, which does not answer"),
        AuthenticationFailureException => new("auth", "RabbitMQ refuses the user or password of RabbitMq:Uri"),
        PossibleAuthenticationFailureException => new("auth", "RabbitMQ hung up on the user of RabbitMq:Uri: user or password may be wrong"),
        OperationInterruptedException { ShutdownReason.ReplyCode: var code } => OfCode(code),
        SocketException socket => OfSocket(socket.SocketErrorCode),
        TimeoutException or OperationCanceledException => new("timeout", "RabbitMQ does not answer in time"),
        AuthenticationException => new("tls", "the certificate at the address of RabbitMq:Uri is not trusted here, or there is no TLS there"),
        BrokerUnreachableException => null, // what it wraps says why
        IOException => new("lost", "what answers at the address of RabbitMq:Uri ended the connection"),
        _ => null,
    };

    private static BrokerTrouble OfCode(ushort code) => code switch
    {
        Constants.NotAllowed => new("vhost", "RabbitMQ does not open the virtual host of RabbitMq:Uri: there is none of that name, or not for this user"),
        Constants.AccessRefused => new("auth", "RabbitMQ does not let the user of RabbitMq:Uri make or use its queues"),
        Constants.PreconditionFailed => new("queue_differs", "a queue exists with other properties: delete it when it is empty, or set RabbitMq:Queue to a new name"),
        _ => new("lost", "RabbitMQ ended the connection"),
    };

    private static BrokerTrouble OfSocket(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => new("refused", "nothing listens at the address of RabbitMq:Uri"),
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain or SocketError.NoRecovery => new("dns", "the host name of RabbitMq:Uri is not known here"),
        SocketError.TimedOut => new("timeout", "RabbitMQ does not answer in time"),
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => new("lost", "what answers at the address of RabbitMq:Uri ended the connection"),
        _ => new(Unreachable, "there is no way to the address of RabbitMq:Uri"),
    };
}
