using System.Text.Json;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>What repeats of a decision are answered from: a fact that was kept is read again. Of a discarded proposal nothing is left to read, so its answer is kept, without what it said.</summary>
internal static class DecisionRepeats
{
    /// <summary>For the transaction of the decision; null: the request has no key.</summary>
    public static Func<DbSession, Fact, ValueTask>? Of(HttpContext context, bool isKept)
    {
        if (context.Idempotency() is not { } key)
        {
            return null;
        }

        if (isKept)
        {
            var making = key.Making("fact");
            return (session, fact) => making(session, fact.Id);
        }

        var json = context.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;
        return (session, proposal) => key.CompleteAsync(session, StoredAnswer.OfJson(StatusCodes.Status200OK, JsonSerializer.Serialize(FactAnswer.WithoutWords(proposal), json)));
    }
}
