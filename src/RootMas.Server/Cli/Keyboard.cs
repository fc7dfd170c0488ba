using System.Text;

namespace RootMas.Server.Cli;

/// <summary>
/// A person's lines, which can be given up before they are whole. Nobody can stop waiting for a key: the one that comes then begins the next line, and what was typed of the line before is dropped.
/// </summary>
internal sealed class Keyboard(CliConsole console)
{
    private const char EndOfInput = '\u0004';
    private Task<ConsoleKeyInfo>? _next;

    /// <summary>Asks and gives the answer; null: the input ended.</summary>
    public async Task<string?> AskAsync(string question, CancellationToken cancellationToken)
    {
        DropLeftovers();
        await console.Error.WriteAsync(question);
        var line = new StringBuilder();
        while (await KeyAsync(cancellationToken) is var key && key.Key != ConsoleKey.Enter)
        {
            if (IsEnd(key, line.Length))
            {
                return null;
            }

            await TakeAsync(line, key);
        }

        await console.Error.WriteLineAsync();
        return line.ToString();
    }

    /// <summary>Typed after a question was taken away and before this one stood there, it is no answer to either.</summary>
    private void DropLeftovers()
    {
        if (_next is { IsCompleted: true })
        {
            _next = null;
            while (console.IsKeyWaiting())
            {
                console.ReadKey();
            }
        }
    }

    private async Task<ConsoleKeyInfo> KeyAsync(CancellationToken cancellationToken)
    {
        _next ??= Task.Run(console.ReadKey, CancellationToken.None);
        var key = await _next.WaitAsync(cancellationToken);
        _next = null;
        return key;
    }

    private async Task TakeAsync(StringBuilder line, ConsoleKeyInfo key)
    {
        if (key.Key == ConsoleKey.Backspace && line.Length > 0)
        {
            var pair = line.Length > 1 && char.IsLowSurrogate(line[^1]) ? 2 : 1;
            line.Length -= pair;
            await console.Error.WriteAsync(pair == 1 ? "\b \b" : "\b\b  \b\b");
        }
        else if (!char.IsControl(key.KeyChar))
        {
            line.Append(key.KeyChar);
            await console.Error.WriteAsync(key.KeyChar);
        }
    }

    /// <summary>Ctrl-D at the beginning of a line, or a terminal that is gone: its keys are no keys.</summary>
    private static bool IsEnd(ConsoleKeyInfo key, int typed) => key is { KeyChar: '\0', Key: ConsoleKey.None } || (key.KeyChar == EndOfInput && typed == 0);
}
