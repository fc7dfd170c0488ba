using System.Text;
using Npgsql;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Cli.Doctor;

/// <summary>RabbitMQ: reachable from here, which version, and which queues are this installation's.</summary>
internal static class BrokerChecks
{
    private const string Queues = "rabbitmq queues";
    private static readonly Version Oldest = new(3, 10);

    public static async Task<List<Finding>> AllAsync(BrokerOptions options, DatabaseOptions database, CancellationToken cancellationToken)
    {
        try
        {
            var factory = new ConnectionFactory { Uri = new Uri(options.Uri), RequestedConnectionTimeout = options.ConfirmTimeout, AutomaticRecoveryEnabled = false, ClientProvidedName = "rootmas doctor" };
            await using var connection = await factory.CreateConnectionAsync(cancellationToken);
            await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken); // a virtual host that is not there is told only now
            return [Version(connection), await NamesAsync(connection, options, database, cancellationToken)];
        }
        catch (Exception e) when (e is RabbitMQClientException or IOException or TimeoutException) // one that was never made is an IOException too
        {
            return [Finding.Bad("rabbitmq server", $"cannot be used: {BrokerTrouble.Of(e).Text}", "Is it started, are address, user, password and virtual host right? Without it runs are found in the database, a moment later.")];
        }
    }

    private static Finding Version(IConnection connection)
    {
        var text = connection.ServerProperties?.TryGetValue("version", out var value) == true && value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : "";
        return !System.Version.TryParse(text.Split('-', '+')[0], out var version) ? Finding.Note("rabbitmq server", "answers, and does not tell its version", "Version 3.10 or later is needed, for quorum queues.")
            : version >= Oldest ? Finding.Ok("rabbitmq server", $"version {version}")
            : Finding.Bad("rabbitmq server", $"version {version}", $"Version {Oldest} or later is needed, for quorum queues.");
    }

    private static async Task<Finding> NamesAsync(IConnection connection, BrokerOptions options, DatabaseOptions database, CancellationToken cancellationToken)
    {
        if (options.Queue.Length > 0)
        {
            return Finding.Ok(Queues, $"{options.Queue}.*, as RabbitMq:Queue says: no other installation on this broker may have it");
        }

        if (await InstallationAsync(database, cancellationToken) is not { } installation)
        {
            return Finding.Ok(Queues, $"{BrokerNames.Shared}.ID.*, with this installation's id, which its database does not tell yet");
        }

        var names = BrokerNames.Of(options, installation);
        return (await BrokerTopology.FindOldAsync(connection, names, cancellationToken)).Count == 0
            ? Finding.Ok(Queues, $"{names.Queue}.*, this installation's own")
            : Finding.Note(Queues, $"{names.Queue}.*, this installation's own; there are queues {names.Before}.* of versions before, whose runs are taken beside", "When no process of such a version runs on this broker any more, and no other installation has that name, look at their dead letters and delete them (docs/operations.md).");
    }

    private static async Task<string?> InstallationAsync(DatabaseOptions options, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await PostgresConnection.OpenAsync(options, writes: false, cancellationToken);
            await using var command = new NpgsqlCommand(InstallationId.MadeAt, connection);
            return await command.ExecuteScalarAsync(cancellationToken) is long made ? InstallationId.Of(UnixTime.FromMicros(made)) : null;
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or System.Net.Sockets.SocketException)
        {
            return null; // not there yet, or what is said of PostgreSQL tells why
        }
    }
}
