using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>What the stage of the pipeline works with.</summary>
/// <param name="Versions">Null: there are no documents here.</param>
internal sealed record CacheStage(AnswerLevels Levels, AnswerLookup Lookup, AnswerLearner Learner, AnswerCacheMetrics Metrics, IKnowledgeVersion? Versions, AnswerCacheOptions Options, TimeProvider Clock)
{
    public Flights Flights { get; } = new();

    /// <summary>Null: no other process can change agents.</summary>
    public Func<ModelCall, CancellationToken, Task<bool>>? IsCatalogNewest { get; init; }

    /// <summary>Whom a call leads to now: another model gives other answers.</summary>
    public required Func<ModelCall, AskedModels> Asked { get; init; }
}

/// <summary>
/// The stage between budget and cascade: gives kept answers again. What is not for the cache passes without a wrapper around its stream; a miss costs a hash of the request and one look into a dictionary.
/// </summary>
internal sealed class AnswerCacheClient(IChatClient inner, CacheStage parts) : DelegatingChatClient(inner)
{
    public override IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (parts.Options.Mode == AnswerCacheMode.Off || options is null || messages is not IReadOnlyList<ChatMessage> list || ModelCall.From(options) is not { Question: not null } call)
        {
            return base.GetStreamingResponseAsync(messages, options, cancellationToken);
        }

        if (CacheRules.Refusal(list, call, parts.Clock.GetUtcNow()) is { } refusal)
        {
            parts.Metrics.Looked(refusal);
            return base.GetStreamingResponseAsync(messages, options, cancellationToken);
        }

        return AnswerAsync(call, list, options, cancellationToken);
    }

    private async IAsyncEnumerable<ChatResponseUpdate> AnswerAsync(
        ModelCall call, IReadOnlyList<ChatMessage> messages, ChatOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (await VersionAsync(call, options, cancellationToken) is not { } version)
        {
            await foreach (var update in base.GetStreamingResponseAsync(messages, options, cancellationToken))
            {
                yield return update;
            }

            yield break;
        }

        var request = AnswerRequest.Of(messages, options, call, version, parts.Asked(call));
        var epoch = parts.Levels.Epoch;
        var turn = call.NoCache ? Turn.Bypassing : await TurnAsync(request, epoch, cancellationToken);
        if (turn.Found.Answer is { } kept)
        {
            parts.Metrics.Gave(kept, turn.Found.Kind);
            if (turn.Found.Kind is "memory" or "flight")
            {
                parts.Levels.Index.Hit(request.Key, kept.Id); // the others were counted where they were found
            }

            AnswerReplay.Tell(call, kept, turn.Found.Kind);
            foreach (var piece in AnswerReplay.Pieces(kept))
            {
                yield return piece;
            }

            yield break;
        }

        parts.Metrics.Looked(call.NoCache ? "bypass" : "miss");
        var capture = new AnswerCapture();
        try
        {
            await foreach (var update in base.GetStreamingResponseAsync(messages, options, cancellationToken))
            {
                capture.Add(update);
                capture.IsLeft = true; // unless the reader comes back for more
                yield return update;
                capture.IsLeft = false;
            }

            capture.IsWhole = true;
        }
        finally
        {
            capture.IsLeft |= !capture.IsWhole && cancellationToken.IsCancellationRequested;
            End(request, turn, capture, epoch);
        }
    }

    /// <summary>
    /// Of what the owner can know from documents; null: nothing can be kept or given, because the database does not say, or an agent was changed elsewhere and this process still has its old prompt.
    /// Asked each time and not kept in memory: other instances hear of a change a moment later, and in that moment they would give an old answer.
    /// </summary>
    private async ValueTask<string?> VersionAsync(ModelCall call, ChatOptions options, CancellationToken cancellationToken)
    {
        var versions = KnowsDocuments(call, options) ? parts.Versions : null;
        if (versions is null && parts.IsCatalogNewest is null)
        {
            return "";
        }

        try
        {
            var isNewest = parts.IsCatalogNewest?.Invoke(call, cancellationToken) ?? Task.FromResult(true);
            var version = versions?.OfAsync(call.OwnerId, cancellationToken).AsTask() ?? Task.FromResult("");
            await Task.WhenAll(isNewest, version);
            if (await isNewest)
            {
                return await version;
            }

            parts.Metrics.Looked("outdated");
        }
        catch (StorageUnavailableException)
        {
            parts.Metrics.Looked("unavailable");
        }

        return null;
    }

    /// <summary>Whether the answer could be another one with other documents: those without tools for them cannot know.</summary>
    private static bool KnowsDocuments(ModelCall call, ChatOptions options)
    {
        if (call.Documents is { Count: > 0 })
        {
            return true;
        }

        for (var i = 0; i < (options.Tools?.Count ?? 0); i++)
        {
            if (options.Tools![i].Name is "delegate" or "handoff" or "graph_query" || options.Tools[i].Name.StartsWith("knowledge_", StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>An answer, or the turn to ask: of equal requests at the same time one asks, and the others have its answer.</summary>
    private async ValueTask<Turn> TurnAsync(AnswerRequest request, long epoch, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (parts.Lookup.FindInMemory(request) is { } known)
            {
                return new Turn(new Found(known, "memory", null), null);
            }

            var flight = parts.Flights.Join(request.Key, out var leads);
            if (leads)
            {
                return await LeadAsync(request, flight, epoch, cancellationToken);
            }

            var landing = await flight.WaitAsync(cancellationToken);
            if (landing.Answer is { } shared)
            {
                return new Turn(new Found(shared, "flight", null), null);
            }

            if (!landing.MayShare)
            {
                return default;
            }
        }
    }

    private async ValueTask<Turn> LeadAsync(AnswerRequest request, Flight flight, long epoch, CancellationToken cancellationToken)
    {
        var landing = default(Landing);
        var asks = false;
        try
        {
            // Whoever led before may have ended between the look and the turn.
            var found = parts.Lookup.FindInMemory(request) is { } known ? new Found(known, "memory", null) : await parts.Lookup.FindAsync(request, cancellationToken);
            landing = new Landing(found.Answer, true);
            asks = found.Answer is null;
            if (found is { Answer: { } stored, Kind: "redis" or "stored" })
            {
                Remember(request.Key, stored, epoch);
            }

            return new Turn(found, asks ? flight : null);
        }
        catch (StorageUnavailableException)
        {
            asks = true; // a cache that cannot be read costs nobody their answer
            return new Turn(default, flight);
        }
        finally
        {
            if (!asks)
            {
                parts.Flights.End(request.Key, flight, epoch == parts.Levels.Epoch ? landing.Answer : null, mayShare: true);
            }
        }
    }

    private void End(in AnswerRequest request, in Turn turn, AnswerCapture capture, long epoch)
    {
        var answer = capture.ToAnswer(request, parts.Clock.GetUtcNow(), parts.Options.TimeToLive, out var refusal);
        var isKept = refusal is null;
        if (isKept && epoch == parts.Levels.Epoch)
        {
            Remember(request.Key, answer!, epoch);
        }

        // One that came to its end is learned from whether it may be kept or not: else what is asked where it may not would be given without anybody seeing how often that is wrong.
        if (epoch == parts.Levels.Epoch && (isKept || SaysSomething(request, capture, refusal)))
        {
            parts.Learner.Offer(new Lesson(request, answer, turn.Found.Considered, epoch) { IsKept = isKept });
        }

        if (refusal is not null)
        {
            AnswerCacheMetrics.NotStored(refusal);
            answer = null;
        }

        if (turn.Flight is { } flight)
        {
            // Whoever left says nothing about the answer, so the next one asks for all. One that failed, was cut or called tools does so again, perhaps: the others would stand in a queue for nothing.
            // After a purge nobody gets what was asked before it: whoever waits asks anew.
            parts.Flights.End(request.Key, flight, epoch == parts.Levels.Epoch ? answer : null, mayShare: answer is not null || capture.IsLeft);
        }
    }

    /// <summary>Of the answers that are kept, one that is not kept itself.</summary>
    private bool SaysSomething(in AnswerRequest request, AnswerCapture capture, string? refusal) =>
        capture.IsWhole && refusal != CacheRules.StandIn && parts.Options.IsSemantic && parts.Levels.Index.Has(request.Partition);

    /// <summary>A purge that comes between look and keeping is not undone by it.</summary>
    private void Remember(Digest key, CachedAnswer answer, long epoch)
    {
        parts.Levels.Memory.Put(key, answer);
        if (epoch != parts.Levels.Epoch)
        {
            parts.Levels.Memory.Remove(one => one.Id == answer.Id);
        }
    }

    /// <param name="Flight">Others wait for it; null: nobody does.</param>
    private readonly record struct Turn(Found Found, Flight? Flight)
    {
        public static Turn Bypassing => default;
    }
}
