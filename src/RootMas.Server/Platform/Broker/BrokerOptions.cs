using System.ComponentModel.DataAnnotations;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Broker;

/// <summary>RabbitMQ: hands runs to the workers of an installation of several machines. Section <c>RabbitMq</c>.</summary>
public sealed record BrokerOptions : IValidatableObject
{
    /// <summary><c>amqp://user:password@host:5672/vhost</c>, or <c>amqps</c> with TLS. Empty: no broker; workers find runs in the database.</summary>
    [Secret]
    public string Uri { get; init; } = "";

    /// <summary>Beginning of the names of the queues, the same for all instances of an installation. Empty: <c>rootmas.runs.</c> and the installation's id, so that several installations on one broker do not meet.</summary>
    [RegularExpression("^[A-Za-z0-9._-]{0,100}$")]
    public string Queue { get; init; } = "";

    /// <summary>Runs that the broker hands to this process at a time, per queue, before some are finished. 0: as many as <c>Runs:Parallelism</c>.</summary>
    [Range(0, 65_535)]
    public int Prefetch { get; init; }

    /// <summary>Deliveries of one message after which it goes to the dead letters. Whether a run is given up is decided by the database (<c>Runs:AttemptsWithoutProgress</c>); this only catches what nobody can read. Changing it needs new queues.</summary>
    [Range(3, 1_000)]
    public int DeliveryLimit { get; init; } = 20;

    /// <summary>New root runs of one user that the broker has at a time; further ones wait in the database for their turn.</summary>
    [Range(1, 10_000)]
    public int OfferedPerUser { get; init; } = 32;

    /// <summary>A connection on which nothing comes for two of these is dead.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long to wait until the broker has confirmed a message; after that the connection counts as lost and the message is sent again.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "00:02:00")]
    public TimeSpan ConfirmTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A broker is configured.</summary>
    internal bool IsUsed => Uri.Length > 0;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        // The value may hold a password: it is not repeated.
        if (IsUsed && !(System.Uri.TryCreate(Uri, UriKind.Absolute, out var uri) && uri.Scheme is "amqp" or "amqps" && uri.Host.Length > 0))
        {
            yield return new ValidationResult("must look like amqp://user:password@host:5672/vhost, or amqps://…", [nameof(Uri)]);
        }
    }
}
