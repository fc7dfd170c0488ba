using System.CommandLine;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas memory …</c>: what is remembered about oneself, and the notes of the team.</summary>
internal static class MemoryCommand
{
    private const string Route = "/api/v1/memory";

    private static readonly Argument<string> Id = new("id") { Description = "The fact." };
    private static readonly Argument<string> Text = new("text") { Description = "The fact, in one sentence." };
    private static readonly Option<bool> Team = new("--team") { Description = "The notes of the team instead; changing them is an administrator's." };

    public static Command Create() => new("memory", "What is remembered about you: see, search, correct, export, forget, and why it is known.")
    {
        List(), Add(), Why(), Correct(), Decide("keep", "Keep what was only proposed to be remembered."), Decide("discard", "Discard what was only proposed to be remembered."), Forget(), Export(), Graph(),
    };

    private static Command List()
    {
        var query = new Option<string?>("--query") { Description = "Only what fits these words, the best first." };
        var status = new Option<string?>("--status") { Description = "active, proposed or superseded; without it active and proposed ones." };
        var command = new Command("list", "List what is remembered, newest first.") { query, status, Team, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            var path = parsed.GetValue(Team) ? Route + "/team?limit=200" : $"{Route}?limit=200{Parameter("q", parsed.GetValue(query))}{Parameter("status", parsed.GetValue(status))}";
            var items = new List<JsonElement>();
            for (string? cursor = ""; cursor is not null;)
            {
                var page = await connection.Api.ListAsync(path + cursor, cancellationToken);
                items.AddRange(page.Items());
                cursor = page.Text("next_cursor") is { } next ? "&cursor=" + Uri.EscapeDataString(next) : null;
            }

            Show(parsed, items);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static void Show(ParseResult parsed, List<JsonElement> items)
    {
        if (parsed.GetValue(CliOptions.JsonOption))
        {
            Terminal.Of(parsed).WriteJson(JsonSerializer.SerializeToElement(new Dictionary<string, object>(StringComparer.Ordinal) { ["items"] = items }));
            return;
        }

        Terminal.Of(parsed).Table(
            ["Id", "Fact", "Status", "By", "Sure", "Since"],
            items.Select(f => (IReadOnlyList<string>)[f.Text("id")!, f.Text("text")!, f.Text("status")!, f.Text("author_kind")!, f.Text("confidence")! + " %", f.Text("valid_from")![..10]]));
    }

    private static Command Add()
    {
        var attribute = new Option<string?>("--attribute") { Description = "What only one can be true of at a time, such as home: an older fact with it is replaced." };
        var command = new Command("add", "Remember a fact.") { Text, attribute, Team, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            var body = new Dictionary<string, object?>(StringComparer.Ordinal) { ["text"] = parsed.GetValue(Text) };
            if (parsed.GetValue(attribute) is { } named)
            {
                body["attribute"] = named;
            }

            var made = await connection.Api.PostAsync(parsed.GetValue(Team) ? Route + "/team" : Route, body, cancellationToken, "id");
            Tell(parsed, made, made.Text("id")!);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Why()
    {
        var command = new Command("why", "Why something is known, and every earlier version of it.") { Id, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var id = Named(parsed);
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            var why = await connection.Api.GetAsync($"{Route}/{id}/why", cancellationToken, "fact");
            var history = why.Items("history").Select(static v => $"  {v.Text("created_at")![..10]}  {v.Text("status"),-10}  {v.Text("text")}");
            Tell(parsed, why, $"{why.GetProperty("fact").Text("text")}\n{why.Text("because")}\n{string.Join('\n', history)}");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Correct()
    {
        var command = new Command("correct", "Put your own words in place of a fact; the old version stays in its history.") { Id, Text, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var id = Named(parsed);
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            var now = await connection.Api.ChangeAsync(HttpMethod.Patch, $"{Route}/{id}", new Dictionary<string, string>(StringComparer.Ordinal) { ["text"] = parsed.GetValue(Text)! }, cancellationToken);
            Tell(parsed, now, now.Text("id")!);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Decide(string decision, string description)
    {
        var command = new Command(decision, description) { Id };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var id = Named(parsed);
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            await connection.Api.PostAsync($"{Route}/{id}/decision", new Dictionary<string, string>(StringComparer.Ordinal) { ["decision"] = decision }, cancellationToken, "id");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Forget()
    {
        var one = new Argument<string?>("id") { Description = "The fact; or --all.", Arity = ArgumentArity.ZeroOrOne };
        var all = new Option<bool>("--all") { Description = "Everything that is remembered about you." };
        var command = new Command("forget", "Forget a fact with its history, for good.") { one, all, Team };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var id = parsed.GetValue(one);
            if (id is null == !parsed.GetValue(all))
            {
                throw new CliException(ExitCodes.Usage, "Name the fact, or say --all.");
            }

            var named = id is null ? null : Segment.Of(id, "fact");
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            if (named is null)
            {
                var gone = await connection.Api.DeleteAsync(Route, cancellationToken, "facts");
                await CliConsole.Of(parsed).Error.WriteLineAsync($"{gone.Text("facts")} facts were forgotten.");
            }
            else if (parsed.GetValue(Team))
            {
                await connection.Api.DeleteAsync($"{Route}/team/notes/{named}", cancellationToken);
            }
            else
            {
                await connection.Api.ChangeAsync(HttpMethod.Delete, $"{Route}/{named}", null, cancellationToken);
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Export()
    {
        var command = new Command("export", "Everything that is remembered about you, with its history and the graph, as JSON.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            Terminal.Of(parsed).WriteJson(await connection.Api.GetAsync(Route + "/export", cancellationToken, "facts"));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Graph()
    {
        var about = new Argument<string>("about") { Description = "Words, or the name of an entity; you are called user." };
        var to = new Option<string?>("--to") { Description = "How it is connected with this one, the surest way." };
        var command = new Command("graph", "What the knowledge graph has about something, as JSON.") { about, to };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            var name = parsed.GetValue(about)!;
            object Question(string kind) => parsed.GetValue(to) is { } end ? new { kind, entity = name, to = end } : kind == "search" ? new { kind, text = name } : new { kind, entity = name };
            var answer = await connection.Api.PostAsync("/api/v1/graph/query", Question(parsed.GetValue(to) is null ? "neighbours" : "path"), cancellationToken, "nodes");
            if (!answer.Items("nodes").Any() && parsed.GetValue(to) is null)
            {
                answer = await connection.Api.PostAsync("/api/v1/graph/query", Question("search"), cancellationToken, "nodes");
            }

            Terminal.Of(parsed).WriteJson(answer);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static void Tell(ParseResult parsed, JsonElement json, string text)
    {
        if (parsed.GetValue(CliOptions.JsonOption))
        {
            Terminal.Of(parsed).WriteJson(json);
            return;
        }

        Terminal.Of(parsed).WriteLine(text);
    }

    private static string Named(ParseResult parsed) => Segment.Of(parsed.GetValue(Id), "fact");

    private static string Parameter(string name, string? value) => value is null ? "" : $"&{name}={Uri.EscapeDataString(value)}";
}
