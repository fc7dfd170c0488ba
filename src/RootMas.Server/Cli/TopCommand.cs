using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text.Json;
using RootMas.Runtime.Runs;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas top</c>: live runs, queue, cost and errors, by the ordinary API, so of a remote server too. One picture where there is no terminal.</summary>
internal static class TopCommand
{
    public static Command Create()
    {
        var interval = new Option<double>("--interval") { Description = "Seconds between two pictures.", DefaultValueFactory = static _ => 2 }.WithoutCommas();
        var once = new Option<bool>("--once") { Description = "One picture, also on a terminal." };
        interval.Bound(0.2, 3_600, "--interval must be between 0.2 and 3600 seconds.");
        var command = new Command("top", "Live runs, queue, cost and errors.") { interval, once, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var terminal = Terminal.Of(parsed);
            await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
            var view = new TopView(connection.Api);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson((await view.TakeAsync(cancellationToken)).ToJson());
            }
            else if (!terminal.IsTerminal || parsed.GetValue(once))
            {
                Print(terminal, await view.TakeAsync(cancellationToken));
            }
            else
            {
                await LiveAsync(terminal, view, TimeSpan.FromSeconds(parsed.GetValue(interval)), cancellationToken);
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    private static void Print(Terminal terminal, TopPicture picture)
    {
        foreach (var line in picture.Summary())
        {
            terminal.WriteLine(line);
        }

        terminal.WriteLine();
        terminal.Table(TopPicture.RunColumns, picture.RunRows());
        foreach (var line in picture.Rest().Concat(picture.Errors()))
        {
            terminal.WriteLine(line);
        }
    }

    /// <summary>Until Ctrl-C. A server that is away for a moment is waited for: whoever watches wants to see it come back.</summary>
    private static async Task LiveAsync(Terminal terminal, TopView view, TimeSpan interval, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var pressed = terminal.Console.OnInterrupt(stop.Cancel);
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(terminal.Console.Output) });
        try
        {
            await console.Live(new Text("…")).StartAsync(async live =>
            {
                while (true)
                {
                    live.UpdateTarget(await DrawAsync(view, stop.Token));
                    await Task.Delay(interval, TimeProvider.System, stop.Token);
                }
            });
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Ctrl-C is how one leaves.
        }
    }

    private static async Task<IRenderable> DrawAsync(TopView view, CancellationToken cancellationToken)
    {
        TopPicture picture;
        try
        {
            picture = await view.TakeAsync(cancellationToken);
        }
        catch (CliException e) when (e.ExitCode is ExitCodes.Unreachable or ExitCodes.Limit)
        {
            return new Markup($"[red]{Markup.Escape(e.Message)}[/]");
        }

        var table = new Table { Border = TableBorder.Simple, Expand = true };
        foreach (var column in TopPicture.RunColumns)
        {
            table.AddColumn(new TableColumn(Markup.Escape(column)));
        }

        foreach (var row in picture.RunRows())
        {
            table.AddRow(row.Select(static cell => new Text(Terminal.Clean(cell))).ToArray());
        }

        return new Rows([
            .. picture.Summary().Select(static l => new Text(Terminal.Clean(l))),
            table,
            .. picture.Rest().Select(static l => new Text(l)),
            .. picture.Errors().Select(static l => new Text(Terminal.Clean(l), new Style(Color.Red)))]);
    }
}

/// <summary>Where <c>top</c> looks: at everybody's runs where whoever watches may see them, else at their own.</summary>
internal sealed class TopView(ApiClient api)
{
    private const int MostLines = 5;

    /// <summary>Of one state, 200 runs each: more is read by nobody.</summary>
    private const int MostPages = 5;

    private static readonly string[] Live = [.. Enum.GetValues<RunStatus>().Where(static s => !s.IsFinal()).Select(static s => s.ToName())];

    private bool _isRefused;

    /// <summary>Log lines need a right that not everybody has; without it there are none.</summary>
    public async Task<TopPicture> TakeAsync(CancellationToken cancellationToken)
    {
        var dashboard = await api.GetAsync("/api/v1/metrics/dashboard", cancellationToken, "uptime");
        var (_, health) = await api.ProbeAsync("/health", cancellationToken);
        var (runs, isCut) = await RunsAsync(cancellationToken);
        var (status, logs) = await api.ProbeAsync($"/api/v1/logs?level=warning&limit={MostLines}", cancellationToken);
        return new TopPicture(dashboard, health, runs, status == HttpStatusCode.OK ? [.. logs.Items("logs")] : [], isCut);
    }

    /// <summary>First what works, then what waits for a person to look, then what waits for anything else, then the queue; of each the oldest first.</summary>
    internal static List<JsonElement> InOrder(IEnumerable<JsonElement> runs) =>
    [
        .. runs.DistinctBy(static r => r.Text("id"), StringComparer.Ordinal)
            .OrderBy(static r => r.Text("status") switch { "running" => 0, "needs_review" => 1, "queued" => 3, _ => 2 })
            .ThenBy(static r => r.Text("id"), StringComparer.Ordinal),
    ];

    /// <summary>Each state by itself: among the newest of all, those that stand still are not found.</summary>
    private async Task<(List<JsonElement> Runs, bool IsCut)> RunsAsync(CancellationToken cancellationToken)
    {
        List<JsonElement> runs = [];
        var isCut = false;
        foreach (var state in Live)
        {
            var cursor = "";
            for (var page = 0; page < MostPages && cursor is not null; page++)
            {
                var found = await PageAsync($"/api/v1/runs?limit=200&status={state}{cursor}", cancellationToken);
                runs.AddRange(found.Items());
                cursor = found.Text("next_cursor") is { } next ? "&cursor=" + Uri.EscapeDataString(next) : null;
            }

            isCut |= cursor is not null;
        }

        return (InOrder(runs), isCut);
    }

    private async Task<JsonElement> PageAsync(string path, CancellationToken cancellationToken)
    {
        if (!_isRefused)
        {
            var (status, everybodys) = await api.ProbeAsync(path + "&user=*", cancellationToken);
            if (status == HttpStatusCode.OK)
            {
                return everybodys;
            }

            _isRefused = status == HttpStatusCode.Forbidden;
        }

        return await api.ListAsync(path, cancellationToken);
    }
}

/// <summary>What <c>top</c> shows, at one moment.</summary>
/// <param name="IsCut">There are more runs than were read.</param>
internal sealed record TopPicture(JsonElement Dashboard, JsonElement Health, IReadOnlyList<JsonElement> Runs, IReadOnlyList<JsonElement> Lines, bool IsCut = false)
{
    private const int MostRuns = 20;

    public static readonly string[] RunColumns = ["Run", "Status", "Agent", "Cost USD", "Since", "Waits because"];

    public JsonElement ToJson() => JsonSerializer.SerializeToElement(new { dashboard = Dashboard, health = Health, runs = Runs, logs = Lines });

    public IEnumerable<string> Summary()
    {
        var values = Dashboard.TryGetProperty("values", out var v) ? v : default;
        yield return $"{Health.Text("status")} {Health.Text("version")}, up {TimeSpan.FromSeconds(Number(Dashboard, "uptime")):d\\.hh\\:mm\\:ss}, processor {Number(Dashboard, "cpu_usage"):0} %, memory {Number(Dashboard, "memory_usage") / (1 << 20):0} MiB";
        yield return $"runs: {Number(values, "runs_running"):0} running, {Number(values, "queue_length"):0} queued (oldest {Number(values, "queue_oldest_seconds"):0} s), {Number(values, "runs_stuck"):0} stuck, {Number(values, "approvals_pending"):0} approvals open, {Number(Dashboard, "active_agents"):0} agents at work";
        yield return string.Create(CultureInfo.InvariantCulture, $"cost: {Number(values, "cost_usd"):0.00####} USD today (UTC) for {Number(values, "model_calls"):0} requests to models, {Number(values, "model_failures"):0} failed");
        var bad = Health.TryGetProperty("checks", out var checks) ? checks.EnumerateObject().Where(static c => c.Value.Text("status") is "unhealthy" or "degraded").Select(static c => $"{c.Name} {c.Value.Text("status")}") : [];
        if (string.Join(", ", bad) is { Length: > 0 } parts)
        {
            yield return $"look at: {parts}";
        }
    }

    public IEnumerable<IReadOnlyList<string>> RunRows() => Runs.Take(MostRuns).Select(static r => (IReadOnlyList<string>)
        [r.Text("id")!, r.Text("status")!, r.Text("agent")!, r.Text("tree_cost_usd") ?? r.Text("cost_usd") ?? "", r.Text("started_at") ?? r.Text("created_at")!, r.Text("reason") ?? ""]);

    /// <summary>What is not shown, in one line or none.</summary>
    public IEnumerable<string> Rest()
    {
        if (IsCut || Runs.Count > MostRuns)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{(IsCut ? "at least " : "")}{Math.Max(1, Runs.Count - MostRuns)} more");
        }
    }

    public IEnumerable<string> Errors() => Lines.Select(static l => $"{l.Text("timestamp")} {l.Text("level")} {l.Text("component")}: {l.Text("message")}");

    private static double Number(JsonElement json, string name) => json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : 0;
}
