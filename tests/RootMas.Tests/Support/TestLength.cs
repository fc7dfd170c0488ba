namespace RootMas.Tests.Support;

/// <summary>How long the seeded tests go on: the short form, or the long one of <c>./rootmas test --long</c>.</summary>
public static class TestLength
{
    public static bool IsLong { get; } = Environment.GetEnvironmentVariable("ROOTMAS_TEST_LONG") == "1";

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
