namespace RootMas.Server.Platform.Data;

/// <summary>
/// Whether a PostgreSQL server that answers can also save. On a full disk some writes still find room in a page, so one that succeeds does not say that all is well again: only <see cref="Recent"/> without a failure does.
/// </summary>
internal sealed class WriteTrouble(TimeProvider clock)
{
    internal static readonly TimeSpan Recent = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private string? _kind;
    private long _failed;
    private bool _savedSince;

    /// <summary>Why what was written could not be saved, in a word; null: it can be.</summary>
    public string? Kind
    {
        get
        {
            if (Volatile.Read(ref _kind) is null)
            {
                return null; // nearly always
            }

            lock (_lock)
            {
                return _savedSince && clock.GetElapsedTime(_failed) > Recent ? _kind = null : _kind;
            }
        }
    }

    /// <summary>A write failed. What says nothing about others (a time-out, a lost connection) is left to those who ask whether the server answers.</summary>
    public void Failed(string kind)
    {
        if (kind is PostgresErrors.DiskFull or PostgresErrors.ReadOnly or PostgresErrors.Io)
        {
            lock (_lock)
            {
                (_kind, _failed, _savedSince) = (kind, clock.GetTimestamp(), false);
            }
        }
    }

    public void Saved()
    {
        if (Volatile.Read(ref _kind) is not null)
        {
            lock (_lock)
            {
                _savedSince = true;
            }
        }
    }
}
