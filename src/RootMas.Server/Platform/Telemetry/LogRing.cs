using System.Diagnostics;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>One line of the log.</summary>
/// <param name="Timestamp">When it was written.</param>
/// <param name="Level">trace, debug, info, warning, error or critical.</param>
/// <param name="Message">The text, one line.</param>
/// <param name="Component">The part of the program that wrote it.</param>
/// <param name="TraceId">The request's trace, if there was one.</param>
/// <param name="RunId">The run it belongs to, if any.</param>
public sealed record LogLine(DateTimeOffset Timestamp, string Level, string Message, string Component, string? TraceId, string? RunId);

/// <summary>The last lines of the log, in memory, for administrators.</summary>
public sealed class LogRing(TelemetryOptions options, TimeProvider clock) : ILoggerProvider
{
    private readonly Lock _lock = new();
    private readonly LogLine?[] _lines = new LogLine?[options.LogRing];
    private long _written;

    public ILogger CreateLogger(string categoryName) => new RingLogger(this, categoryName);

    /// <summary>Newest first.</summary>
    /// <param name="atLeast">Lines of this level and above.</param>
    /// <param name="component">Lines of components whose name contains this.</param>
    public IReadOnlyList<LogLine> Read(LogLevel atLeast, string? component, int limit)
    {
        var result = new List<LogLine>(Math.Min(limit, _lines.Length));
        lock (_lock)
        {
            for (var i = _written - 1; i >= 0 && i >= _written - _lines.Length && result.Count < limit; i--)
            {
                var line = _lines[i % _lines.Length]!;
                if (LogText.Rank(line.Level) >= (int)atLeast && (component is null || line.Component.Contains(component, StringComparison.OrdinalIgnoreCase)))
                {
                    result.Add(line);
                }
            }
        }

        return result;
    }

    public void Dispose()
    {
    }

    private void Add(LogLine line)
    {
        lock (_lock)
        {
            _lines[_written++ % _lines.Length] = line;
        }
    }

    private sealed class RingLogger(LogRing ring, string component) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => ring._lines.Length > 0 && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            var text = formatter(state, exception);
            var message = LogText.OneLine(exception is null ? text : $"{text} ({exception.GetType().Name}: {exception.Message})");
            ring.Add(new LogLine(ring.Now, LogText.Name(logLevel), message, component, Activity.Current?.TraceId.ToHexString(), RootMasTelemetry.CurrentRunId()));
        }
    }

    private DateTimeOffset Now => clock.GetUtcNow();
}
