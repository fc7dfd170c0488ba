using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace RootMas.Server.Cli;

/// <summary>Answers a command line that does not parse: names the word that is not known, or shows what there is.</summary>
internal static class Misunderstood
{
    public static async Task<int> AnswerAsync(ParseResult parsed, CliConsole console)
    {
        var command = parsed.CommandResult.Command;
        var isGroup = command.Subcommands.Count > 0;
        if (isGroup && parsed.UnmatchedTokens is [var word, ..])
        {
            await console.Error.WriteLineAsync(Unknown(word, command));
        }
        else if (isGroup && parsed.Errors.All(IsOfCommand))
        {
            // Nothing was said wrong, only too little.
            await CommandLine.Root().Parse([.. WordsOf(parsed.CommandResult).Skip(1), "--help"]).InvokeAsync(console);
            return ExitCodes.Usage;
        }
        else
        {
            foreach (var error in isGroup ? parsed.Errors.Where(e => !IsOfCommand(e)) : parsed.Errors)
            {
                await console.Error.WriteLineAsync(TextOf(error));
            }
        }

        await console.Error.WriteLineAsync($"See: {string.Join(' ', WordsOf(parsed.CommandResult))} --help");
        return ExitCodes.Usage;
    }

    /// <summary>About a group as a whole: that one of its commands is missing.</summary>
    private static bool IsOfCommand(ParseError error) => error.SymbolResult is CommandResult;

    /// <summary>The parser names the type that the program gives a value; people are told what it must be.</summary>
    private static string TextOf(ParseError error)
    {
        if (error.SymbolResult is not OptionResult { Tokens: var said, Option: { Name: var name, ValueType: var type } })
        {
            return error.Message;
        }

        var one = type.GetElementType() ?? Nullable.GetUnderlyingType(type) ?? type;
        return said.FirstOrDefault(token => !Fits(one, token.Value)) is { Value: var wrong }
            ? $"{name} needs a {(one == typeof(double) ? "number" : "whole number")}: '{wrong}' is none."
            : error.Message;
    }

    private static bool Fits(Type type, string said) =>
        type == typeof(double) ? double.TryParse(said, CultureInfo.InvariantCulture, out _)
        : (type != typeof(int) && type != typeof(long)) || long.TryParse(said, CultureInfo.InvariantCulture, out _);

    private static string Unknown(string word, Command command)
    {
        var isOption = word.StartsWith('-');
        var names = isOption ? command.Options.Select(static o => o.Name) : command.Subcommands.Where(static c => !c.Hidden).Select(static c => c.Name);
        var nearest = names.Select(name => (Name: name, Distance: Distance(word, name))).OrderBy(static n => n.Distance).FirstOrDefault();
        var guess = nearest.Name is not null && nearest.Distance <= Math.Max(1, nearest.Name.Length / 2) ? $" Did you mean '{nearest.Name}'?" : "";
        return $"'{word}' is not {(isOption ? "an option" : "a command")}.{guess}";
    }

    private static IEnumerable<string> WordsOf(CommandResult result) =>
        result.Parent is CommandResult parent ? [.. WordsOf(parent), result.Command.Name] : ["rootmas"];

    /// <summary>Levenshtein: how many letters differ, are missing or too many.</summary>
    private static int Distance(string one, string other)
    {
        var row = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= other.Length; j++)
            {
                var replaced = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[other.Length];
    }
}
