using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;

namespace RootMas.Server.Identity.Users;

/// <summary>What slices to the right hear about users: written in the transaction of the change, heard at least once after it, also after a crash.</summary>
public static class UserEvents
{
    /// <summary>A user was disabled or deleted: what works for them is to stop. The payload is the user's id as a JSON string.</summary>
    public const string Ended = "user.ended";

    public static ValueTask AddEndedAsync(this Outbox outbox, DbSession session, string userId) => outbox.AddAsync(session, Ended, JsonSerializer.Serialize(userId));

    public static string UserOf(OutboxMessage message) => JsonSerializer.Deserialize<string>(message.Payload) ?? "";
}
