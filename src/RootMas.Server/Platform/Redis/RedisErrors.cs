using StackExchange.Redis;

namespace RootMas.Server.Platform.Redis;

/// <summary>What went wrong with Redis, in a word that may be shown.</summary>
internal static class RedisErrors
{
    private static readonly string[] Told = ["LOADING", "OOM", "READONLY", "NOAUTH", "WRONGPASS", "NOPERM", "MISCONF", "NOSCRIPT", "BUSY", "MASTERDOWN"];

    public static string ClassOf(Exception error) => error switch
    {
        TimeoutException => "timeout",
        RedisConnectionException connection => connection.FailureType switch
        {
            ConnectionFailureType.AuthenticationFailure => "login_refused",
            ConnectionFailureType.UnableToResolvePhysicalConnection => "cannot_connect",
            ConnectionFailureType.UnableToConnect => "cannot_connect",
            ConnectionFailureType.Loading => "loading",
            _ => "connection_lost",
        },
        RedisServerException answer => Array.Find(Told, word => answer.Message.StartsWith(word, StringComparison.Ordinal))?.ToLowerInvariant() ?? "error",
        ObjectDisposedException or OperationCanceledException or IOException => "connection_lost",
        _ => "error",
    };

    /// <summary>Redis, or the way to it, did not do what was asked; not: we asked nonsense.</summary>
    public static bool IsOutage(Exception error) =>
        error is TimeoutException or RedisException or ObjectDisposedException or OperationCanceledException or IOException or System.Net.Sockets.SocketException;
}
