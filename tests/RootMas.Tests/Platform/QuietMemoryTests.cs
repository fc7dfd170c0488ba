using RootMas.Server.Platform;

namespace RootMas.Tests.Platform;

/// <summary>When memory is given back. How much it brings is measured by the bench (B5).</summary>
public sealed class QuietMemoryTests
{
    private const long Megabyte = 1 << 20;

    [Theory]
    [InlineData(0, 32, 48, 0, true)]
    [InlineData(3, 5_000, 512, 0, true)]
    [InlineData(0, 5_000, 232, 200, true)]
    [InlineData(4, 5_000, 200, 0, false)] // there is work: nobody waits for a collection
    [InlineData(0, 31, 200, 0, false)] // nothing has come since the last time
    [InlineData(0, 5_000, 47, 0, false)] // too little to be worth it
    [InlineData(0, 5_000, 513, 0, false)] // so much may be alive that it would stop the process for long
    [InlineData(0, 5_000, 231, 200, false)] // nearly all of it was alive a moment ago
    public void Memory_is_given_back_when_it_is_quiet_and_worth_it(long recently, long since, long committed, long kept, bool isWorth) =>
        Assert.Equal(isWorth, QuietMemory.IsWorth(recently * Megabyte, since * Megabyte, committed * Megabyte, kept * Megabyte, TimeSpan.FromMinutes(9)));

    [Fact]
    public void What_was_alive_may_have_gone_after_a_while() =>
        Assert.True(QuietMemory.IsWorth(0, 32 * Megabyte, 200 * Megabyte, 200 * Megabyte, QuietMemory.Renewed));
}
