namespace RootMas.Server.Runs.Elsewhere;

/// <summary>Something that happens in other instances and that somebody here follows: heard of over the bus, and looked up in the database when a note says so, or nobody can be heard.</summary>
internal abstract class Followed(string key)
{
    private const int Idle = 0;
    private const int Looking = 1;
    private const int LookAgain = 2;

    private int _looking;

    /// <summary>See <see cref="WishKey"/>.</summary>
    public string Key => key;

    /// <summary>How many follow it here; guarded by the registry.</summary>
    public int Followers { get; set; }

    /// <summary>False: it happens in this instance, and nothing needs to be heard.</summary>
    public virtual bool IsElsewhere => true;

    /// <summary>The run whose text so far is missing; null: none.</summary>
    public virtual string? TextWanted => null;

    /// <summary>Notes of the bus, in their order. Quick.</summary>
    public virtual void Hear(RunNote note, ReadOnlyMemory<byte> body)
    {
    }

    /// <summary>Notes may have been missed.</summary>
    public virtual void Missed() => Look();

    /// <summary>Looks in the database, soon and once for all who ask meanwhile.</summary>
    public void Look()
    {
        if (Interlocked.Exchange(ref _looking, LookAgain) == Idle)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static me => _ = me.LookUntilDoneAsync(), this, preferLocal: false);
        }
    }

    /// <summary>Reads what has happened. Failures of the storage are told and made up for by the next look.</summary>
    protected abstract Task LookAsync();

    private async Task LookUntilDoneAsync()
    {
        do
        {
            Volatile.Write(ref _looking, Looking);
            await LookAsync();
        }
        while (Interlocked.CompareExchange(ref _looking, Idle, Looking) != Looking);
    }
}

/// <summary>What those who follow need.</summary>
internal sealed record FollowTools(RunReader Reader, Action<string> AskForText, Action<Exception> Failed);
