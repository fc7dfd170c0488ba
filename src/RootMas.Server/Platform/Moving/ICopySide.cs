namespace RootMas.Server.Platform.Moving;

/// <summary>A database that is copied from or to. Everything between <see cref="BeginAsync"/> and <see cref="CommitAsync"/> is one transaction; disposing it before leaves nothing behind.</summary>
internal interface ICopySide : IAsyncDisposable
{
    /// <summary>For people, without secrets.</summary>
    string Place { get; }

    /// <summary>Makes sure that no server works on it, and that it has this program's schema. A target must be as empty as the schema makes it, and is brought up to date once that is seen.</summary>
    /// <exception cref="StartupRefusedException">It is not so.</exception>
    Task BeginAsync(bool asTarget, CancellationToken cancellationToken);

    /// <summary>All tables but the list of migrations and what is a database's own (<see cref="CopyChecks.Moves"/>), those that others point to first.</summary>
    Task<IReadOnlyList<CopyTable>> TablesAsync(CancellationToken cancellationToken);

    /// <summary>One row after the other, never all at once. Values are <c>long</c>, <c>double</c>, <c>string</c>, <c>byte[]</c> or null.</summary>
    IAsyncEnumerable<object?[]> RowsAsync(CopyTable table, CancellationToken cancellationToken);

    /// <summary>Puts these rows in place of what the schema put there.</summary>
    Task WriteAsync(CopyTable table, IAsyncEnumerable<object?[]> rows, CancellationToken cancellationToken);

    /// <summary>The last number that the database gave.</summary>
    Task<long> SequenceAsync(CopyTable table, CancellationToken cancellationToken);

    Task SetSequenceAsync(CopyTable table, long last, CancellationToken cancellationToken);

    /// <summary>Makes sure once more that no server works on it, also none that came meanwhile: what it has written since is not in what was read.</summary>
    /// <exception cref="StartupRefusedException">One does.</exception>
    Task RefuseLateServersAsync(CancellationToken cancellationToken);

    Task CommitAsync(CancellationToken cancellationToken);
}
