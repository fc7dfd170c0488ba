using System.Globalization;
using System.Numerics;

namespace RootMas.Server.Tools.Calculator;

/// <summary>An exact fraction in lowest terms, the denominator positive. Bounded: an expression of a hostile model must not fill the memory.</summary>
internal readonly record struct Rational : IComparable<Rational>
{
    /// <summary>About 4,900 digits above and below the line.</summary>
    private const int MaxBits = 16_384;
    private const int MaxExponent = 10_000;
    private const int SqrtDigits = 60;

    private Rational(BigInteger numerator, BigInteger denominator) => (Numerator, Denominator) = (numerator, denominator);

    public BigInteger Numerator { get; }

    public BigInteger Denominator { get; }

    public bool IsInteger => Denominator.IsOne;

    public int Sign => Numerator.Sign;

    public static Rational Of(BigInteger numerator, BigInteger denominator)
    {
        if (denominator.IsZero)
        {
            throw new CalculatorException("Division by zero.");
        }

        var divisor = BigInteger.GreatestCommonDivisor(numerator, denominator) * denominator.Sign;
        var (above, below) = (numerator / divisor, denominator / divisor);
        return above.GetBitLength() > MaxBits || below.GetBitLength() > MaxBits
            ? throw new CalculatorException("A number in the calculation has more than 4,900 digits.")
            : new Rational(above, below);
    }

    public static Rational Of(int value) => new(value, BigInteger.One);

    /// <summary>Digits with an optional point, and a power of ten.</summary>
    public static Rational Parse(string whole, string fraction, int exponent)
    {
        var digits = BigInteger.Parse($"0{whole}{fraction}", NumberStyles.None, CultureInfo.InvariantCulture);
        var scale = exponent - fraction.Length;
        return scale >= 0 ? Of(digits * Ten(scale), BigInteger.One) : Of(digits, Ten(-scale));
    }

    public static Rational operator +(Rational a, Rational b) => Of((a.Numerator * b.Denominator) + (b.Numerator * a.Denominator), a.Denominator * b.Denominator);

    public static Rational operator -(Rational a, Rational b) => a + -b;

    public static Rational operator -(Rational a) => new(-a.Numerator, a.Denominator);

    public static Rational operator *(Rational a, Rational b) => Of(a.Numerator * b.Numerator, a.Denominator * b.Denominator);

    public static Rational operator /(Rational a, Rational b) => Of(a.Numerator * b.Denominator, a.Denominator * b.Numerator);

    /// <summary>The remainder of the division whose quotient is cut off; it has the dividend's sign.</summary>
    public static Rational operator %(Rational a, Rational b)
    {
        var quotient = a / b;
        return a - (b * new Rational(BigInteger.Divide(quotient.Numerator, quotient.Denominator), BigInteger.One));
    }

    public static bool operator <(Rational a, Rational b) => a.CompareTo(b) < 0;

    public static bool operator >(Rational a, Rational b) => a.CompareTo(b) > 0;

    public static bool operator <=(Rational a, Rational b) => a.CompareTo(b) <= 0;

    public static bool operator >=(Rational a, Rational b) => a.CompareTo(b) >= 0;

    public int CompareTo(Rational other) => (Numerator * other.Denominator).CompareTo(other.Numerator * Denominator);

    public Rational Abs() => new(BigInteger.Abs(Numerator), Denominator);

    public Rational Power(Rational exponent)
    {
        if (!exponent.IsInteger)
        {
            throw new CalculatorException("Exponents must be whole numbers; for a square root use sqrt(x).");
        }

        if (BigInteger.Abs(exponent.Numerator) > MaxExponent
            || BigInteger.Abs(exponent.Numerator) * Math.Max(Numerator.GetBitLength(), Denominator.GetBitLength()) > 2 * MaxBits)
        {
            throw new CalculatorException("The power is too large: its result would have more than 4,900 digits.");
        }

        var times = (int)BigInteger.Abs(exponent.Numerator);
        var (above, below) = (BigInteger.Pow(Numerator, times), BigInteger.Pow(Denominator, times));
        return exponent.Sign >= 0 ? Of(above, below) : Of(below, above);
    }

    /// <summary>Half away from zero, as in commerce. Negative places round to tens, hundreds …</summary>
    public Rational Round(int places)
    {
        var scale = Ten(Math.Abs(places));
        var (above, below) = places >= 0 ? (Numerator * scale, Denominator) : (Numerator, Denominator * scale);
        var rounded = DivideHalfAway(above, below);
        return places >= 0 ? Of(rounded, scale) : Of(rounded * scale, BigInteger.One);
    }

    /// <returns>The root, and whether it is exact; else it has 60 right decimals.</returns>
    public (Rational Root, bool Exact) Sqrt()
    {
        if (Sign < 0)
        {
            throw new CalculatorException("The square root of a negative number is no real number.");
        }

        var product = Numerator * Denominator; // √(n/d) = √(n·d) / d
        var root = IntegerRoot(product);
        return root * root == product
            ? (Of(root, Denominator), true)
            : (Of(IntegerRoot(product * Ten(2 * SqrtDigits)), Denominator * Ten(SqrtDigits)), false);
    }

    public static BigInteger Ten(int exponent) => BigInteger.Pow(10, exponent);

    public static BigInteger DivideHalfAway(BigInteger above, BigInteger below) => above.Sign * (((2 * BigInteger.Abs(above)) + below) / (2 * below));

    private static BigInteger IntegerRoot(BigInteger value)
    {
        if (value.IsZero)
        {
            return value;
        }

        var guess = BigInteger.One << (int)((value.GetBitLength() + 1) / 2);
        while (true)
        {
            var next = (guess + (value / guess)) >> 1;
            if (next >= guess)
            {
                return guess;
            }

            guess = next;
        }
    }
}

/// <summary>Why an expression has no result, for the model.</summary>
internal sealed class CalculatorException(string message) : Exception(message);
