using RootMas.Server.Tools;

namespace RootMas.Tests.Tools;

public sealed class CurrentTimeTests
{
    private static readonly FixedClock Clock = new(new DateTimeOffset(2026, 12, 31, 22, 30, 5, TimeSpan.Zero));

    [Theory]
    [InlineData("Europe/Moscow", "2027-01-01T01:30:05+03:00", "Friday, 1 January 2027, 01:30 in Europe/Moscow (UTC+03:00)")]
    [InlineData("Казань", "2027-01-01T01:30:05+03:00", "in Europe/Moscow")]
    [InlineData("New York", "2026-12-31T17:30:05-05:00", "in America/New_York (UTC-05:00)")]
    [InlineData("buenos aires", "2026-12-31T19:30:05-03:00", "Buenos_Aires")]
    [InlineData("UTC", "2026-12-31T22:30:05+00:00", "in UTC (UTC+00:00)")]
    [InlineData("Asia/Kolkata", "2027-01-01T04:00:05+05:30", "(UTC+05:30)")]
    public async Task The_time_of_a_zone_or_city_is_told(string zone, string time, string detail)
    {
        var text = (await ToolBench.RunAsync(new CurrentTimeTool(new ToolsOptions()), new { zone }, Clock)).Text;
        Assert.StartsWith(time, text, StringComparison.Ordinal);
        Assert.Contains(detail, text, StringComparison.Ordinal);
        Assert.Contains("ISO week 2026-W53", text, StringComparison.Ordinal);
        Assert.Contains("UTC: 2026-12-31T22:30:05Z", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_zone_the_operators_counts_and_daylight_saving_is_told()
    {
        var summer = new FixedClock(new DateTimeOffset(2026, 7, 1, 12, 0, 0, TimeSpan.Zero));
        var text = (await ToolBench.RunAsync(new CurrentTimeTool(new ToolsOptions { TimeZone = "Europe/Berlin" }), new { }, summer)).Text;
        Assert.Contains("Europe/Berlin (UTC+02:00, daylight saving time)", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Atlantis")]
    [InlineData("../../../etc/passwd")]
    [InlineData("/etc/passwd")]
    public async Task An_unknown_place_is_refused(string zone) =>
        Assert.Contains("no known time zone", (await ToolBench.FailAsync(new CurrentTimeTool(new ToolsOptions()), new { zone })).Message, StringComparison.Ordinal);
}
