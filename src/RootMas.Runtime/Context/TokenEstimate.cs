using System.Text;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Context;

/// <summary>
/// Tokens of a text without a tokenizer: about four ASCII characters or two others a token, on the safe side for o200k-like vocabularies.
/// Good enough to decide when a context must be reduced, and it keeps a vocabulary of megabytes off the hot path.
/// </summary>
public static class TokenEstimate
{
    public static int Of(string text)
    {
        if (text.Length == 0)
        {
            return 0;
        }

        var others = Math.Min(Encoding.UTF8.GetByteCount(text) - text.Length, text.Length);
        return ((text.Length - others) / 4) + (others / 2) + 1;
    }

    /// <summary>What a model is told of a tool.</summary>
    public static int Of(ToolDefinition tool) => 8 + Of(tool.Name) + Of(tool.Description) + Of(tool.Schema);

    /// <param name="messages">What is sent.</param>
    /// <param name="withReasoning">The model is sent what it thought before it called tools, too; see <see cref="ModelReasoning"/>.</param>
    public static int Of(IEnumerable<ChatMessage> messages, bool withReasoning = false)
    {
        var sum = 0;
        foreach (var message in messages)
        {
            sum += 4 + (withReasoning ? Of(ModelReasoning.Of(message) ?? "") : 0);
            foreach (var content in message.Contents)
            {
                sum += content switch
                {
                    TextContent t => Of(t.Text),
                    FunctionResultContent r => Of(r.Result as string ?? ""),
                    FunctionCallContent f => 8 + (f.Arguments?.Sum(a => Of(a.Value?.ToString() ?? "")) ?? 0),
                    _ => 0,
                };
            }
        }

        return sum;
    }
}
