namespace RootMas.Tests.Architecture;

public sealed class HouseNumbersTests
{
    [Fact]
    public void No_file_is_too_long() => None(HouseNumbers.LongFiles(Sources.All));

    [Fact]
    public void No_method_is_too_long() => None(HouseNumbers.LongMethods(Sources.Product));

    [Fact]
    public void No_method_is_too_complex() => None(HouseNumbers.ComplexMethods(Sources.Product));

    [Fact]
    public void No_constructor_wants_too_much() => None(HouseNumbers.LongConstructors(Sources.Product));

    [Fact]
    public void Every_class_is_sealed_static_or_abstract() => None(HouseNumbers.OpenClasses(Sources.Product));

    [Fact]
    public void The_rules_see_offences()
    {
        var ifs = string.Concat(Enumerable.Repeat("if (a && b) { }\n", 31));
        var bad = Sources.Parse("src/X.cs", $"class X(int a, int b, int c, int d, int e, int f, int g) {{ void M() {{\n{ifs}{new string('\n', 400)} }} }}");
        Assert.Single(HouseNumbers.LongFiles(bad));
        Assert.Single(HouseNumbers.LongMethods(bad));
        Assert.Contains("complexity 63", Assert.Single(HouseNumbers.ComplexMethods(bad)), StringComparison.Ordinal);
        Assert.Single(HouseNumbers.LongConstructors(bad));
        Assert.Single(HouseNumbers.OpenClasses(bad));
    }

    private static void None(IEnumerable<string> offences)
    {
        var all = offences.ToList();
        Assert.True(all.Count == 0, string.Join('\n', all));
    }
}
