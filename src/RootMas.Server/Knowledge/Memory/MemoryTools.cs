using System.Globalization;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>What the tools share: a call that is repeated after a crash does nothing again and has the same result.</summary>
internal sealed class MemoryCalls(MemoryStore store, IMemorySources? sources = null)
{
    private const string Done = "select result, fact_id from memory_calls where call_key = @key and owner_id = @owner";

    private const string Note = "insert into memory_calls (call_key, owner_id, result, fact_id, created_at) values (@key, @owner, @result, @fact, @now) on conflict (call_key) do nothing";

    /// <param name="ownerId">Whose memory is changed: the user's, or the team's.</param>
    public Task<MemoryCall> OnceAsync(ToolContext context, string ownerId, Func<DbSession, ValueTask<MemoryCall>> act, CancellationToken cancellationToken) => store.Database.WriteAsync(
        async session =>
        {
            await store.ChangeAsync(session, ownerId);
            if (await session.Prepared(Done).Set("key", context.IdempotencyKey).Set("owner", context.OwnerId)
                .FirstOrDefaultAsync(static r => new MemoryCall(r.GetString(0), r.StringOrNull(1) is { } fact ? [fact] : [])) is { } before)
            {
                return before;
            }

            var result = await act(session);
            if (result.Kept is { } kept)
            {
                await session.Prepared(Note).Set("key", context.IdempotencyKey).Set("owner", context.OwnerId).Set("result", kept).Set("fact", kept == result.Text && result.Facts is [var told, ..] ? told : null)
                    .Set("now", session.Now).RunAsync();
            }

            return result;
        },
        cancellationToken);

    public ValueTask TellKeptAsync(DbSession session, string ownerId, KeptFact kept) => store.TellKeptAsync(session, ownerId, kept);

    public ValueTask TellForgottenAsync(DbSession session, string ownerId) => store.TellForgottenAsync(session, ownerId);

    public ValueTask ForgetAnswersAsync(string ownerId) => store.ForgetAnswersAsync(ownerId);

    public async ValueTask<FactSource> SourceAsync(ToolContext context, CancellationToken cancellationToken)
    {
        if (sources is null || context.ConversationId is not { } conversation)
        {
            return FactSource.None with { RunId = context.RunId };
        }

        var message = await sources.FindAsync(conversation, context.RootRunId, context.OwnerId, cancellationToken);
        return message is { Dead: true } ? throw TakenBack() : new FactSource(conversation, message?.MessageId, context.RunId, message?.Text);
    }

    /// <summary>In the transaction that remembers: from here on what was said stays said until it ends.</summary>
    public async ValueTask HoldSourceAsync(DbSession session, ToolContext context)
    {
        if (sources is not null && context.ConversationId is { } conversation && !await sources.HoldAsync(session, conversation, context.RootRunId, context.OwnerId))
        {
            throw TakenBack();
        }
    }

    private static ToolException TakenBack() => new("The conversation was deleted, or this part of it was rolled back, so nothing of it is remembered. Nothing was done.");
}

/// <summary>What a call did.</summary>
/// <param name="Text">What the model is told.</param>
/// <param name="Facts">Those whose words are in the text.</param>
internal sealed record MemoryCall(string Text, IReadOnlyList<string> Facts)
{
    /// <summary>What the same call gives when it is repeated; null: nothing was done, so it may look again.</summary>
    public string? Kept { get; init; } = Text;

    /// <summary>Answers that were kept without it are not given any more.</summary>
    public bool EndsAnswers { get; init; }

    /// <summary>Words of these facts come from outside. A call that is repeated tells none, or what its own run wrote.</summary>
    public bool Tainted { get; init; }

    public ToolResult Result => new(Text, Tainted) { Facts = Facts.Count == 0 ? null : Facts };
}

/// <summary>Keeps one fact. In a run that has read text from outside a person says yes first; a note for the whole team always needs an administrator's yes.</summary>
internal sealed class RememberTool(MemoryCalls calls, MemoryOptions options) : Tool
{
    public override ToolDefinition Definition { get; } = new(
        "remember",
        "Keeps one fact for later conversations: a lasting fact about the user or a preference of theirs, in one sentence that is complete in itself. Not for what matters only now. Never passwords, keys or card numbers.",
        """
        {"type":"object","properties":{
        "text":{"type":"string","minLength":3,"maxLength":1000,"description":"The fact, in the user's language."},
        "attribute":{"type":"string","maxLength":80,"description":"Short name of what only one can be true of at a time, such as home, employer, name: an older fact with the same attribute is replaced. Leave out if several can be true."},
        "replaces":{"type":"array","maxItems":10,"items":{"type":"string","maxLength":64},"description":"Ids of facts that this one contradicts, as recall gave them."},
        "valid_until":{"type":"string","format":"date-time","description":"If it is only true until then."},
        "sensitive":{"type":"boolean","description":"Health, belief, money, documents: told only when it is asked for."},
        "confidence":{"type":"integer","minimum":0,"maximum":100},
        "scope":{"type":"string","enum":["user","team"],"description":"team: a note for everybody who uses this system; an administrator has to agree. Default user."}},
        "required":["text"],"additionalProperties":false}
        """,
        "1");

    public override ToolEffect Effect => ToolEffect.Idempotent;

    public override ApprovalRule Approval => ApprovalRule.WhenTainted;

    public override string ApprovalReason => "This would be remembered for later conversations.";

    public override string Permission => "memory:write";

    public override ApprovalRule ApprovalOf(JsonElement arguments) => IsForTeam(arguments) ? ApprovalRule.Always : Approval;

    public override Approver ApproverOf(JsonElement arguments) => IsForTeam(arguments) ? Approver.Admin : Approver.Owner;

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var owner = IsForTeam(arguments) ? FactWords.Team : context.OwnerId;
        var source = await calls.SourceAsync(context, cancellationToken);
        var text = MemoryArguments.Text(arguments, "text")!.Trim();
        if (text.Length < FactText.MinLength)
        {
            throw new ToolException("There is no fact in the text. Nothing was remembered.");
        }

        var fact = new NewFact
        {
            Text = text,
            Attribute = FactText.AttributeNamed(text, MemoryArguments.Text(arguments, "attribute")),
            AuthorKind = FactWords.ByAgent,
            Author = context.Agent,
            Source = source with { Excerpt = owner == FactWords.Team || source.Excerpt is null ? null : FactText.SentenceThatSays(text, source.Excerpt) },
            Confidence = arguments.TryGetProperty("confidence", out var sure) ? (int)sure.GetDouble() : 90,
            Sensitivity = FactText.IsSensitive(text) || (arguments.TryGetProperty("sensitive", out var told) && told.GetBoolean()) ? FactWords.Sensitive : FactWords.Normal,
            Tainted = context.Tainted,
            ValidUntil = SchemaValue.Time(arguments, "valid_until"),
            Replaces = arguments.TryGetProperty("replaces", out var ids) ? [.. ids.EnumerateArray().Select(static i => i.GetString()!)] : [],
        };
        var result = await calls.OnceAsync(context, owner, session => KeepAsync(session, context, owner, fact), cancellationToken);
        if (result.EndsAnswers)
        {
            await calls.ForgetAnswersAsync(owner);
        }

        return result.Result;
    }

    private async ValueTask<MemoryCall> KeepAsync(DbSession session, ToolContext context, string owner, NewFact fact)
    {
        await calls.HoldSourceAsync(session, context);
        var kept = await FactWrites.KeepAsync(session, owner, fact, options.MaxFacts);
        await calls.TellKeptAsync(session, owner, kept);
        if (kept.Fact is { } there && kept.Outcome != Kept.Known)
        {
            await Graph.GraphFacts.WriteAsync(session, there);
        }

        var said = kept.Outcome switch
        {
            Kept.New => $"Remembered as {kept.Fact!.Id}: {kept.Fact.Text}",
            Kept.Known => $"This was known already ({kept.Fact!.Id}); it counts for more now.",
            Kept.Replaced => $"Remembered as {kept.Fact!.Id}: {kept.Fact.Text}. It replaces what was remembered before; the older version stays in its history.",
            Kept.Secret => "Not remembered: it looks like a password, a key or a card number, and such things are not kept here. Tell the user to use a password manager.",
            _ => $"Not remembered: there are {options.MaxFacts} facts already, which is the most. Forget some first.",
        };
        return new MemoryCall(said, kept.Fact is { } told ? [told.Id] : []) { EndsAnswers = MemoryStore.IsHidden(kept) };
    }

    private static bool IsForTeam(JsonElement arguments) => MemoryArguments.Text(arguments, "scope") == "team";
}

/// <summary>Looks something up in what is remembered, with where it comes from.</summary>
internal sealed class RecallTool(MemoryRecall recall) : Tool
{
    private const int DefaultLimit = 10;

    public override ToolDefinition Definition { get; } = new(
        "recall",
        "Looks up what is remembered about the user and the notes of the team, with id, date and source of each: also to answer what is known about the user, and why it is known.",
        """{"type":"object","properties":{"query":{"type":"string","maxLength":500,"description":"What it is about; without it the newest facts."},"limit":{"type":"integer","minimum":1,"maximum":50}},"additionalProperties":false}""",
        "1");

    public override ToolEffect Effect => ToolEffect.Read;

    public override string Permission => "memory:read";

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var limit = arguments.TryGetProperty("limit", out var wanted) ? (int)wanted.GetDouble() : DefaultLimit;
        var facts = await recall.SearchAsync(context.OwnerId, MemoryArguments.Text(arguments, "query"), limit, cancellationToken);
        var text = new StringBuilder();
        if (facts.Count == 0)
        {
            facts = await recall.SearchAsync(context.OwnerId, null, limit, cancellationToken);
            text.Append(facts.Count == 0 ? "Nothing is remembered." : "Nothing is remembered in these words. The newest that is remembered:\n");
        }

        foreach (var fact in facts)
        {
            text.Append("- ").Append(fact.Text.ReplaceLineEndings(" ")).Append(" [id ").Append(fact.Id).Append("; ").Append(FactWhy.Short(fact)).Append("]\n");
        }

        return new ToolResult(text.ToString(), Tainted: facts.Any(static f => f.Tainted)) { Facts = facts.Count == 0 ? null : [.. facts.Select(static f => f.Id)] };
    }
}

/// <summary>Removes facts for good. By id, or the one that clearly fits some words; everything only with a person's yes.</summary>
internal sealed class ForgetTool(MemoryCalls calls, MemoryRecall recall) : Tool
{
    public override ToolDefinition Definition { get; } = new(
        "forget",
        "Removes what is remembered about the user, with its history, for good: by id (recall shows ids), or by words if exactly one fact fits them. all removes everything about the user.",
        """{"type":"object","properties":{"id":{"type":"string","maxLength":64},"about":{"type":"string","minLength":2,"maxLength":500,"description":"Words of the fact."},"all":{"type":"boolean"}},"additionalProperties":false}""",
        "1");

    public override ToolEffect Effect => ToolEffect.Idempotent;

    public override ApprovalRule Approval => ApprovalRule.WhenTainted;

    public override string ApprovalReason => "This would remove what is remembered, for good.";

    public override string Permission => "memory:write";

    public override ApprovalRule ApprovalOf(JsonElement arguments) => IsAll(arguments) ? ApprovalRule.Always : Approval;

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var forget = await ActAsync(context, arguments, cancellationToken);
        var result = await calls.OnceAsync(context, context.OwnerId, session => ForgetAsync(session, context, forget), cancellationToken);
        await calls.ForgetAnswersAsync(context.OwnerId);
        return result.Result;
    }

    private async ValueTask<MemoryCall> ForgetAsync(DbSession session, ToolContext context, Func<DbSession, ValueTask<MemoryCall>> forget)
    {
        var result = await forget(session);
        if (result.Kept is not null)
        {
            await calls.TellForgottenAsync(session, context.OwnerId);
            if (context.ConversationId is { } conversation)
            {
                await MemoryQueue.SkipAsync(session, context.RootRunId, context.OwnerId, conversation);
            }
        }

        return result;
    }

    private async ValueTask<Func<DbSession, ValueTask<MemoryCall>>> ActAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var owner = context.OwnerId;
        if (IsAll(arguments))
        {
            return async session => new MemoryCall($"{await MemoryStore.ForgetAsync(session, owner, null)} facts were forgotten, all of them.", []);
        }

        if (MemoryArguments.Text(arguments, "id") is { Length: > 0 } id)
        {
            return session => ForgetAsync(session, owner, id);
        }

        var about = MemoryArguments.Text(arguments, "about") ?? throw new ToolException("Name a fact: its id, or words of it in about.");
        var found = (await recall.SearchAsync(owner, about, 5, cancellationToken)).Where(static f => !f.IsShared).ToList();
        return Clear(found, about) is { } clear ? session => ForgetAsync(session, owner, clear.Id) : _ => ValueTask.FromResult(Unclear(found));
    }

    /// <summary>The one fact that has all the words, or the only one that was found.</summary>
    private static Fact? Clear(List<Fact> found, string about)
    {
        var asked = Words.Of(about).ToHashSet(StringComparer.Ordinal);
        var whole = found.Where(f => asked.Count > 0 && asked.IsSubsetOf(Words.Of(f.Text))).ToList();
        return whole.Count == 1 ? whole[0] : found.Count == 1 && Words.Of(found[0].Text).Any(asked.Contains) ? found[0] : null;
    }

    private static async ValueTask<MemoryCall> ForgetAsync(DbSession session, string owner, string id)
    {
        if (await FactWrites.FindAsync(session, owner, id) is not { } fact)
        {
            return new MemoryCall("There is no such fact. Nothing was done; recall shows what is there.", []) { Kept = null };
        }

        await FactWrites.RemoveThreadAsync(session, owner, fact.ThreadId);
        return new MemoryCall($"Forgotten, with its history: {fact.Text}", [fact.Id]) { Kept = "Forgotten, with its history.", Tainted = fact.Tainted };
    }

    private static MemoryCall Unclear(List<Fact> found) => found.Count == 0
        ? new MemoryCall("Nothing is remembered about this. Nothing was done.", []) { Kept = null }
        : new MemoryCall(
            "Several facts could be meant. Nothing was done. Call forget again with the id of the right one:\n" + string.Join('\n', found.Select(static f => $"- {f.Text} [id {f.Id}]")),
            [.. found.Select(static f => f.Id)]) { Kept = null, Tainted = found.Exists(static f => f.Tainted) };

    private static bool IsAll(JsonElement arguments) => arguments.TryGetProperty("all", out var all) && all.ValueKind == JsonValueKind.True;
}

/// <summary>Reads arguments that fit their schema.</summary>
internal static class MemoryArguments
{
    public static string? Text(JsonElement arguments, string name) =>
        arguments.ValueKind == JsonValueKind.Object && arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>Why something is known, in words.</summary>
internal static class FactWhy
{
    public static string Short(Fact fact)
    {
        var who = fact switch
        {
            { IsShared: true } => "note of the team",
            { AuthorKind: FactWords.ByUser } => "entered by the user",
            { AuthorKind: FactWords.ByAgent } => $"remembered by {fact.Author}",
            _ => "taken from what the user said",
        };
        var said = fact.Source.Excerpt is { } words ? $", from the message \"{FactText.Cut(words.ReplaceLineEndings(" "), 160)}\"" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{who} on {fact.CreatedAt.UtcDateTime:yyyy-MM-dd}{said}, {fact.Confidence} % sure");
    }

    public static string Long(Fact fact)
    {
        var where = fact.Source.ConversationId is null ? "" : " The message and its conversation are named in source.";
        var outside = fact.Tainted ? " The run had read text from outside when this was written." : "";
        return $"It is known because it was {Short(fact)}.{where}{outside}";
    }
}
