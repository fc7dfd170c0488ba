using System.Buffers;
using System.CommandLine;
using System.Text;
using System.Text.Json;
using RootMas.Server.Platform.Settings;
using Spectre.Console;

namespace RootMas.Server.Cli;

/// <summary>Data on stdout, notes on stderr; no colour and no question without a terminal. Text from models and tools is printed without control characters and marks of direction.</summary>
internal sealed class Terminal
{
    private const int WidestTable = 4000;

    /// <summary>Marks that turn the direction of what stands behind them (Unicode, Bidi_Control).</summary>
    private static readonly SearchValues<char> Turning = SearchValues.Create("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069");

    private readonly bool _noteColour;
    private readonly Keyboard _keyboard;

    public Terminal(CliConsole console, Variables variables)
    {
        Console = console;
        IsTerminal = !console.IsOutputRedirected;
        _noteColour = variables.Get("NO_COLOR") is null && variables.Get("TERM") != "dumb" && !console.IsErrorRedirected;
        CanAsk = !console.IsInputRedirected && !console.IsErrorRedirected;
        _keyboard = new(console);
    }

    public CliConsole Console { get; }

    public bool IsTerminal { get; }

    /// <summary>A person is there to answer.</summary>
    public bool CanAsk { get; }

    public static Terminal Of(ParseResult parsed) => new(CliConsole.Of(parsed), SettingsTree.Read(CliOptions.From(parsed).ToArguments()).Variables);

    /// <exception cref="OutputException">It cannot be written, here as below.</exception>
    public void Write(string text) => Put(() =>
    {
        Console.Output.Write(Clean(text));
        Console.Output.Flush();
    });

    public void WriteLine(string text = "") => Put(() => Console.Output.WriteLine(Clean(text)));

    public void WriteJson(JsonElement json) => Put(() => Console.Output.WriteLine(json.GetRawText()));

    public void Note(string text) => Say(text, "\u001b[2m");

    public void Warn(string text) => Say(text, "\u001b[33m");

    public void Error(string text) => Say(text, "\u001b[31m");

    /// <summary>Takes away the question of a run that stands there, and those that follow.</summary>
    public CancellationToken Questions { get; set; }

    /// <summary>As <see cref="AskAsync"/>, of a question that may be taken away: what was typed until then is no part of the next answer.</summary>
    public async Task<string?> AskForRunAsync(string question, CancellationToken cancellationToken) => CanAsk ? await _keyboard.AskAsync(Clean(question) + " ", cancellationToken) : null;

    /// <summary>Asks a person; null: nobody is there, or the input ended.</summary>
    public async Task<string?> AskAsync(string question, CancellationToken cancellationToken)
    {
        if (!CanAsk)
        {
            return null;
        }

        await Console.Error.WriteAsync(Clean(question) + " ");
        // The process's own reader blocks its thread until a line comes, and looks at no token meanwhile.
        return await Task.Run(() => Console.Input.ReadLineAsync(cancellationToken).AsTask(), cancellationToken).WaitAsync(cancellationToken);
    }

    /// <summary>A secret from a person, without showing it, or the next line of the input. Null: neither gives one.</summary>
    public async Task<string?> SecretAsync(string question, CancellationToken cancellationToken)
    {
        if (Console.IsInputRedirected)
        {
            return await Console.Input.ReadLineAsync(cancellationToken);
        }

        if (!CanAsk)
        {
            return null;
        }

        await Console.Error.WriteAsync(Clean(question) + " ");
        var typed = new StringBuilder();
        while (Console.ReadKey() is var key && key.Key != ConsoleKey.Enter)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (key.Key == ConsoleKey.Backspace)
            {
                typed.Length = Math.Max(0, typed.Length - 1);
            }
            else if (!char.IsControl(key.KeyChar))
            {
                typed.Append(key.KeyChar);
            }
        }

        await Console.Error.WriteLineAsync();
        return typed.ToString();
    }

    /// <summary>A table for people: plain columns when the output is not a terminal.</summary>
    public void Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        var all = rows.Select(r => r.Select(Clean).ToArray()).ToList();
        if (!IsTerminal)
        {
            all.ForEach(r => Put(() => Console.Output.WriteLine(string.Join('\t', r))));
            return;
        }

        var table = new Table { Border = TableBorder.None };
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(Markup.Escape(column)).NoWrap());
        }

        all.ForEach(r => table.AddRow(r.Select(Markup.Escape).ToArray()));
        // Ids and states are there to be copied: a narrow window breaks lines, it does not cut columns.
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Output), ColorSystem = ColorSystemSupport.NoColors });
        console.Profile.Width = WidestTable;
        Put(() => console.Write(table));
    }

    private static void Put(Action write)
    {
        try
        {
            write();
        }
        catch (IOException e)
        {
            throw new OutputException(e);
        }
    }

    private void Say(string text, string colour)
    {
        try
        {
            Console.Error.WriteLine(_noteColour ? $"{colour}{Clean(text)}\u001b[0m" : Clean(text));
        }
        catch (IOException)
        {
            // Notes are for whoever can read them; the work and its output go on.
        }
    }

    /// <summary>Without escape sequences and other control characters, and without marks of direction: an answer must neither drive the terminal nor read otherwise than it is.</summary>
    internal static string Clean(string text)
    {
        if (text.AsSpan().IndexOfAnyInRange('\0', '\u001f') < 0 && text.AsSpan().IndexOfAnyInRange('\u007f', '\u009f') < 0 && !text.AsSpan().ContainsAny(Turning))
        {
            return text;
        }

        var clean = new StringBuilder(text.Length);
        foreach (var character in text)
        {
            if (!Turning.Contains(character))
            {
                clean.Append(char.IsControl(character) && character is not ('\n' or '\t') ? ' ' : character);
            }
        }

        return clean.ToString();
    }
}
