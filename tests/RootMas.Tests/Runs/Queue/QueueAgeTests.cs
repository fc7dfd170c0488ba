using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Telemetry;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs.Queue;

public sealed class QueueAgeOnSqliteTests() : QueueAgeTests(DatabaseKind.Sqlite);

public sealed class QueueAgeOnPostgresTests() : QueueAgeTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>How long the oldest run has waited for a worker: alerts and autoscaling go by it.</summary>
public abstract class QueueAgeTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [DatabaseTheory]
    [InlineData("given back")]
    [InlineData("lost with its worker")]
    [InlineData("behind another in its branch")]
    public async Task A_run_waits_since_it_could_have_been_begun(string how)
    {
        var clock = new ManualTimeProvider();
        await using var database = RunsHarness.NewDatabase(clock);
        await using var h = new RunsHarness(database: database, time: clock);
        var first = (await h.RunAsync(Solo, "hi", branch: "b")).RunId;
        Assert.Equal(0, await AgeAsync(h));
        clock.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(30, await AgeAsync(h));
        var row = await h.Ownership.ClaimAsync(first, TimeSpan.FromDays(1), default);
        Assert.Equal(0, await AgeAsync(h));
        if (how == "behind another in its branch")
        {
            await h.RunAsync(Solo, "and then", branch: "b");
        }

        clock.Advance(TimeSpan.FromHours(2)); // is worked on
        Assert.Equal(0, await AgeAsync(h));
        switch (how)
        {
            case "given back":
                await h.Ownership.ReleaseAsync([(first, row!.Attempt)], default);
                break;
            case "lost with its worker":
                Assert.Equal(1, await h.Ownership.VoidLeasesAsync(default));
                break;
            default:
                await new TestRun(h, first, row!.Attempt) { Seq = row.LastSeq }.EndAsync();
                break;
        }

        Assert.Equal(0, await AgeAsync(h));
        clock.Advance(TimeSpan.FromSeconds(90));
        Assert.Equal(90, await AgeAsync(h));
    }

    [DatabaseFact]
    public async Task Agents_whose_runs_are_worked_on_are_counted_once_each()
    {
        var clock = new ManualTimeProvider();
        await using var database = RunsHarness.NewDatabase(clock);
        await using var h = new RunsHarness(database: database, time: clock);
        var runs = new List<TestRun>();
        foreach (var agent in (string[])["solo", "solo", "other"])
        {
            var id = (await h.RunAsync(TestTeams.Of(PatternKind.Direct, [agent]), "hi")).RunId;
            Assert.Equal(runs.Count == 0 ? 0 : 1, await ValueAsync(h, "active_agents")); // who waits for a worker does not work
            var row = await h.Ownership.ClaimAsync(id, TimeSpan.FromDays(1), default);
            runs.Add(new TestRun(h, id, row!.Attempt) { Seq = row.LastSeq });
        }

        Assert.Equal(2, await ValueAsync(h, "active_agents"));
        await runs[0].EndAsync();
        Assert.Equal(2, await ValueAsync(h, "active_agents"));
        await runs[1].EndAsync();
        await runs[2].EndAsync();
        Assert.Equal(0, await ValueAsync(h, "active_agents"));
    }

    private static Task<double> AgeAsync(RunsHarness h) => ValueAsync(h, "queue_oldest_seconds");

    private static async Task<double> ValueAsync(RunsHarness h, string name)
    {
        var samples = new RunSamples(new TelemetryOptions());
        await h.Database.ReadAsync(
            async session =>
            {
                await samples.SampleAsync(session);
                return true;
            },
            default);
        var values = new Dictionary<string, double>(StringComparer.Ordinal);
        await samples.AddAsync(values, default);
        return values[name];
    }
}
