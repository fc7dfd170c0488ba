using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Products of 8-bit numbers, as wide as the processor can; the libraries have none that does not overflow.</summary>
internal static class ByteMath
{
    /// <summary>Sum of products of numbers in −127…127.</summary>
    public static int Dot(ReadOnlySpan<sbyte> a, ReadOnlySpan<sbyte> b)
    {
        ref var left = ref MemoryMarshal.GetReference(a);
        ref var right = ref MemoryMarshal.GetReference(b);
        var length = Math.Min(a.Length, b.Length);
        var (sum, i) = Avx512BW.IsSupported ? Wide(ref left, ref right, length)
            : Avx2.IsSupported ? Middle(ref left, ref right, length)
            : Portable(ref left, ref right, length);
        for (; i < length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    private static (int Sum, int Done) Wide(ref sbyte a, ref sbyte b, int length)
    {
        var sum = Vector512<int>.Zero;
        var i = 0;
        for (; i + Vector256<sbyte>.Count <= length; i += Vector256<sbyte>.Count)
        {
            var x = Avx512BW.ConvertToVector512Int16(Vector256.LoadUnsafe(ref a, (nuint)i));
            var y = Avx512BW.ConvertToVector512Int16(Vector256.LoadUnsafe(ref b, (nuint)i));
            sum += Avx512BW.MultiplyAddAdjacent(x, y);
        }

        return (Vector512.Sum(sum), i);
    }

    private static (int Sum, int Done) Middle(ref sbyte a, ref sbyte b, int length)
    {
        var (first, second) = (Vector256<int>.Zero, Vector256<int>.Zero);
        var i = 0;
        for (; i + (2 * Vector128<sbyte>.Count) <= length; i += 2 * Vector128<sbyte>.Count)
        {
            first += Product(ref a, ref b, i);
            second += Product(ref a, ref b, i + Vector128<sbyte>.Count);
        }

        return (Vector256.Sum(first + second), i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Product(ref sbyte a, ref sbyte b, int at) => Avx2.MultiplyAddAdjacent(
        Avx2.ConvertToVector256Int16(Vector128.LoadUnsafe(ref a, (nuint)at)), Avx2.ConvertToVector256Int16(Vector128.LoadUnsafe(ref b, (nuint)at)));

    /// <summary>Two products fit into 16 bits: 2 · 127² = 32,258.</summary>
    internal static (int Sum, int Done) Portable(ref sbyte a, ref sbyte b, int length)
    {
        var sum = Vector128<int>.Zero;
        var i = 0;
        for (; i + Vector128<sbyte>.Count <= length; i += Vector128<sbyte>.Count)
        {
            var (x, y) = (Vector128.LoadUnsafe(ref a, (nuint)i), Vector128.LoadUnsafe(ref b, (nuint)i));
            var both = (Vector128.WidenLower(x) * Vector128.WidenLower(y)) + (Vector128.WidenUpper(x) * Vector128.WidenUpper(y));
            sum += Vector128.WidenLower(both) + Vector128.WidenUpper(both);
        }

        return (Vector128.Sum(sum), i);
    }
}
