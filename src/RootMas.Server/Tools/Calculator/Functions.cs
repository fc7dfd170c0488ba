namespace RootMas.Server.Tools.Calculator;

/// <summary>The functions an expression may use.</summary>
internal static class Functions
{
    private const int MaxPlaces = 100;

    public const string Names = "sum, min, max, avg, round, abs, sqrt";

    public static bool IsKnown(string name) => name is "sum" or "min" or "max" or "avg" or "round" or "abs" or "sqrt";

    public static Quantity Call(string name, List<Quantity> arguments)
    {
        var exact = arguments.TrueForAll(static a => a.Exact);
        var first = arguments[0].Value;
        switch (name)
        {
            case "sum":
                return new Quantity(Sum(arguments), exact);
            case "avg":
                return new Quantity(Sum(arguments) / Rational.Of(arguments.Count), exact);
            case "min":
                return new Quantity(arguments.Select(static a => a.Value).Aggregate(static (a, b) => a <= b ? a : b), exact);
            case "max":
                return new Quantity(arguments.Select(static a => a.Value).Aggregate(static (a, b) => a >= b ? a : b), exact);
            case "round":
                return new Quantity(first.Round(arguments.Count == 1 ? 0 : Places(Expect(name, arguments, 2)[1].Value)), exact);
            case "abs":
                Expect(name, arguments, 1);
                return new Quantity(first.Abs(), exact);
            default:
                Expect(name, arguments, 1);
                var (root, isExact) = first.Sqrt();
                return new Quantity(root, exact && isExact);
        }
    }

    private static Rational Sum(List<Quantity> arguments) => arguments.Select(static a => a.Value).Aggregate(static (a, b) => a + b);

    private static List<Quantity> Expect(string name, List<Quantity> arguments, int count) =>
        arguments.Count == count ? arguments : throw new CalculatorException($"{name} takes {(count == 1 ? "one argument" : "a number and the number of decimals")}, not {arguments.Count}.");

    private static int Places(Rational places) =>
        places.IsInteger && places.Abs() <= Rational.Of(MaxPlaces)
            ? (int)places.Numerator
            : throw new CalculatorException($"round takes a whole number of decimals between -{MaxPlaces} and {MaxPlaces}.");
}
