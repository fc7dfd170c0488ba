using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Users;

/// <summary>
/// How the first administrator comes to be: by whoever can read the one-time token in the data directory, or by the environment. Either way the local administrator's row gets a name and a password,
/// so what was made before belongs to the same person.
/// </summary>
public sealed class FirstAdmin(DataDirectory data, IDatabase database, UserStore users, LocalUser local, AuditLog audit, ChangeFeed changes)
{
    public const string FileName = "setup-token";
    private const string Prefix = "rmu_";
    private volatile bool _isOpen;
    private string _token = "";

    /// <summary>Nobody has been set up, as far as is known here; other instances tell of it within moments.</summary>
    public bool IsOpen => _isOpen;

    /// <summary>Nobody has been set up, here or elsewhere. Asks nothing any more once somebody has.</summary>
    public async ValueTask<bool> IsStillOpenAsync(CancellationToken cancellationToken)
    {
        // Until then the name is what this instance knows: one that was read a moment ago may be older.
        if (_isOpen && await users.OperatorAsync(cancellationToken) is { IsSetUp: true } now)
        {
            local.Set(now.Id, now.Username);
            Close();
        }

        return _isOpen;
    }

    public string TokenPath => data.File(FileName);

    public static Problem Done() => Problems.Conflict("setup_done", "This server has been set up already. Log in at POST /api/v1/auth/login. Nothing was done.");

    public static Problem WrongToken() =>
        Problems.Forbidden("setup_token_wrong", "This is not the setup token. It lies in the file setup-token of the data directory, and changes with each start. Nothing was done.");

    /// <summary>Looks whether setup is open, and if so writes a new token, which is returned.</summary>
    public async Task<string?> OpenAsync(CancellationToken cancellationToken)
    {
        if (!await database.ReadAsync(UserStore.IsEmptyAsync, cancellationToken))
        {
            Close();
            return null;
        }

        _token = OpaqueSecret.New(Prefix);
        PrivateFile.Write(data, FileName, _token);
        _isOpen = true;
        return _token;
    }

    public bool IsToken(string token) => _isOpen && OpaqueSecret.AreEqual(token, _token);

    /// <summary>Exactly one call wins. What is done with the new administrator is part of the same transaction.</summary>
    /// <returns>Default: somebody else was faster.</returns>
    public async Task<T?> SetUpAsync<T>(string username, string passwordHash, AuditEntry entry, Func<DbSession, Credentials, ValueTask<T>> then, CancellationToken cancellationToken)
        where T : class
    {
        var id = local.Caller.UserId;
        var result = await database.WriteAsync(
            async session =>
            {
                if (!await UserStore.IsEmptyAsync(session))
                {
                    return null;
                }

                await UserStore.SetUpAsync(session, username, passwordHash);
                await audit.AppendAsync(session, entry with { ActorId = id, ActorName = username, TargetKind = "user", TargetId = id });
                await changes.AddAsync(session, AccessFollower.SetUp, username);
                return await then(session, new Credentials(id, username, "admin", false, passwordHash));
            },
            cancellationToken);
        if (result is not null)
        {
            local.Set(id, username);
        }

        Close();
        return result;
    }

    /// <summary>Part of the transaction that gives somebody a password: setup is over for the other instances too.</summary>
    internal ValueTask TellAsync(DbSession session) => _isOpen ? changes.AddAsync(session, AccessFollower.SetUp, local.Caller.Username) : default;

    /// <summary>Part of the transaction that gives the operator another name.</summary>
    internal ValueTask TellNameAsync(DbSession session, string username) => changes.AddAsync(session, AccessFollower.SetUp, username);

    /// <summary>Takes over what another instance did: the operator's name, and that somebody can log in.</summary>
    internal async Task FollowAsync(CancellationToken cancellationToken)
    {
        if (await users.OperatorAsync(cancellationToken) is not { } now)
        {
            return;
        }

        local.Set(now.Id, now.Username);
        if (now.IsSetUp && _isOpen)
        {
            Close();
        }
    }

    /// <summary>Somebody can log in: the token is worth nothing any more.</summary>
    public void Close()
    {
        _isOpen = false;
        _token = "";
        File.Delete(TokenPath);
    }
}
