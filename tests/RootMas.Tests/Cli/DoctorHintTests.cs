using RootMas.Server.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>Where <c>rootmas doctor</c> sends people for a part that is sick.</summary>
public sealed class DoctorHintTests
{
    [Fact]
    public async Task Every_part_leads_to_words_about_it_in_the_runbook()
    {
        await using var app = await TestApp.StartAsync();
        var runbook = await File.ReadAllTextAsync(Repository.PathOf("docs/runbook.md"));
        var parts = (await app.GetJsonAsync("/health")).GetProperty("checks").EnumerateObject().Select(static p => p.Name).ToList();
        Assert.Contains("backups", parts);
        foreach (var part in parts.Append("postgres").Append("rabbitmq").Append("schedule/backup"))
        {
            var entry = DoctorCommand.EntryOf(part);
            var begin = runbook.IndexOf($"\n## {entry}\n", StringComparison.Ordinal);
            Assert.True(begin >= 0, $"{part} leads to {entry}, which is not there");
            var end = runbook.IndexOf("\n## ", begin + 1, StringComparison.Ordinal);
            Assert.True(entry != "RootMasUnhealthy" || runbook[begin..end].Contains($"`{part.Split('/')[0]}`", StringComparison.Ordinal), $"{entry} does not speak of {part}");
        }

        Assert.Equal(("RootMasBackupFailing", "RootMasJobOverdue"), (DoctorCommand.EntryOf("backups"), DoctorCommand.EntryOf("schedule/backup")));
    }
}
