using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using RootMas.Runtime.Tools;
using RootMas.Server.Tools.Calculator;

namespace RootMas.Tests.Tools;

public sealed class CalculatorTests
{
    private static readonly CalculatorTool Tool = new();

    private static async Task<string> ComputeAsync(string expression)
    {
        var text = (await ToolBench.RunAsync(Tool, new { expression })).Text;
        Assert.StartsWith(expression, text, StringComparison.Ordinal);
        return text[expression.Length..].Trim();
    }

    [Theory]
    [InlineData("0.1 + 0.2", "= 0.3")]
    [InlineData("1 + 2 * 3", "= 7")]
    [InlineData("(1 + 2) * 3", "= 9")]
    [InlineData("-2^2", "= -4")]
    [InlineData("(-2)^2", "= 4")]
    [InlineData("2^3^2", "= 512")]
    [InlineData("2**10", "= 1024")]
    [InlineData("2^-2", "= 0.25")]
    [InlineData("1 / 3 * 3", "= 1")]
    [InlineData("7 % 3", "= 1")]
    [InlineData("-7 % 3", "= -1")]
    [InlineData("7.5%(2)", "= 1.5")]
    [InlineData("7 % (-3)", "= 1")]
    [InlineData("7% - 3", "= -2.93")]
    [InlineData("10% - 5%", "= 0.05")]
    [InlineData("200 + 10%", "= 220")]
    [InlineData("200 - 10 %", "= 180")]
    [InlineData("10% + 5%", "= 0.15")]
    [InlineData("200 * 10%", "= 20")]
    [InlineData("10% * 200", "= 20")]
    [InlineData("1 234 567,89 + 0,11", "= 1234568")]
    [InlineData("1\u00a0234,5", "= 1234.5")]
    [InlineData("1'234.5 + 1_000", "= 2234.5")]
    [InlineData("1,234,567.89", "= 1234567.89")]
    [InlineData("1.234.567,89", "= 1234567.89")]
    [InlineData("3,14 × 2", "= 6.28")]
    [InlineData("10 ÷ 4 − 0,5", "= 2")]
    [InlineData("2 + 2 =", "= 4")]
    [InlineData("sum(1, 2, 3.5)", "= 6.5")]
    [InlineData("sum(1,5; 2,5)", "= 4")]
    [InlineData("max(10,20)", "= 20")]
    [InlineData("min(3; 1 000; 2)", "= 2")]
    [InlineData("avg(1, 2)", "= 1.5")]
    [InlineData("round(2.5)", "= 3")]
    [InlineData("round(-2.5)", "= -3")]
    [InlineData("round(2.345, 2)", "= 2.35")]
    [InlineData("round(1250, -2)", "= 1300")]
    [InlineData("ABS(-3)", "= 3")]
    [InlineData("sqrt(2.25)", "= 1.5")]
    [InlineData("sqrt(0)", "= 0")]
    [InlineData("1.5e3", "= 1500")]
    [InlineData("2e-3", "= 0.002")]
    [InlineData("0.1^20", "= 0.00000000000000000001")]
    [InlineData("2^100", "= 1267650600228229401496703205376")]
    [InlineData("1/3", "≈ 0.333333333333333333333333333333 (rounded)")]
    [InlineData("-2/3", "≈ -0.666666666666666666666666666667 (rounded)")]
    [InlineData("sqrt(2)", "≈ 1.41421356237309504880168872421 (rounded)")]
    [InlineData("sqrt(2) * 10^40", "≈ 1.41421356237309504880168872421e+40 (rounded)")]
    [InlineData("sqrt(2) * 10", "≈ 14.1421356237309504880168872421 (rounded)")]
    [InlineData("sqrt(2)^2 - 2", "≈ 0 (rounded)")]
    [InlineData("10^2000", "≈ 1.00000000000000000000000000000e+2000 (rounded)")]
    [InlineData("1/(3*10^100)", "≈ 3.33333333333333333333333333333e-101 (rounded)")]
    public async Task Results_are_exact_or_say_that_they_were_rounded(string expression, string expected) => Assert.Equal(expected, await ComputeAsync(expression));

    [Theory]
    [InlineData("1/0", "Division by zero")]
    [InlineData("5 % 0", "Division by zero")]
    [InlineData("0^-1", "Division by zero")]
    [InlineData("2 +", "ends where a number is expected")]
    [InlineData("(1 + 2", "ends where \")\" is expected")]
    [InlineData("1 2", "\"2\" at position 3 does not belong there")]
    [InlineData("2(3)", "\"(\" at position 2 does not belong there")]
    [InlineData("1,234", "\"1,234\" is ambiguous: write 1234 or 1.234")]
    [InlineData("max(1,200)", "ambiguous")]
    [InlineData("7 % -3", "as in 7 % (-3); for per cent")]
    [InlineData("7%-3", "The minus at position 3 is ambiguous behind %")]
    [InlineData("sum(1,234.50, 2)", "ambiguous")]
    [InlineData("1.2.3", "is no number")]
    [InlineData("1,23,456", "is no number")]
    [InlineData("2^0.5", "use sqrt")]
    [InlineData("sqrt(-1)", "negative")]
    [InlineData("9^9^9", "too large")]
    [InlineData("round(1, 2, 3)", "not 3")]
    [InlineData("round(1, 0.5)", "whole number of decimals")]
    [InlineData("System.Exit(1)", "\"System\" is not known")]
    [InlineData("$5 + 1", "\"$\" at position 1")]
    [InlineData("1e99999", "power of ten")]
    public async Task What_cannot_be_computed_is_explained(string expression, string expected) =>
        Assert.Contains(expected, (await ToolBench.FailAsync(Tool, new { expression })).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Hostile_expressions_are_bounded()
    {
        Assert.Contains("64 levels", (await ToolBench.FailAsync(Tool, new { expression = new string('(', 1_000) })).Message, StringComparison.Ordinal);
        Assert.Contains("64 levels", (await ToolBench.FailAsync(Tool, new { expression = new string('-', 1_000) + "1" })).Message, StringComparison.Ordinal);
        var tower = string.Join("*", Enumerable.Repeat("9^5000", 250));
        Assert.Contains("4,900 digits", (await ToolBench.FailAsync(Tool, new { expression = tower })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sums_differences_products_and_quotients_agree_with_decimal() => Prop.ForAll<int, int, byte>((a, b, scale) =>
    {
        var (x, y) = (new decimal(Math.Abs((long)a) % 1_000_000) / Pow10(scale % 7), new decimal(Math.Abs((long)b) % 1_000_000) / Pow10(scale / 7 % 7));
        return Value($"{Show(x)} + {Show(y)}") == x + y
            && Value($"{Show(x)} - {Show(y)}") == x - y
            && Value($"{Show(x)} * {Show(y)}") == x * y
            && (y == 0 || Math.Abs(Value($"{Show(x)} / {Show(y)}") - (x / y)) <= 0.0000000000000000001m * Math.Max(1, x / y))
            && (y == 0 || Value($"{Show(x)} % {Show(y)}") == x % y)
            && Value($"round({Show(x)}, 2)") == Math.Round(x, 2, MidpointRounding.AwayFromZero);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_square_of_a_root_is_the_number() => Prop.ForAll<int>(a =>
    {
        var x = Math.Abs((long)a);
        return Value($"round(sqrt({x})^2, 20)") == x && Value($"sqrt({x}^2)") == x;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Any_text_gives_a_result_or_an_explanation() => Prop.ForAll<string>(text =>
    {
        try
        {
            ExpressionParser.Evaluate(text ?? "", default);
            return true;
        }
        catch (CalculatorException exception)
        {
            return exception.Message.Length > 0;
        }
    }).QuickCheckThrowOnFailure();

    private static decimal Value(string expression) =>
        decimal.Parse(NumberText.Write(ExpressionParser.Evaluate(expression, default).Value).Text, NumberStyles.Number | NumberStyles.AllowExponent, CultureInfo.InvariantCulture);

    private static string Show(decimal value) => value.ToString(CultureInfo.InvariantCulture);

    private static decimal Pow10(int power) => (decimal)Math.Pow(10, power);
}
