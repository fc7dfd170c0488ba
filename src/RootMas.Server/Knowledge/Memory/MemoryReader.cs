using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Users;
using RootMas.Server.Knowledge.Graph;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>What a reading works with, beside the queue.</summary>
internal sealed record ReadingParts(FactReading Reading, MemoryRecall Recall, UserRights Rights, LedgerStore Ledger, IMemorySources? Sources);

/// <summary>Reads exchanges after their runs, off the user's path, and keeps what was said to last. Facts, ledger rows and the end of the job are one transaction.</summary>
internal sealed partial class MemoryReader(MemoryQueue queue, MemoryStore store, MemoryOptions options, ReadingParts parts, TimeProvider clock, ILogger<MemoryReader> logger) : SupervisedService
{
    private const string ForgotAt = "select forgot_at from memory_owners where owner_id = @owner";

    private const int KnownShown = 20;
    private const int MostAttempts = 6;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromHours(1);

    /// <summary>Reads one batch that is due. False: nothing is.</summary>
    public async Task<bool> ReadOneAsync(CancellationToken cancellationToken)
    {
        if (await queue.TakeAsync(cancellationToken) is not { } batch)
        {
            return false;
        }

        await NoteInDoubtAsync(batch, cancellationToken);
        var said = await SaidAsync(batch, cancellationToken);
        if (said.Count > 0)
        {
            if (await queue.AskingAsync(batch, cancellationToken) is not { } asking)
            {
                return true;
            }

            batch = asking;
        }

        var call = new ModelCall { OwnerId = batch.OwnerId, Agent = "memory", Purpose = FactReading.Purpose, Tier = "cheap", NoCache = true, WritesLedger = true };
        try
        {
            var found = said.Count == 0 ? [] : await AskAsync(batch, said, call, cancellationToken);
            await WriteAsync(batch, found, call); // also if the process stops: it is paid for
        }
        catch (ModelException exception)
        {
            await LaterAsync(batch, call, exception, cancellationToken);
            return true;
        }
        catch (OperationCanceledException)
        {
            // The process stops: what the request cost is written, and another reads the exchange.
            await store.Database.WriteAsync(session => NoteAsync(session, call), CancellationToken.None);
            await queue.GiveBackAsync(batch, TimeSpan.Zero, counts: false, CancellationToken.None);
            throw;
        }
#pragma warning disable CA1031 // whatever is wrong with what a model made of it: it costs each time, so its attempts are counted too
        catch (Exception exception) when (exception is not StorageUnavailableException)
#pragma warning restore CA1031
        {
            LogFailed(exception);
            await LaterAsync(batch, call, new ModelException("internal", "What the model found could not be kept.", inner: exception), cancellationToken);
            return true;
        }

        MemoryMetrics.Read(batch.Jobs.Count, said.Count == 0 ? "skipped" : "read");
        return true;
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        if (queue.IsOn && options.ExtractParallelism > 0)
        {
            await queue.VoidClaimsAsync(stoppingToken);
            await KeepAllAsync(stoppingToken, Enumerable.Repeat<Func<CancellationToken, Task>>(ServeAsync, options.ExtractParallelism));
        }
    }

    private async Task ServeAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!await ReadOneAsync(stoppingToken))
                {
                    await WaitAsync(stoppingToken);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // one exchange that cannot be read must not end the reading of all; its job stays and is taken again when its claim is over
            catch (Exception exception)
#pragma warning restore CA1031
            {
                LogFailed(exception);
                await Task.Delay(Interval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Until something is added, or due.</summary>
    private async Task WaitAsync(CancellationToken cancellationToken)
    {
        var wait = await queue.NextDueAsync(cancellationToken) is { } due ? due - clock.GetUtcNow() : Interval;
        wait = wait > Interval ? Interval : wait < TimeSpan.FromMilliseconds(50) ? TimeSpan.FromMilliseconds(50) : wait;
        using var moment = new CancellationTokenSource(wait, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(moment.Token, cancellationToken);
        try
        {
            await store.Signals.Jobs.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Nothing was said; look all the same.
        }
    }

    /// <summary>What was said and still counts: nothing of dead branches, of deleted conversations, or of people who may not (any more) have things remembered.</summary>
    private async Task<IReadOnlyList<SourceMessage>> SaidAsync(MemoryBatch batch, CancellationToken cancellationToken)
    {
        var rights = await parts.Rights.OfOwnerAsync(batch.OwnerId, null, cancellationToken);
        if (parts.Sources is null || !Permissions.Allows(rights, "memory:write"))
        {
            return [];
        }

        var said = new List<SourceMessage>();
        foreach (var job in batch.Jobs)
        {
            if (await parts.Sources.FindAsync(job.ConversationId, job.RunId, job.OwnerId, cancellationToken) is { Dead: false, MayRemember: true } message && queue.Wants(message.Text))
            {
                said.Add(message);
            }
        }

        return said;
    }

    private async Task<IReadOnlyList<FoundFact>> AskAsync(MemoryBatch batch, IReadOnlyList<SourceMessage> said, ModelCall call, CancellationToken cancellationToken)
    {
        var words = string.Join('\n', said.Select(static s => s.Text));
        var known = await parts.Recall.SearchPlainAsync(batch.OwnerId, words, KnownShown, cancellationToken);
        using var limit = new CancellationTokenSource(Limit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await parts.Reading.ReadAsync(said, known, call, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ModelException("timeout", "The model did not answer in time.", retryLater: true);
        }
    }

    private Task WriteAsync(MemoryBatch batch, IReadOnlyList<FoundFact> found, ModelCall call) => store.Database.WriteAsync(
        async session =>
        {
            await NoteAsync(session, call); // its requests were sent, whoever writes the facts
            await UserStore.StaysAsync(session, batch.OwnerId); // before the jobs, as erasing a user does it; they go with the user, so they say whether one is there
            var mine = await MemoryQueue.FinishAsync(session, batch);
            var ours = found.Where(f => mine.Contains(f.Fact.Source.RunId!)).ToList();
            if (ours.Count == 0)
            {
                return;
            }

            await store.ChangeAsync(session, batch.OwnerId); // the owner is held before the conversation, as erasing a user does it
            foreach (var (fact, relations) in await StillSaidAsync(session, batch.OwnerId, ours))
            {
                var made = await FactWrites.KeepAsync(session, batch.OwnerId, fact, options.MaxFacts);
                await store.TellKeptAsync(session, batch.OwnerId, made);
                if (made is { Outcome: not Kept.Known, Fact: { } kept })
                {
                    await GraphFacts.WriteAsync(session, kept, relations);
                }
            }
        },
        CancellationToken.None);

    /// <summary>Without what was taken back while the model read it: it had up to <see cref="Limit"/> for that.</summary>
    private async ValueTask<List<FoundFact>> StillSaidAsync(DbSession session, string ownerId, List<FoundFact> found)
    {
        var said = new HashSet<string>(StringComparer.Ordinal);
        var forgot = await session.Prepared(ForgotAt).Set("owner", ownerId).FirstOrDefaultAsync(static r => r.TimeOrNull(0));
        foreach (var source in found.Where(f => !(f.Fact.SaidAt <= forgot)).Select(static f => f.Fact.Source).DistinctBy(static s => s.RunId, StringComparer.Ordinal))
        {
            if (await parts.Sources!.HoldAsync(session, source.ConversationId!, source.RunId!, ownerId))
            {
                said.Add(source.RunId!);
            }
        }

        return found.FindAll(f => said.Contains(f.Fact.Source.RunId!));
    }

    /// <summary>What <see cref="ModelException.Passes"/> is waited for, however long. What no model can read is given up after a few tries.</summary>
    private async Task LaterAsync(MemoryBatch batch, ModelCall call, ModelException exception, CancellationToken cancellationToken)
    {
        await store.Database.WriteAsync(session => NoteAsync(session, call), cancellationToken);
        var passes = exception.Passes;
        if (!passes && batch.Attempts >= MostAttempts)
        {
            MemoryMetrics.Read(batch.Jobs.Count, "given_up");
            LogGivenUp(batch.Jobs[0].RunId, batch.Attempts, exception.ErrorClass);
            await store.Database.WriteAsync(async session => _ = await MemoryQueue.FinishAsync(session, batch), cancellationToken); // alone: see TakeAsync
            return;
        }

        var after = passes ? Clamp(batch.Age) : Clamp(FirstPause * Math.Pow(2, batch.Attempts - 1)); // while it is waited for, as long again as it has waited
        MemoryMetrics.Read(batch.Jobs.Count, "later");
        LogLater(batch.Jobs[0].RunId, after, exception.ErrorClass);
        await queue.GiveBackAsync(batch, after, counts: !passes, cancellationToken);
    }

    private static TimeSpan Clamp(TimeSpan pause) => pause < FirstPause ? FirstPause : pause > LongestPause ? LongestPause : pause;

    private static async ValueTask NoteAsync(DbSession session, ModelCall call)
    {
        foreach (var row in call.Ledger)
        {
            await LedgerSql.InsertAsync(session, row);
        }
    }

    /// <summary>Who had it before died with it: a request may have been sent, and nobody knows what it cost.</summary>
    private async Task NoteInDoubtAsync(MemoryBatch batch, CancellationToken cancellationToken)
    {
        if (!batch.Jobs.Any(static j => j.WasAsked))
        {
            return;
        }

        await parts.Ledger.AppendAsync(
            new LedgerEntry
            {
                Id = Guid.CreateVersion7(clock.GetUtcNow()).ToString(),
                OwnerId = batch.OwnerId,
                Agent = "memory",
                Purpose = FactReading.Purpose,
                Provider = "unknown",
                Model = "unknown",
                Tier = "cheap",
                Usage = TokenUsage.None,
                Cost = Money.Zero,
                Outcome = "in_doubt",
                Estimated = true,
                CreatedAt = clock.GetUtcNow(),
            },
            cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Reading exchanges for the memory failed; they are read again later")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Information, Message = "The exchange of run {RunId} is read for the memory again in {Pause}: {ErrorClass}")]
    private partial void LogLater(string runId, TimeSpan pause, string errorClass);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The exchange of run {RunId} was not read for the memory after {Attempts} attempts: {ErrorClass}. Nothing of it is remembered")]
    private partial void LogGivenUp(string runId, int attempts, string errorClass);
}
