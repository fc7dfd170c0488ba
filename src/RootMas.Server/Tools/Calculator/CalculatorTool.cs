using System.Text.Json;
using RootMas.Runtime.Tools;

namespace RootMas.Server.Tools.Calculator;

/// <summary>Exact arithmetic. "=" promises every digit, "≈" says that the result was rounded.</summary>
internal sealed class CalculatorTool : Tool
{
    public override ToolDefinition Definition { get; } = new("calculator",
        "Computes an arithmetic expression exactly: + - * / ^ ( ), % (percent, or remainder between two numbers), and sum, min, max, avg, round(x, decimals), abs, sqrt. "
        + "Use it for every calculation whose result matters. Write numbers with a decimal point and without separators (1234567.89).",
        """
        {
          "type": "object",
          "properties": {
            "expression": { "type": "string", "minLength": 1, "maxLength": 2000, "description": "For example (1250 + 3 * 89.90) * 0.93, or round(300 / 7, 2)" }
          },
          "required": ["expression"],
          "additionalProperties": false
        }
        """,
        "1");

    public override ToolEffect Effect => ToolEffect.Read;

    public override bool IsLocal => true;

    public override TimeSpan Timeout => TimeSpan.FromSeconds(5);

    public override ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var expression = arguments.Text("expression").Trim();
        try
        {
            var result = ExpressionParser.Evaluate(expression, cancellationToken);
            var (text, complete) = NumberText.Write(result.Value);
            var rounded = result.Exact && complete
                ? $"{expression} = {text}"
                : $"{expression} ≈ {(result.Exact ? text : Shorten(result.Value))} (rounded)";
            return ValueTask.FromResult(new ToolResult(rounded));
        }
        catch (CalculatorException exception)
        {
            throw new ToolException(exception.Message, inner: exception);
        }
    }

    // A rounded root has 60 decimals, and what is made of it fewer right ones: a multiple has no more right digits than the root.
    private static string Shorten(Rational value)
    {
        var rounded = value.Round(30);
        var text = NumberText.Write(rounded).Text;
        return text.TrimStart('-', '0', '.').Count(char.IsAsciiDigit) > NumberText.Significant ? NumberText.Rounded(rounded) : text;
    }
}
