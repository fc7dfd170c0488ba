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

    [Fact]
    public void A_class_in_parts_is_open_unless_one_of_them_says_otherwise()
    {
        List<SourceFile> parts =
        [
            .. Sources.Parse("src/A.cs", "namespace N; partial class Open { }\npartial class Shut { }"),
            .. Sources.Parse("src/B.cs", "namespace N; partial class Open { }\nsealed partial class Shut { }"),
            .. Sources.Parse("src/C.cs", "namespace M; sealed partial class Open { }"),
        ];
        Assert.StartsWith("src/A.cs:1: Open ", Assert.Single(HouseNumbers.OpenClasses(parts)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_switch_counts_once_and_its_guards_each()
    {
        var code = Assert.Single(Sources.Parse("src/S.cs", "class S { void M() { switch (a) { case 1: case 2: break; case 3 when b: break; case 4 when c: break; } } }"));
        Assert.Equal(4, HouseNumbers.ComplexityOf(code.Root));
    }

    private static void None(IEnumerable<string> offences)
    {
        var all = offences.ToList();
        Assert.True(all.Count == 0, string.Join('\n', all));
    }
}
