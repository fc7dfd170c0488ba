using StackExchange.Redis;

namespace RootMas.Server.Platform.Redis;

/// <summary>What went wrong with Redis, in a word that may be shown.</summary>
internal static class RedisErrors
{
    private static readonly string[] Told = ["LOADING", "OOM", "READONLY", "NOAUTH", "WRONGPASS", "NOPERM", "MISCONF", "NOSCRIPT", "BUSY", "MASTERDOWN"];

    /// <summary>A command within a script that its user may not give.</summary>
    private const string NotInScripts = "user executing the script can't";

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
        RedisServerException answer => Array.Find(Told, word => Says(answer.Message, word))?.ToLowerInvariant() ?? (answer.Message.Contains(NotInScripts, StringComparison.Ordinal) ? "noperm" : "error"),
        ObjectDisposedException or OperationCanceledException or IOException => "connection_lost",
        _ => "error",
    };

    /// <summary>The class of an answer: Redis does not do what it is there for.</summary>
    public static bool IsRefusal(string kind) => Array.Exists(Told, word => word.Equals(kind, StringComparison.OrdinalIgnoreCase));

    /// <summary>Of a command within a script older servers tell the error behind words of their own.</summary>
    private static bool Says(string message, string word) => message.StartsWith(word, StringComparison.Ordinal) || message.Contains($"-{word} ", StringComparison.Ordinal);

    /// <summary>Redis, or the way to it, did not do what was asked; not: we asked nonsense.</summary>
    public static bool IsOutage(Exception error) =>
        error is TimeoutException or RedisException or ObjectDisposedException or OperationCanceledException or IOException or System.Net.Sockets.SocketException;
}
