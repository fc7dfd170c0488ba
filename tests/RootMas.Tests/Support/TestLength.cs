namespace RootMas.Tests.Support;

/// <summary>How long the seeded tests go on: the short form, or the long one of <c>./rootmas test --long</c>.</summary>
public static class TestLength
{
    public static bool IsLong { get; } = Environment.GetEnvironmentVariable("ROOTMAS_TEST_LONG") == "1";

    /// <summary>The one seed that is wanted: <c>ROOTMAS_TEST_SEED=7 ./rootmas test --filter Nemesis</c>; null: those of the test.</summary>
    public static int? Seed { get; } = int.TryParse(Environment.GetEnvironmentVariable("ROOTMAS_TEST_SEED"), out var seed) ? seed : null;

    public static TheoryData<int> Seeds(int first, int usually, int inTheLongForm)
    {
        var data = new TheoryData<int>();
        foreach (var seed in Enumerable.Range(first, IsLong ? inTheLongForm : usually))
        {
            data.Add(seed);
        }

        return data;
    }
}
