using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;

namespace RootMas.Server.Runs;

/// <summary>Stops what works for a user who was disabled or deleted: every unfinished run of theirs, children and external subjects included, is told to cancel, and ends by the engine's own rules.</summary>
internal sealed class UserRuns(IDatabase database, RunStore store) : IOutboxHandler
{
    /// <summary>'0' follows '/' in ASCII: the range holds exactly the owners that begin with the user's id and a slash.</summary>
    private const string Unfinished = """
        select id from runs where ended_at is null and id > @after and (owner_id = @user or (owner_id >= @user || '/' and owner_id < @user || '0'))
        order by id limit 500
        """;

    public async Task HandleAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        var user = UserEvents.UserOf(message);
        for (var after = ""; ;)
        {
            // Parents come first, because ids rise with time: one that was told cannot start new children.
            var page = await database.LookAsync(
                session => session.Prepared(Unfinished).Set("user", user).Set("after", after).ListAsync(static r => r.GetString(0)), cancellationToken);
            foreach (var run in page)
            {
                await store.InsertInboxAsync(run, ownerId: null, "cancel", new CancelRequested(DisabledOwners.Reason, By: null, KeepText: true), cancellationToken);
            }

            if (page.Count == 0)
            {
                return;
            }

            after = page[^1];
        }
    }
}
