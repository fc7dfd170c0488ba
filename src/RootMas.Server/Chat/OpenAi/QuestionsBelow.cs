using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat.OpenAi;

/// <summary>
/// Looks out for a person who is asked below a run, while the run's own stream is read. As whoever waits for a run does, so no question is missed, wherever it is asked; and only once the run has given work to others, so one that works alone costs nothing.
/// Of a call that is repeated it also finds out what the run itself still asks: its log says what was asked, and an answer may be on its way into it.
/// </summary>
internal sealed class QuestionsBelow(IChatService chat, Caller caller, string runId, CompletionStream stream) : IAsyncDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan WhileStorageIsAway = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _end = new();
    private Task<bool>? _asked;

    /// <summary>The run that asks, once <see cref="Watch"/> is true.</summary>
    public RunSummary? Asking { get; private set; }

    private bool IsRepeated => stream.ReplaysUpTo > 0;

    /// <summary>True: a run below asks, or the run of a repeated call, and the stream has come as far as its root had then. False: the root's own stream says how it ends. Null: nobody else works for it.</summary>
    public Task<bool>? Watch()
    {
        if (stream.HasParts || IsRepeated)
        {
            _asked ??= WatchAsync(_end.Token);
        }

        return _asked;
    }

    /// <summary>Waits until a run has ended, or it or one below it waits for a person, or this process lets go of it. A database that is away for a while ends no run, and no waiting for one.</summary>
    public static async Task<(RunSummary? Run, RunSummary? Asking)> WaitAsync(IChatService chat, Caller caller, string runId, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var run = await chat.WaitAsync(caller, runId, LookEvery, cancellationToken);
                if (run is null || run.Status.IsFinal())
                {
                    return (run, null);
                }

                var asking = run.Status.IsWaitingForHuman() ? run : await chat.FindParkedAsync(caller, runId, cancellationToken);
                if (asking is not null || chat.Stopping.IsCancellationRequested)
                {
                    return (run, asking);
                }
            }
            catch (StorageUnavailableException) when (!chat.Stopping.IsCancellationRequested)
            {
                await Task.Delay(WhileStorageIsAway, cancellationToken);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await ((Task?)_asked ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task<bool> WatchAsync(CancellationToken cancellationToken)
    {
        var (run, asking) = await WaitAsync(chat, caller, runId, cancellationToken);
        if (run is null || asking is null || (asking.Id == runId && !IsRepeated))
        {
            return false;
        }

        await stream.ReachesAsync(run.LastSeq).WaitAsync(cancellationToken);
        Asking = asking;
        return true;
    }
}
