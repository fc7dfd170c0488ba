using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;

namespace RootMas.Server.Chat;

/// <summary>Takes the words of a document that was deleted out of the citations of answers. That it was cited stays; what it said does not.</summary>
internal sealed class DeletedDocuments(IDatabase database, IAnswerCache cache) : IOutboxHandler
{
    public async Task HandleAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (!Guid.TryParse(message.Payload, out _))
        {
            return; // none of ours
        }

        var citing = await database.LookAsync(
            session => session.Prepared("select id, owner_id, citations from messages where citations is not null and citations like @pattern").Set("pattern", $"%\"{message.Payload}\"%")
                .ListAsync(static r => (Id: r.GetString(0), Owner: r.GetString(1), Citations: r.GetString(2))),
            cancellationToken);
        foreach (var (id, owner, citations) in citing)
        {
            var known = JsonSerializer.Deserialize(citations, ChatJson.Stored.IReadOnlyListCitation) ?? [];
            IReadOnlyList<Citation> left = [.. known.Select(c => c.DocumentId == message.Payload ? c with { Title = null, Excerpt = null } : c)];
            var json = JsonSerializer.Serialize(left, ChatJson.Stored.IReadOnlyListCitation);
            await database.WriteAsync(session => session.Prepared("update messages set citations = @citations where id = @id").Set("citations", json).Set("id", id).RunAsync(), cancellationToken);
            cache.Raise(CacheScope.OfUser(owner));
        }
    }
}
