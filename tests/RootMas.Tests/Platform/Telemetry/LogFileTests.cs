using System.Text.Json;
using Microsoft.Extensions.Logging;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Telemetry;

/// <summary>The log as files: private, turned over, bounded, and never in anybody's way.</summary>
public sealed class LogFileTests
{
    [Fact]
    public async Task The_log_is_in_the_file_too_as_json_and_only_its_owner_may_read_it()
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "logs", "rootmas.log");
        await using (var app = await TestApp.StartAsync(o => o.Settings["Logging:File:Path"] = path))
        {
            app.Get<ILoggerFactory>().CreateLogger("Some.Component").LogWarning("a line with {Number}", 42);
        }

        var lines = (await File.ReadAllLinesAsync(path)).Select(static l => JsonElement.Parse(l)).ToList();
        var line = Assert.Single(lines, static l => l.GetProperty("log.logger").GetString() == "Some.Component");
        Assert.Equal("a line with 42", line.GetProperty("message").GetString());
        Assert.Equal("42", line.GetProperty("labels").GetProperty("number").GetString());
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        }
    }

    [Fact]
    public async Task A_full_file_is_turned_over_and_the_oldest_goes()
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "rootmas.log");
        var text = new string('x', 100_000);
        for (var round = 0; round < 4; round++)
        {
            // Each writer ends with its last line on the disk, so nothing depends on how fast it is.
            var file = new LogFile(new LogFileOptions { MaxMegabytes = 1, Files = 3, QueueLength = 1_000 }, path, TimeProvider.System);
            for (var i = 0; i < 9; i++)
            {
                file.CreateLogger("Test").LogWarning("{Round} {Text}", round, text);
            }

            await file.DisposeAsync();
        }

        Assert.Equal(["rootmas.log", "rootmas.log.1", "rootmas.log.2"], Directory.EnumerateFiles(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.All(Directory.EnumerateFiles(folder.Path), static f => Assert.InRange(new FileInfo(f).Length, 1, 2 << 20));
        Assert.Contains("\"message\":\"3 x", await File.ReadAllTextAsync(path), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_logs_never_waits_and_what_is_lost_is_counted_and_told()
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "sub", "rootmas.log"); // the folder is not there: nothing can be written
        var file = new LogFile(new LogFileOptions { QueueLength = 16 }, path, TimeProvider.System);
        var logger = file.CreateLogger("Test");
        for (var i = 0; i < 10_000; i++)
        {
            logger.LogWarning("line {Number}", i); // returns although nothing gets on
        }

        Directory.CreateDirectory(Path.Combine(folder.Path, "sub"));
        var tries = 0;
        await Wait.UntilAsync(() =>
        {
            tries++;
            logger.LogWarning("it works again");
            return File.Exists(path) && new FileInfo(path).Length > 0;
        });
        await file.DisposeAsync();
        var lines = (await File.ReadAllLinesAsync(path)).Select(static l => JsonElement.Parse(l)).ToList();
        Assert.Contains(lines, static l => l.TryGetProperty("event.action", out var action) && action.GetString() == "lines_lost");
        var worked = lines.Count(static l => l.GetProperty("message").GetString() == "it works again");
        Assert.NotEqual(0, worked);

        // However many tries it took, what is told to be missing is all that is.
        var missing = lines.Where(static l => l.TryGetProperty("event.action", out var action) && action.GetString() == "lines_lost").Sum(static l => long.Parse(l.GetProperty("message").GetString()!.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(10_000 + tries, missing + lines.Count(static l => !l.TryGetProperty("event.action", out _)));
    }

    [Fact]
    public async Task A_file_that_cannot_be_written_stops_the_start_and_is_named()
    {
        var refused = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(static o => o.Settings["Logging:File:Path"] = "/proc/none/rootmas.log"));
        Assert.Contains("Logging:File:Path", refused.Message, StringComparison.Ordinal);
    }
}
