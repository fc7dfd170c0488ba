using System.Globalization;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary>
/// The quiet lines of a run and of those below it, each once. A stream has runs below live only: what they did before it began, or while it was lost, is read
/// from their logs as soon as a number is missing or a run is said to have ended.
/// </summary>
internal sealed class TreeNotes(ApiClient api, Terminal terminal)
{
    private const int Page = 200;

    /// <summary>The first event of every log, <c>run.queued</c>. It has no line.</summary>
    private const long Queued = 1;

    private readonly RunNotes _notes = new(terminal);
    private readonly Dictionary<string, long> _shown = new(StringComparer.Ordinal);
    private readonly HashSet<string> _ended = new(StringComparer.Ordinal);

    /// <summary>An event of the run itself.</summary>
    public async Task ShowAsync(WireEvent e, CancellationToken cancellationToken)
    {
        await BeforeAsync(e, cancellationToken);
        _notes.Show(e, isChild: false);
    }

    /// <summary>An event or a live piece of a run below.</summary>
    public async Task ShowBelowAsync(WireEvent e, CancellationToken cancellationToken)
    {
        if (e.Data.Text("run_id") is not { } run)
        {
            return;
        }

        var (seq, isPiece) = (SeqOf(e.Data), e.Data.Text("n") is not null); // a piece has the number of the event that it follows
        if ((isPiece ? seq : seq - 1) > ShownOf(run))
        {
            await CatchUpAsync(run, cancellationToken);
        }

        if (isPiece)
        {
            _shown[run] = Math.Max(seq, ShownOf(run)); // what could not be read is not asked for at every piece
            return;
        }

        await AddAsync(run, e, cancellationToken);
    }

    /// <summary>Before a child is said to have ended: what it did until then.</summary>
    private Task BeforeAsync(WireEvent e, CancellationToken cancellationToken) =>
        e.Type == "child.completed" && e.Data.Text("child_run_id") is { } child && !_ended.Contains(child) ? CatchUpAsync(child, cancellationToken) : Task.CompletedTask;

    private static long SeqOf(JsonElement data) => long.TryParse(data.Text("seq"), NumberStyles.None, CultureInfo.InvariantCulture, out var seq) ? seq : 0;

    private long ShownOf(string run) => _shown.GetValueOrDefault(run, Queued);

    private async Task CatchUpAsync(string run, CancellationToken cancellationToken)
    {
        try
        {
            for (var isMore = true; isMore;)
            {
                var page = await api.ListAsync($"/api/v1/runs/{Segment.Of(run, "run")}/events?limit={Page}&after={ShownOf(run)}", cancellationToken);
                foreach (var e in page.Items())
                {
                    await AddAsync(run, new WireEvent(null, e.Text("type") ?? "", e), cancellationToken);
                }

                isMore = page.Items().Count() == Page;
            }
        }
        catch (CliException e) when (e.ExitCode != ExitCodes.Unreachable)
        {
            // Its log is gone, or a limit is reached: these lines are missing, and the run goes on.
        }
    }

    private async Task AddAsync(string run, WireEvent e, CancellationToken cancellationToken)
    {
        var seq = SeqOf(e.Data);
        if (seq <= ShownOf(run))
        {
            return;
        }

        await BeforeAsync(e, cancellationToken);
        _shown[run] = seq;
        if (e.Type is "run.completed" or "run.failed" or "run.cancelled")
        {
            _ended.Add(run);
        }

        _notes.Show(e, isChild: true);
    }
}
