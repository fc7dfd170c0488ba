using System.Diagnostics.Metrics;
using System.Text;
using System.Threading.Channels;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>
/// The log as files as well, for machines without a collector of their own: JSON lines, a new file when one is full, the oldest removed. Whoever logs never waits: lines go through a bounded queue,
/// and what does not fit, or cannot be written (disk full), is counted and dropped, which the next line that can be written says.
/// </summary>
public sealed class LogFile : ILoggerProvider, ISupportExternalScope, IAsyncDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly Counter<long> Dropped = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.log.dropped", "{line}", "Lines that did not get into the log file, by reason: full (the queue), failed (the disk).");

    private readonly LogFileOptions _options;
    private readonly TimeProvider _clock;
    private readonly Channel<string> _lines;
    private readonly Task _writing;
    private IExternalScopeProvider? _scopes;
    private long _dropped;
    private FileStream? _file;

    /// <param name="path">Absolute.</param>
    public LogFile(LogFileOptions options, string path, TimeProvider clock)
    {
        (_options, Path, _clock) = (options, path, clock);
        _lines = Channel.CreateBounded<string>(new BoundedChannelOptions(options.QueueLength) { SingleReader = true });
        _writing = Task.Run(WriteAsync);
    }

    public string Path { get; }

    /// <summary>The instrument is there, and listed, before the first loss.</summary>
    internal static void Create() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(LogFile).TypeHandle);

    /// <summary>Why a file cannot be used; null: it can.</summary>
    internal static string? Problem(string path)
    {
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            Open(path).Dispose();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return $"Logging:File:Path: '{path}' cannot be written ({e.GetType().Name}); legal: a file in a folder that this user may write to, or nothing";
        }
    }

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

    /// <summary>Ends without the lines that still wait; see <see cref="DisposeAsync"/>.</summary>
    public void Dispose() => _lines.Writer.TryComplete();

    /// <summary>Writes what waits, for a bounded time.</summary>
    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writing.WaitAsync(TimeSpan.FromSeconds(5), _clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Add(string line)
    {
        if (!_lines.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref _dropped);
            Dropped.Add(1, new KeyValuePair<string, object?>("reason", "full"));
        }
    }

    private async Task WriteAsync()
    {
        while (await _lines.Reader.WaitToReadAsync())
        {
            var batch = new StringBuilder();
            var count = 0;
            var lost = Interlocked.Exchange(ref _dropped, 0);
            if (lost > 0)
            {
                batch.Append(EcsLine.Write(new LogRecord(_clock.GetUtcNow(), LogLevel.Warning, typeof(LogFile).FullName!, new EventId(0, "LogLinesLost"), $"{lost} lines before this one are missing here: they came faster than they could be written, or the disk was full", null), null, null)).Append('\n');
            }

            while (count < 1_000 && _lines.Reader.TryRead(out var line))
            {
                batch.Append(line).Append('\n');
                count++;
            }

            await TryWriteAsync(Encoding.UTF8.GetBytes(batch.ToString()), count, lost);
        }

        await CloseAsync();
    }

    private async Task TryWriteAsync(byte[] bytes, int count, long lost)
    {
        long? whole = null;
        try
        {
            _file ??= Open(Path);
            if (_file.Length > 0 && _file.Length + bytes.Length > (long)_options.MaxMegabytes << 20)
            {
                await CloseAsync();
                Rotate();
                _file = Open(Path);
            }

            whole = _file.Length;
            await _file.WriteAsync(bytes);
            await _file.FlushAsync();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It cannot be logged that logging fails; metrics have it, and the console has the lines.
            Interlocked.Add(ref _dropped, lost + count);
            Dropped.Add(count, new KeyValuePair<string, object?>("reason", "failed"));
            Shorten(whole);
            await CloseAsync();
        }
    }

    /// <summary>What was written of lines that did not all fit goes: half a line would spoil the next one too.</summary>
    private void Shorten(long? whole)
    {
        try
        {
            if (whole is { } length)
            {
                _file?.SetLength(length);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The disk says no to this too.
        }
    }

    private async Task CloseAsync()
    {
        if (Interlocked.Exchange(ref _file, null) is { } file)
        {
            await file.DisposeAsync().AsTask().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary><c>rootmas.log</c> → <c>rootmas.log.1</c> → … ; the one that would be too many goes.</summary>
    private void Rotate()
    {
        File.Delete(Numbered(_options.Files - 1));
        for (var n = _options.Files - 2; n >= 0; n--)
        {
            if (File.Exists(Numbered(n)))
            {
                File.Move(Numbered(n), Numbered(n + 1), overwrite: true);
            }
        }
    }

    private string Numbered(int n) => n == 0 ? Path : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Path}.{n}");

    private static FileStream Open(string path)
    {
        var how = new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.ReadWrite | FileShare.Delete, Options = FileOptions.Asynchronous, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            how.UnixCreateMode = Private;
        }

        return new FileStream(path, how);
    }

    private sealed class Logger(LogFile file, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => file._scopes?.Push(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel) && !StartupRefusedException.IsAnswer(exception))
            {
                file.Add(EcsLine.Write(new LogRecord(file._clock.GetUtcNow(), logLevel, category, eventId, formatter(state, exception), exception), state, file._scopes));
            }
        }
    }
}
