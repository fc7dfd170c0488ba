using System.Data.Common;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// The database. Work is given as a delegate. On SQLite it runs on the store's own threads (one writer with group commit, a few readers), never on a request or worker thread; on PostgreSQL on a pooled connection.
/// A delegate must await nothing but the session's own calls: on SQLite these complete synchronously.
/// </summary>
public interface IDatabase
{
    DatabaseKind Kind { get; }

    /// <summary>Completes when the database can be used; the first call of the others does the same.</summary>
    /// <exception cref="StartupRefusedException">Somebody else owns the data directory, the schema does not fit this program, or the server cannot be used.</exception>
    Task OpenAsync();

    /// <summary>
    /// Runs in a write transaction and completes when it is durable. Several delegates may share one commit:
    /// one that throws is rolled back alone, and its exception is thrown here. It may be run again, after a failure of its own or of one beside it, so it has no effects outside the session.
    /// SQLite runs delegates in the order in which they were handed over. On PostgreSQL they run beside each other: what is read and must still be so at the commit is held (<see cref="SqlDialect.Held"/>) or compared by the write.
    /// </summary>
    Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken);

    /// <summary>The same for what nobody waits for yet: it may be held back for a moment (SQLite: 1 ms) to share the commit of what follows.</summary>
    Task<T> WriteSoonAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => WriteAsync(work, cancellationToken);

    /// <summary>
    /// A write whose statements are all sent (<see cref="DbSession.SendAsync"/>, <see cref="DbSession.SendReadAsync"/>) and need nothing of each other's outcome: a server gets them in one round trip, which is a transaction by itself.
    /// What was read is there when this completes, and when <see cref="DbSession.AfterCommit"/> runs; the delegate may be run again. Those that come while others are on their way share a round trip and a commit.
    /// </summary>
    /// <param name="work">Sends the statements.</param>
    /// <param name="order">Those that share a commit are sent in this order, so that they do not wait for others who wait for them: what is locked by several of them, by its id.</param>
    /// <param name="cancellationToken">Only before it is sent.</param>
    Task WriteSentAsync(Func<DbSession, ValueTask> work, string order, CancellationToken cancellationToken) => this.WriteAsync(work, cancellationToken);

    /// <summary>Delegates that write are run in the order in which they were handed over.</summary>
    bool KeepsOrder => false;

    /// <summary>Runs on a consistent snapshot, beside the writer.</summary>
    Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken);

    /// <summary>One <see cref="DbSession.Prepared"/> SELECT, which is a snapshot by itself: on PostgreSQL it needs no transaction, and no second way to the server to end one.</summary>
    Task<T> LookAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => ReadAsync(work, cancellationToken);
}

/// <summary>A connection inside a transaction. Valid only while the delegate runs.</summary>
public abstract class DbSession
{
    public abstract DatabaseKind Kind { get; }

    public abstract DbConnection Connection { get; }

    public abstract DbTransaction? Transaction { get; }

    /// <summary>The transaction's time (UTC, the database's clock on a server).</summary>
    public abstract DateTimeOffset Now { get; }

    /// <summary>A prepared command, kept per connection by its text. Parameters are <c>@name</c>; set them with <c>DbSessionExtensions</c> or use Dapper on <see cref="Connection"/>.</summary>
    public abstract DbCommand Prepared(string sql);

    /// <summary>Runs a statement that returns no rows and whose outcome nobody asks for. A server may be given it only with <see cref="FlushAsync"/>, together with others in one round trip: flush before a statement that must see it.</summary>
    public virtual async ValueTask SendAsync(DbCommand command) => await command.RunAsync();

    /// <summary>As <see cref="SendAsync"/>, of a statement that returns rows; its reader gets them with the flush or the commit. It must not throw: that would say nothing of the commit, which may have been done.</summary>
    public virtual ValueTask SendReadAsync(RowRead read) => ReadAllAsync(read);

    /// <summary>Runs statements that return rows, in order, and gives each row to its reader; a later one sees what an earlier one has written. A server is given all of them in one round trip.</summary>
    public virtual async ValueTask ReadAllAsync(params IReadOnlyList<RowRead> reads)
    {
        foreach (var (sql, bind, row) in reads)
        {
            var command = Prepared(sql); // only now: a cache of statements may let go of one that is not run yet
            bind(command);
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                row(reader);
            }
        }
    }

    /// <summary>Completes when all that was sent has run. The commit does it too.</summary>
    public virtual ValueTask FlushAsync() => ValueTask.CompletedTask;

    /// <summary>Runs after the commit is durable, in order; for in-process wake-ups. Not run on rollback.</summary>
    public abstract void AfterCommit(Action action);

    /// <summary>What was asked of <see cref="AfterCommit"/>. The write is durable, so its caller must hear of success, whatever one of these does.</summary>
    internal static void RunAll(IReadOnlyList<Action> afterCommit, Action<Exception> onFailed)
    {
        foreach (var action in afterCommit)
        {
            try
            {
                action();
            }
#pragma warning disable CA1031 // as above
            catch (Exception exception)
#pragma warning restore CA1031
            {
                onFailed(exception);
            }
        }
    }
}

/// <summary>One statement of <see cref="DbSession.ReadAllAsync"/>, a SELECT or (in a write) one that returns what it wrote, and what becomes of each of its rows.</summary>
/// <param name="Sql">As for <see cref="DbSession.Prepared"/>.</param>
/// <param name="Bind">Sets its parameters.</param>
/// <param name="Row">Reads one row.</param>
public readonly record struct RowRead(string Sql, Action<DbCommand> Bind, Action<DbDataReader> Row);
