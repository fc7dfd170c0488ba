using System.Text;
using System.Threading.Channels;
using RootMas.Server.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>A person or a script at the command line, inside the test's process: what they type, what they see, and Ctrl-C. Nothing of the machine's environment gets through.</summary>
internal sealed class CliSession : IDisposable
{
    private readonly TempFolder _home = new();
    private readonly Typed _typed = new();
    private readonly List<Action> _pressed = [];

    /// <param name="data">The data directory; null: one that does not exist yet.</param>
    public CliSession(string? data = null)
    {
        Data = data ?? Path.Combine(_home.Path, "data");
        Environment = new(StringComparer.Ordinal)
        {
            ["ROOTMAS_CONFIG"] = Repository.PathOf("config"),
            ["ROOTMAS_DATA"] = Data,
            ["ROOTMAS_URLS"] = "http://127.0.0.1:0",
            ["XDG_CONFIG_HOME"] = Home,
        };
    }

    public string Data { get; }

    /// <summary>Where the command line keeps what belongs to its user.</summary>
    public string Home => _home.Path;

    public Dictionary<string, string> Environment { get; }

    /// <summary>True: a terminal with a person; false: all three streams are pipes.</summary>
    public bool IsPerson { get; init; }

    public WatchedText Output { get; } = new();

    public WatchedText Notes { get; } = new();

    public async Task<int> RunAsync(params string[] arguments)
    {
        Output.Clear();
        Notes.Clear();
        return await CommandLine.RunAsync(arguments, new CliConsole
        {
            Input = _typed,
            ReadKey = _typed.ReadKey,
            IsKeyWaiting = () => _typed.Keys.Reader.Count > 0,
            Output = Output,
            Error = Notes,
            IsInputRedirected = !IsPerson,
            IsOutputRedirected = !IsPerson,
            IsErrorRedirected = !IsPerson,
            Environment = Environment,
            WorkingDirectory = Home,
            OnInterrupt = Register,
        }).WaitAsync(TimeSpan.FromMinutes(2));
    }

    /// <summary>Runs it and expects success; returns what it printed.</summary>
    public async Task<string> DoAsync(params string[] arguments)
    {
        var code = await RunAsync(arguments);
        Assert.True(code == 0, $"{string.Join(' ', arguments)} ended with {code}\n{Output}\n{Notes}");
        return Output.ToString();
    }

    /// <summary>A line at the keyboard, or of the pipe.</summary>
    public void Type(string line) => Begin(line + "\n");

    /// <summary>Keys without the one that ends the line.</summary>
    public void Begin(string keys)
    {
        foreach (var key in keys)
        {
            _typed.Keys.Writer.TryWrite(key);
        }
    }

    /// <summary>Ctrl-D, or the end of the pipe.</summary>
    public void EndInput() => _typed.Keys.Writer.TryComplete();

    /// <summary>Ctrl-C.</summary>
    public void Press()
    {
        Action[] pressed;
        lock (_pressed)
        {
            pressed = [.. _pressed];
        }

        Assert.NotEmpty(pressed);
        Array.ForEach(pressed, static p => p());
    }

    public void Dispose()
    {
        EndInput();
        Output.Dispose();
        Notes.Dispose();
        _typed.Dispose();
        _home.Dispose();
    }

    private Registration Register(Action pressed)
    {
        lock (_pressed)
        {
            _pressed.Add(pressed);
        }

        return new Registration(this, pressed);
    }

    private sealed class Registration(CliSession session, Action pressed) : IDisposable
    {
        public void Dispose()
        {
            lock (session._pressed)
            {
                session._pressed.Remove(pressed);
            }
        }
    }

    private sealed class Typed : TextReader
    {
        public Channel<char> Keys { get; } = Channel.CreateUnbounded<char>();

        /// <summary>As the process's own: it blocks until a line comes, and looks at no token meanwhile.</summary>
        public override ValueTask<string?> ReadLineAsync(CancellationToken cancellationToken) => ValueTask.FromResult(ReadLine());

        public override string? ReadLine()
        {
            var line = new StringBuilder();
            for (var key = Next(); key is not null; key = Next())
            {
                if (key is '\n')
                {
                    return line.ToString();
                }

                line.Append(key);
            }

            return line.Length > 0 ? line.ToString() : null;
        }

        /// <summary>As the process's own: it too blocks until a key comes.</summary>
        public ConsoleKeyInfo ReadKey() => Next() switch
        {
            '\n' => new('\r', ConsoleKey.Enter, shift: false, alt: false, control: false),
            { } key => new(key, ConsoleKey.None, shift: false, alt: false, control: false),
            null => new('\u0004', ConsoleKey.D, shift: false, alt: false, control: true),
        };

        private char? Next()
        {
            var more = Keys.Reader.WaitToReadAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
            return more && Keys.Reader.TryRead(out var key) ? key : null;
        }

        public override async Task<string> ReadToEndAsync(CancellationToken cancellationToken)
        {
            var text = new StringBuilder();
            while (await ReadLineAsync(cancellationToken) is { } line)
            {
                text.AppendLine(line);
            }

            return text.ToString();
        }
    }
}

/// <summary>Text that was printed, and a way to wait for it.</summary>
internal sealed class WatchedText : TextWriter
{
    private readonly StringBuilder _text = new();
    private readonly SemaphoreSlim _changed = new(0);

    /// <summary>What it goes to is a file on a disk without room.</summary>
    public bool IsFull { get; set; }

    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value) => Write(value.ToString());

    public override void Write(string? value)
    {
        if (IsFull)
        {
            throw new IOException("No space left on device");
        }

        lock (_text)
        {
            _text.Append(value);
        }

        _changed.Release();
    }

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void WriteLine(string? value) => Write(value + "\n");

    public override Task WriteAsync(string? value)
    {
        Write(value);
        return Task.CompletedTask;
    }

    public override Task WriteLineAsync(string? value) => WriteAsync(value + "\n");

    public void Clear()
    {
        lock (_text)
        {
            _text.Clear();
        }
    }

    public async Task ContainsAsync(string text)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!ToString().Contains(text, StringComparison.Ordinal))
        {
            await _changed.WaitAsync(limit.Token);
        }
    }

    public override string ToString()
    {
        lock (_text)
        {
            return _text.ToString();
        }
    }
}
