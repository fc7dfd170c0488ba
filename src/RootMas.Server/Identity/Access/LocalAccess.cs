using System.Net;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Access;

/// <summary>
/// The token of the data directory. Whoever can read that directory could change the database too, so they are the operator: the local administrator, also while nobody can log in.
/// Written anew by each process that takes the directory, and good only for a client on this machine that comes without a proxy in between.
/// </summary>
public sealed class LocalAccess(DataDirectory data, LocalUser user, IDatabase database, AuditLog audit)
{
    public const string Prefix = "rml_";
    private const string FileName = "local-token";

    private string _token = "";
    private Task? _recorded;

    /// <summary>The token in a data directory, for the command line; null: there is none, or it may not be read.</summary>
    public static string? Read(DataDirectory data)
    {
        ArgumentNullException.ThrowIfNull(data);
        try
        {
            return File.ReadAllText(data.File(FileName)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes a new token. Only the owner of the directory may call it.</summary>
    public void Write()
    {
        var token = OpaqueSecret.New(Prefix);
        PrivateFile.Write(data, FileName, token);
        _token = token;
    }

    public ValueTask<Authentication> AuthenticateAsync(HttpContext context, string secret)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!CryptographicOperations.FixedTimeEquals(MemoryMarshal.AsBytes(secret.AsSpan()), MemoryMarshal.AsBytes(_token.AsSpan())))
        {
            return ValueTask.FromResult<Authentication>(Problems.Unauthorized("token_invalid", "This is not the token of this server's data directory. It changes with each start: read <data>/local-token again."));
        }

        if (!IsOnThisMachine(context))
        {
            return ValueTask.FromResult<Authentication>(Problems.Forbidden("local_token_not_local", "The token of the data directory is good only on the server's own machine and without a proxy in between. Log in, or use an API key."));
        }

        return _recorded is { IsCompletedSuccessfully: true } ? ValueTask.FromResult<Authentication>(user.Caller) : RecordAsync(context);
    }

    /// <summary>A request that went through a proxy was not made by a client here, or cannot be told from one that was not.</summary>
    internal static bool IsOnThisMachine(HttpContext context)
    {
        // Where the server listens on no loopback address, a client here comes from the address that it calls: the system gives it that one, and lets nobody from elsewhere have it.
        var isHere = context.Connection.RemoteIpAddress is { } address && (IPAddress.IsLoopback(address) || address.Equals(context.Connection.LocalIpAddress));
        return isHere && !ClientOrigins.IsForwarded(context.Request.Headers);
    }

    /// <summary>That the operator's way in was used at all, once in the life of a process; what they do has rows of its own.</summary>
    private async ValueTask<Authentication> RecordAsync(HttpContext context)
    {
        var recorded = _recorded;
        if (recorded is null or { IsFaulted: true } or { IsCanceled: true })
        {
            var entry = context.Audit("auth.local") with { ActorId = user.Caller.UserId, ActorName = user.Caller.Username, Credential = "local" };
            var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (Interlocked.CompareExchange(ref _recorded, mine.Task, recorded) == recorded)
            {
                try
                {
                    await database.WriteAsync(session => audit.AppendAsync(session, entry), CancellationToken.None);
                    mine.SetResult();
                }
                catch (Exception e)
                {
                    mine.SetException(e);
                    throw;
                }
            }
        }

        await _recorded!;
        return user.Caller;
    }
}

/// <summary>Small secrets that lie in the data directory for people and programs who may read it.</summary>
internal static class PrivateFile
{
    /// <summary>Mode 600, and never half written.</summary>
    public static void Write(DataDirectory data, string name, string text)
    {
        var temporary = $"{name}.{Guid.CreateVersion7():N}";
        using (var file = data.Open(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
        {
            file.Write(Encoding.ASCII.GetBytes(text + "\n"));
        }

        File.Move(data.File(temporary), data.File(name), overwrite: true);
    }
}
