using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

public sealed class PaceTests
{
    private readonly ManualTimeProvider _clock = new();

    [Theory]
    [InlineData(100, 5_000)]
    [InlineData(10_000, 60_000)]
    public async Task A_look_is_as_rare_as_it_takes_long(int took, int pause)
    {
        var pace = new Pace(_clock);
        Assert.Equal(1, await LooksAsync(pace, took));
        _clock.Advance(TimeSpan.FromMilliseconds(pause - 1));
        Assert.Equal(0, await LooksAsync(pace, 0));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(1, await LooksAsync(pace, 0));
        Assert.Equal(1, await LooksAsync(pace, 0));
    }

    [Fact]
    public async Task One_that_fails_is_tried_again_at_once()
    {
        var pace = new Pace(_clock);
        await Assert.ThrowsAsync<InvalidOperationException>(() => pace.RunAsync(() =>
        {
            _clock.Advance(TimeSpan.FromSeconds(10));
            throw new InvalidOperationException("no database");
        }));
        Assert.Equal(1, await LooksAsync(pace, 0));
    }

    private async Task<int> LooksAsync(Pace pace, int milliseconds)
    {
        var looks = 0;
        await pace.RunAsync(() =>
        {
            looks++;
            _clock.Advance(TimeSpan.FromMilliseconds(milliseconds));
            return Task.CompletedTask;
        });
        return looks;
    }
}
