using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary>Answers a command line that does not parse: names the word that is not known, or shows what there is.</summary>
internal static class Misunderstood
{
    public static async Task<int> AnswerAsync(ParseResult parsed, CliConsole console)
    {
        var command = parsed.CommandResult.Command;
        var isGroup = command.Subcommands.Count > 0;
        if (StrayOption(parsed) is { } stray)
        {
            await console.Error.WriteLineAsync($"{Unknown(stray, command)} What is no option and begins with a dash goes behind --.");
        }
        else if (isGroup && parsed.UnmatchedTokens is [var word, ..])
        {
            await console.Error.WriteLineAsync(Unknown(word, command));
        }
        else if (isGroup && parsed.Errors.All(IsOfCommand))
        {
            // Nothing was said wrong, only too little.
            await CommandLine.Parse([.. WordsOf(parsed.CommandResult).Skip(1), "--help"]).InvokeAsync(console);
            return ExitCodes.Usage;
        }
        else
        {
            foreach (var text in parsed.Errors.Where(e => !isGroup || !IsOfCommand(e)).Select(TextOf).Distinct(StringComparer.Ordinal))
            {
                await console.Error.WriteLineAsync(text);
            }
        }

        await console.Error.WriteLineAsync($"See: {string.Join(' ', WordsOf(parsed.CommandResult))} --help");
        return ExitCodes.Usage;
    }

    /// <summary>
    /// A word that a command would take for its argument, and that can only be an option that does not exist: whoever mistypes <c>--json</c> wants no model to be asked that. Null: there is none.
    /// Behind <c>--</c> everything is meant as it stands, and so are numbers below zero, a dash alone and text of several words.
    /// </summary>
    public static string? StrayOption(ParseResult parsed)
    {
        var taken = parsed.CommandResult.Command.Arguments.SelectMany(a => parsed.GetResult(a)?.Tokens ?? []).ToList();
        return parsed.Tokens.TakeWhile(static t => t.Type != TokenType.DoubleDash).FirstOrDefault(t => IsLikeAnOption(t.Value) && taken.Exists(one => ReferenceEquals(one, t)))?.Value;
    }

    private static bool IsLikeAnOption(string word) => word.StartsWith('-') && word.TrimStart('-') is [var first, ..] && char.IsLetter(first) && !word.Any(char.IsWhiteSpace);

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
        type == typeof(double) ? double.TryParse(said, NumberStyles.Float, CultureInfo.InvariantCulture, out _)
        : (type != typeof(int) && type != typeof(long)) || long.TryParse(said, CultureInfo.InvariantCulture, out _);

    private static string Unknown(string word, Command command)
    {
        var isOption = word.StartsWith('-');
        var names = isOption ? OptionsOf(command).Select(static o => o.Name) : command.Subcommands.Where(static c => !c.Hidden).Select(static c => c.Name);
        var said = isOption ? word.Split('=')[0] : word;
        var nearest = names.Select(name => (Name: name, Distance: Spelling.Distance(said, name))).OrderBy(static n => n.Distance).FirstOrDefault();
        var guess = nearest.Name is not null && nearest.Distance <= Math.Max(1, nearest.Name.Length / 2) ? $" Did you mean '{nearest.Name}'?" : "";
        return $"'{word}' is not {(isOption ? "an option" : "a command")}.{guess}";
    }

    /// <summary>Its own, and those that hold for every command below the one that has them.</summary>
    private static IEnumerable<Option> OptionsOf(Command command) => command.Options.Concat(command.Parents.OfType<Command>().SelectMany(OptionsOf).Where(static o => o.Recursive));

    private static IEnumerable<string> WordsOf(CommandResult result) =>
        result.Parent is CommandResult parent ? [.. WordsOf(parent), result.Command.Name] : ["rootmas"];
}
