namespace RootMas.Server.Platform.Data;

/// <summary>
/// The embedded database: one file, one writing thread, a few reading threads, all of them its own, because SQLite's calls block.
/// Opens itself on first use (or by <see cref="OpenAsync"/> at start), after <c>prepare</c> has taken the data directory and brought the schema up to date,
/// so nobody can see it earlier, whatever the order in which services start.
/// </summary>
public sealed partial class SqliteDatabase : IDatabase, IAsyncDisposable
{
    private readonly WorkQueue<DatabaseWork> writes;
    private readonly WorkQueue<DatabaseWork> reads;
    private readonly SqliteWriter writer;
    private readonly SqliteCheckpoints checkpoints;
    private readonly DatabaseOptions options;
    private readonly Action prepare;
    private readonly string path;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Task> readerThreads = [];
    private Task writerThread = Task.CompletedTask;
    private Task checkpointThread = Task.CompletedTask;
    private Exception? startFailure;
    private int started;
    private int disposed;

    /// <param name="path">The database file.</param>
    /// <param name="prepare">Runs once, on the writer's thread, before the file is opened. What it throws, every call throws.</param>
    public SqliteDatabase(string path, DatabaseOptions options, Action prepare, TimeProvider time, ILogger<SqliteDatabase> logger)
    {
        this.path = path;
        this.options = options;
        this.prepare = prepare;
        this.time = time;
        this.logger = logger;
        writes = new WorkQueue<DatabaseWork>(options.QueueLength);
        reads = new WorkQueue<DatabaseWork>(options.QueueLength);
        checkpoints = new SqliteCheckpoints(OpenWriting, logger);
        writer = new SqliteWriter(OpenWriting, checkpoints, options, time, logger);
    }

    /// <inheritdoc/>
    public DatabaseKind Kind => DatabaseKind.Sqlite;

    /// <summary>Why nothing can be saved since the last attempt, in a word; null: the last commit succeeded.</summary>
    public string? LastWriteFailure => writer.LastFailure;

    /// <summary>Writes that wait for the writer.</summary>
    public int WaitingWrites => writes.Count;

    /// <summary>Reads that wait for a reader.</summary>
    public int WaitingReads => reads.Count;

    /// <summary>Completes when the database can be used.</summary>
    /// <exception cref="StartupRefusedException">Somebody else owns the data directory, or the schema does not fit this program.</exception>
    public Task OpenAsync()
    {
        Start();
        return opened.Task;
    }

    /// <inheritdoc/>
    public Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => Enqueue(writes, work, canWait: false, cancellationToken);

    /// <inheritdoc/>
    public Task<T> WriteSoonAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => Enqueue(writes, work, canWait: true, cancellationToken);

    /// <inheritdoc/>
    public bool KeepsOrder => true;

    /// <inheritdoc/>
    public Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => Enqueue(reads, work, canWait: false, cancellationToken);

    /// <summary>Finishes what is queued, then closes the files.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        writes.Close();
        reads.Close();
        await writerThread;
        await Task.WhenAll(readerThreads);
        checkpoints.Close();
        await checkpointThread;
        writer.Dispose();
        writes.Dispose();
        reads.Dispose();
    }

    private Task<T> Enqueue<T>(WorkQueue<DatabaseWork> queue, Func<DbSession, ValueTask<T>> work, bool canWait, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(disposed != 0, this);
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<T>(cancellationToken);
        }

        Start();
        if (startFailure is { } failure)
        {
            return Task.FromException<T>(failure);
        }

        var item = new DatabaseWork<T>(work);
        item.CancelWith(cancellationToken);
        return queue.TryAdd(item, canWait) ? item.Task : EnqueueLater(queue, item, cancellationToken);
    }

    private static async Task<T> EnqueueLater<T>(WorkQueue<DatabaseWork> queue, DatabaseWork<T> item, CancellationToken cancellationToken)
    {
        await queue.AddAsync(item, cancellationToken);
        return await item.Task;
    }

    private void Start()
    {
        if (Volatile.Read(ref started) == 0 && Interlocked.Exchange(ref started, 1) == 0)
        {
            writerThread = StartThread("rootmas-db-writer", RunWriter);
        }
    }

    private void RunWriter()
    {
        try
        {
            prepare();
            writer.Open();
        }
#pragma warning disable CA1031 // every caller gets it, and OpenAsync stops the start with it
        catch (Exception exception)
#pragma warning restore CA1031
        {
            RefuseAll(SqliteErrors.Translate(exception));
            return;
        }

        checkpointThread = StartThread("rootmas-db-checkpoint", checkpoints.Run);
        for (var i = 0; i < options.Readers; i++)
        {
            readerThreads.Add(StartThread($"rootmas-db-reader-{i + 1}", RunReader));
        }

        opened.SetResult();
        writer.Run(writes);
    }

    private void RunReader()
    {
        using var reader = new SqliteReader(() => SqliteConnectionKeeper.Open(path, options, readOnly: true), time);
        reader.Run(reads);
    }

    private void RefuseAll(Exception failure)
    {
        startFailure = failure;
        LogNotOpened(logger, path, failure);
        opened.SetException(failure);
        _ = opened.Task.Exception; // seen, also when nobody asked for OpenAsync
        foreach (var queue in (ReadOnlySpan<WorkQueue<DatabaseWork>>)[writes, reads])
        {
            queue.Close();
            var rest = new List<DatabaseWork>();
            while (queue.Take(rest, options.QueueLength) > 0)
            {
                rest.ForEach(work => work.Fail(failure));
                rest.Clear();
            }
        }
    }

    private SqliteConnectionKeeper OpenWriting() => SqliteConnectionKeeper.Open(path, options, readOnly: false);

    private static Task StartThread(string name, Action run)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                run();
                ended.SetResult();
            }
#pragma warning disable CA1031 // handed to whoever waits for the thread
            catch (Exception exception)
#pragma warning restore CA1031
            {
                ended.SetException(exception);
            }
        })
        { IsBackground = true, Name = name };
        thread.Start();
        return ended.Task;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The database {Path} was not opened")]
    private static partial void LogNotOpened(ILogger logger, string path, Exception exception);
}
