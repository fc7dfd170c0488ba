using RootMas.Server.Platform;

namespace RootMas.Tests.Platform;

/// <summary>When memory is given back. How much it brings is measured by the bench (B5).</summary>
public sealed class QuietMemoryTests
{
    private const long Megabyte = 1 << 20;

    [Theory]
    [InlineData(0, 32, 48, true)]
    [InlineData(3, 5_000, 512, true)]
    [InlineData(4, 5_000, 200, false)] // there is work: nobody waits for a collection
    [InlineData(0, 31, 200, false)] // nothing has come since the last time
    [InlineData(0, 5_000, 47, false)] // too little to be worth it
    [InlineData(0, 5_000, 513, false)] // so much may be alive that it would stop the process for long
    public void Memory_is_given_back_when_it_is_quiet_and_worth_it(long recently, long since, long committed, bool isWorth) =>
        Assert.Equal(isWorth, QuietMemory.IsWorth(recently * Megabyte, since * Megabyte, committed * Megabyte));
}
