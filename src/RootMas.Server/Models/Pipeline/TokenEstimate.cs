using System.Text;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Models.Pipeline;

/// <summary>
/// Tokens without a tokenizer, for budgets and for answers whose provider sent no usage: four ASCII characters or two others to a token, four tokens around each message.
/// Within a quarter of o200k on English and Russian prose, and above it rather than below. Rows that rest on it say <c>estimated</c>. A real tokenizer would cost
/// 60 MB of memory for a number that only the provider can know exactly.
/// </summary>
internal static class TokenEstimate
{
    private const int PerMessage = 4;
    private const int PerImage = 1000;

    public static long Of(string? text)
    {
        if (text is not { Length: > 0 })
        {
            return 0;
        }

        var ascii = Ascii.IsValid(text) ? text.Length : text.Count(char.IsAscii);
        return (ascii + 3) / 4 + (text.Length - ascii + 1) / 2;
    }

    /// <param name="messages">What is sent.</param>
    /// <param name="options">With it.</param>
    /// <param name="provider">To whom: some are sent what the model thought before it called tools.</param>
    public static long Of(IEnumerable<ChatMessage> messages, ChatOptions? options, ModelProvider provider)
    {
        var tokens = Of(options?.Instructions);
        foreach (var message in messages)
        {
            tokens += PerMessage + (provider.ReturnReasoning ? Of(ModelReasoning.Of(message)) : 0);
            foreach (var content in message.Contents)
            {
                tokens += Of(content);
            }
        }

        foreach (var tool in options?.Tools ?? [])
        {
            tokens += Of(tool.Description) + PerMessage + (tool is AIFunctionDeclaration declaration ? Of(declaration.JsonSchema.GetRawText()) : 0);
        }

        return options?.ResponseFormat is ChatResponseFormatJson { Schema: { } schema } ? tokens + PerMessage + Of(schema.GetRawText()) : tokens;
    }

    private static long Of(AIContent content) => content switch
    {
        TextContent text => Of(text.Text),
        FunctionCallContent call => Of(call.Name) + Of(OpenAi.ToolArguments.ToText(call)),
        FunctionResultContent result => Of(result.Result as string ?? result.Result?.ToString()),
        DataContent or UriContent => PerImage,
        _ => 0,
    };
}
