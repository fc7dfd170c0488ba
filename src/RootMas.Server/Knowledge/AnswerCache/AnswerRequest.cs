using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Server.Models.Pipeline;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>A request whose answer may be kept, and under what.</summary>
/// <param name="Partition">Everything that has to be equal, whatever the last message says.</param>
/// <param name="Key">That, and the last message: equal requests have equal keys.</param>
internal readonly record struct AnswerRequest(Digest Partition, Digest Key, string Question, ModelCall Call)
{
    /// <summary>Whose answers these are, in rows and in the partition: everybody's, where the agent says so.</summary>
    public const string Public = "*";

    private static readonly ConditionalWeakTable<AITool, StrongBox<Digest>> Tools = [];
    private static readonly ConditionalWeakTable<ChatMessage, StrongBox<Digest>> Prompts = [];

    public string Owner => OwnerOf(Call);

    /// <summary>Whom the request leads to.</summary>
    public AskedModels Models { get; init; } = AskedModels.None;

    /// <summary>
    /// The partition is equal match over owner, agent, prompt version, tool definitions, tier and model and whom these lead to, knowledge version, language, response schema, sampling parameters, documents in the request, taint, and all messages but the last.
    /// </summary>
    public static AnswerRequest Of(IReadOnlyList<ChatMessage> messages, ChatOptions options, ModelCall call, string knowledgeVersion, AskedModels models)
    {
        var question = call.Question!;
        using var fields = DigestFields.Rent();
        fields.Add(1, OwnerOf(call));
        fields.Add(2, call.Agent);
        fields.Add(3, call.PromptVersion);
        fields.Add(4, call.Tier);
        fields.Add(5, call.Model);
        fields.Add(24, models.Identity);
        fields.Add(6, knowledgeVersion);
        fields.Add(7, Language.Of(question));
        fields.Add(8, call.Tainted ? 1d : 0d);
        foreach (var document in call.Documents ?? [])
        {
            fields.Add(9, document);
        }

        Sampling(fields, options);
        for (var i = 0; i < (options.Tools?.Count ?? 0); i++)
        {
            fields.Add(20, OfTool(options.Tools![i]));
        }

        for (var i = 0; i < messages.Count - 1; i++)
        {
            Add(fields, messages[i], isPrompt: i == 0);
        }

        var partition = fields.ToDigest();
        fields.Clear();
        fields.Add(1, partition);
        fields.Add(2, question);
        return new AnswerRequest(partition, fields.ToDigest(), question, call) { Models = models };
    }

    private static string OwnerOf(ModelCall call) => call.Cache == "public" ? Public : call.OwnerId;

    private static void Sampling(DigestFields fields, ChatOptions options)
    {
        fields.Add(10, (double?)options.Temperature);
        fields.Add(11, (double?)options.TopP);
        fields.Add(12, (double?)options.TopK);
        fields.Add(13, (double?)options.MaxOutputTokens);
        fields.Add(14, (double?)options.FrequencyPenalty);
        fields.Add(15, (double?)options.PresencePenalty);
        fields.Add(16, (double?)options.Seed);
        for (var i = 0; i < (options.StopSequences?.Count ?? 0); i++)
        {
            fields.Add(17, options.StopSequences![i]);
        }

        if (options.ResponseFormat is ChatResponseFormatJson json)
        {
            fields.Add(18, json.Schema is { } schema ? JsonMarshal.GetRawUtf8Value(schema) : "{}"u8);
        }

        fields.Add(19, options.Instructions);
    }

    /// <summary>The first message is an agent's prompt, the same object for every request: hashed once.</summary>
    private static void Add(DigestFields fields, ChatMessage message, bool isPrompt)
    {
        fields.Add(21, message.Role.Value);
        if (isPrompt && message.Role == ChatRole.System)
        {
            fields.Add(22, Prompts.GetValue(message, static m => new StrongBox<Digest>(Digest.Of(MemoryMarshal.AsBytes(m.Text.AsSpan())))).Value);
            return;
        }

        foreach (var content in message.Contents)
        {
            fields.Add(23, ((TextContent)content).Text);
        }
    }

    private static Digest OfTool(AITool tool) => Tools.GetValue(tool, static t =>
    {
        using var fields = DigestFields.Rent();
        fields.Add(1, t.Name);
        fields.Add(2, t.Description);
        if (t is AIFunctionDeclaration { JsonSchema.ValueKind: not System.Text.Json.JsonValueKind.Undefined } function)
        {
            fields.Add(3, JsonMarshal.GetRawUtf8Value(function.JsonSchema));
        }

        return new StrongBox<Digest>(fields.ToDigest());
    }).Value;
}
