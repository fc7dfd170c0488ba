using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>
/// Puts texts into the vector store in the background, so that none of them stops the others. What the model refuses is found by halving, noted, and tried again after pauses that grow, at last never: each attempt may be paid for.
/// What concerns every text (an outage, a budget, a key, a model that refuses whatever it gets) ends the attempt instead.
/// </summary>
internal sealed partial class VectorWriter(IVectorStore store, IEmbedder embedder, IDatabase database, VectorMetrics metrics, ILogger<VectorWriter> logger)
{
    /// <summary>Texts of one request at most, as providers take them.</summary>
    private const int Batch = 96;

    /// <summary>Ten minutes after the first refusal, then six times as long each time: an hour, six hours, a day and a half, nine days.</summary>
    private const int MostAttempts = 6;

    private const int Longer = 6;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMinutes(10);

    /// <summary>A text that no model can have anything against.</summary>
    private static readonly string[] Harmless = ["text"];

    private const string Note = """
        INSERT INTO vector_refusals (space, model, id, stamp, attempts, due_at) VALUES (@space, @model, @id, @stamp, @attempts, @due)
        ON CONFLICT (space, model, id) DO UPDATE SET stamp = excluded.stamp, attempts = excluded.attempts, due_at = excluded.due_at
        """;

    private const string Clear = "DELETE FROM vector_refusals WHERE space = @space AND model = @model AND id = @id";

    private static readonly SqlText Noted = SqlDialect.InList("SELECT id, stamp, attempts, due_at FROM vector_refusals WHERE space = @space AND model = @model AND", "id", "ids", "");

    /// <summary>Embeds and stores what is not known to be refused just now.</summary>
    public async Task<PutVectors> PutAsync(string space, IReadOnlyList<VectorEntry> entries, string ownerId, CancellationToken cancellationToken)
    {
        if (entries.Count == 0)
        {
            return new PutVectors(entries, null);
        }

        var pass = new Pass(space, VectorTable.ModelOf(embedder.Identity), ownerId);
        var (now, noted) = await database.ReadAsync(session => NotedAsync(session, pass, entries), cancellationToken);
        pass.Before = noted;
        var due = entries.Where(e => !noted.TryGetValue(e.Id, out var refusal) || refusal.Stamp != StampOf(e.Text) || refusal.DueAt <= now).ToList();
        var failure = await TryAsync(pass, due, cancellationToken);
        if (pass.Refused.Count > 0 || (pass.Done.Count > 0 && pass.Before.Count > 0))
        {
            await database.WriteAsync(session => WriteAsync(session, pass), cancellationToken);
        }

        foreach (var (_, attempts, reason) in pass.Refused)
        {
            metrics.Refused(space, reason);
            LogRefused(space, reason, attempts, MostAttempts);
        }

        return new PutVectors(pass.Done, failure);
    }

    public ValueTask RemoveAsync(string space, IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken) => store.RemoveAsync(space, ids, cancellationToken);

    /// <summary>What was put before a failure is put, and paid for.</summary>
    private async Task<ModelException?> TryAsync(Pass pass, List<VectorEntry> due, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var some in due.Chunk(Batch))
            {
                await PutAsync(pass, some, cancellationToken);
            }

            return null;
        }
        catch (ModelException e)
        {
            return e;
        }
    }

    private async Task PutAsync(Pass pass, VectorEntry[] some, CancellationToken cancellationToken)
    {
        try
        {
            await store.PutAsync(pass.Space, some, pass.OwnerId, cancellationToken);
            pass.Done.AddRange(some);
        }
        catch (ModelException e) when (MayBeTheText(e))
        {
            if (!pass.ModelWorks)
            {
                await embedder.EmbedAsync(Harmless, EmbedPurpose.Document, pass.OwnerId, cancellationToken); // it refuses this too: it is not the text
                pass.ModelWorks = true;
            }

            if (some is [var one])
            {
                var before = pass.Before.TryGetValue(one.Id, out var known) && known.Stamp == StampOf(one.Text) ? known.Attempts : 0;
                pass.Refused.Add((one, before + 1, e.ErrorClass));
                return;
            }

            await PutAsync(pass, some[..(some.Length / 2)], cancellationToken);
            await PutAsync(pass, some[(some.Length / 2)..], cancellationToken);
        }
    }

    private static bool MayBeTheText(ModelException e) => !e.RetryLater && e.ErrorClass is "context_length" or "content_filter" or "bad_request" or "invalid_answer";

    private static async ValueTask<(DateTimeOffset Now, Dictionary<Guid, Refusal> Noted)> NotedAsync(DbSession session, Pass pass, IReadOnlyList<VectorEntry> entries)
    {
        var rows = await session.Prepared(Noted).Set("space", pass.Space).Set("model", pass.Model).Set("ids", VectorTable.ListOf(entries.Select(static e => e.Id)))
            .ListAsync(static r => (Id: Guid.Parse(r.GetString(0)), Refusal: new Refusal(r.GetInt64(1), r.GetInt32(2), r.TimeOrNull(3))));
        return (session.Now, rows.ToDictionary(static r => r.Id, static r => r.Refusal));
    }

    private static async ValueTask WriteAsync(DbSession session, Pass pass)
    {
        foreach (var (entry, attempts, _) in pass.Refused)
        {
            var due = attempts < MostAttempts ? session.Now + (FirstPause * Math.Pow(Longer, attempts - 1)) : (DateTimeOffset?)null;
            await session.Prepared(Note).Set("space", pass.Space).Set("model", pass.Model).Set("id", VectorTable.TextOf(entry.Id)).Set("stamp", StampOf(entry.Text))
                .Set("attempts", (long)attempts).Set("due", due).RunAsync();
        }

        foreach (var entry in pass.Done.Where(e => pass.Before.ContainsKey(e.Id)))
        {
            await session.Prepared(Clear).Set("space", pass.Space).Set("model", pass.Model).Set("id", VectorTable.TextOf(entry.Id)).RunAsync();
        }
    }

    private static long StampOf(string text) => BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    [LoggerMessage(Level = LogLevel.Warning, Message = "The embedding model refuses a text of {Space} ({ErrorClass}), in attempt {Attempt} of {Attempts}. Words find it, vector search does not; all other texts go on")]
    private partial void LogRefused(string space, string errorClass, int attempt, int attempts);

    /// <param name="DueAt">Null: never.</param>
    private sealed record Refusal(long Stamp, int Attempts, DateTimeOffset? DueAt);

    private sealed class Pass(string space, string model, string ownerId)
    {
        public string Space => space;

        public string Model => model;

        public string OwnerId => ownerId;

        public Dictionary<Guid, Refusal> Before { get; set; } = [];

        public List<VectorEntry> Done { get; } = [];

        public List<(VectorEntry Entry, int Attempts, string Reason)> Refused { get; } = [];

        public bool ModelWorks { get; set; }
    }
}

/// <summary>What came of it.</summary>
/// <param name="Done">They have their vectors.</param>
/// <param name="Failure">Why there are none for anything at the moment; null: all was tried that was due.</param>
internal sealed record PutVectors(IReadOnlyList<VectorEntry> Done, ModelException? Failure);
