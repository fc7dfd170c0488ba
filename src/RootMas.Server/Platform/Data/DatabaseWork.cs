namespace RootMas.Server.Platform.Data;

/// <summary>One delegate on its way through the database. Its caller is answered once, after the commit, and never on the database's thread.</summary>
internal abstract class DatabaseWork
{
    private const int Waiting = 0;
    private const int Running = 1;
    private const int Cancelled = 2;

    private CancellationTokenRegistration registration;
    private int state;

    /// <summary>What the last <see cref="Attempt"/> threw.</summary>
    public Exception? Error { get; protected set; }

    protected SqliteSession? Session { get; private set; }

    /// <summary>Until it starts, the token takes it out; from then on the outcome is told as it is.</summary>
    public void CancelWith(CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            registration = cancellationToken.UnsafeRegister(static (work, token) => ((DatabaseWork)work!).TryCancel(token), this);
        }
    }

    /// <summary>False: it was cancelled while it waited.</summary>
    public bool TryStart()
    {
        registration.Unregister();
        return Interlocked.CompareExchange(ref state, Running, Waiting) == Waiting;
    }

    /// <summary>Runs the delegate; <see cref="Error"/> says how it went. May be called again after a rollback.</summary>
    public void Attempt(SqliteSession session)
    {
        Error = null;
        Session = session;
        try
        {
            Run(session);
        }
#pragma warning disable CA1031 // whatever it is, it belongs to the caller, who gets it from Fail
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Error = exception;
        }
        finally
        {
            session.Close();
        }
    }

    /// <summary>The transaction is durable: runs the after-commit actions. <see cref="Answer"/> follows.</summary>
    public void RunActions(Action<Exception> onActionFailed)
    {
        if (Error is null)
        {
            Session?.RunAfterCommit(onActionFailed);
        }
    }

    /// <summary>Answers the caller, with the delegate's own exception if it threw one.</summary>
    public void Answer()
    {
        if (Error is { } error)
        {
            Fail(error);
            return;
        }

        Succeed();
    }

    public abstract void Fail(Exception error);

    protected abstract void Run(DbSession session);

    protected abstract void Succeed();

    protected abstract void Cancel(CancellationToken cancellationToken);

    private void TryCancel(CancellationToken cancellationToken)
    {
        if (Interlocked.CompareExchange(ref state, Cancelled, Waiting) == Waiting)
        {
            Cancel(cancellationToken);
        }
    }
}

/// <inheritdoc/>
internal sealed class DatabaseWork<T>(Func<DbSession, ValueTask<T>> work) : DatabaseWork
{
    private readonly TaskCompletionSource<T> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T? result;

    public Task<T> Task => answer.Task;

    public override void Fail(Exception error) => answer.TrySetException(error);

    protected override void Run(DbSession session)
    {
        var pending = work(session);
        if (!pending.IsCompleted)
        {
            throw new InvalidOperationException(
                "A database delegate awaited something else than its session's calls, which would hold the writer for as long as that takes. It was rolled back. Await before or after the delegate.");
        }

        result = pending.GetAwaiter().GetResult();
    }

    protected override void Succeed() => answer.TrySetResult(result!);

    protected override void Cancel(CancellationToken cancellationToken) => answer.TrySetCanceled(cancellationToken);
}
