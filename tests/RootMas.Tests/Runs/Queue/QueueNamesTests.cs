using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;
using Wait = RootMas.Tests.Support.Wait;

namespace RootMas.Tests.Runs.Queue;

/// <summary>Several installations on one RabbitMQ, and versions that called their queues otherwise.</summary>
[Collection(RabbitCollection.Name)]
public sealed class QueueNamesTests(RabbitServer rabbit) : OnDatabase(DatabaseKind.Postgres)
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [RabbitFact]
    public async Task Two_installations_on_one_broker_do_not_meet()
    {
        await using var here = await NewAsync(1);
        await using var there = await NewAsync(2);
        await using var one = Process(here, "");
        await using var two = Process(there, "");
        await one.StartAsync();
        await two.StartAsync();
        var names = (await one.Queue!.Broker.StatesAsync(default)).Select(static s => s.Name).ToList();
        Assert.Contains($"rootmas.runs.{await InstallationId.ReadAsync(here.Database, default)}.first", names);
        Assert.Equal(4, names.Except((await two.Queue!.Broker.StatesAsync(default)).Select(static s => s.Name)).Count());
        await CompletesAsync(one);
        await CompletesAsync(two);
    }

    [RabbitFact]
    public async Task A_message_of_another_installation_is_handed_back_and_at_last_a_dead_letter_that_names_it_and_its_run_is_done()
    {
        var queue = RabbitServer.NewQueue();
        await using var here = await NewAsync(1);
        await using var there = await NewAsync(2);
        var model = new ScriptedChatClient(static _ => [Say("ok")]);
        string id;
        await using (var front = Process(here, queue, parallelism: 0, deliveries: 3))
        {
            await front.StartAsync();
            id = (await front.RunAsync(Solo, "hi")).RunId;
            await Wait.UntilAsync(static async d => await d.ScalarAsync("SELECT COUNT(*) FROM run_wakeups") == 0, here, "The message was not sent");
        }

        // Only the stranger is there, so its dead letters are in its own database.
        await using var stranger = Process(there, queue, model, deliveries: 3);
        await stranger.StartAsync();
        var letters = new DeadLetters(there.Database, stranger.Signals, stranger.Verbs);
        await Wait.UntilAsync(static async l => (await l.ListAsync(null, 1, default)).Count == 1, letters, "The message was no dead letter");
        var letter = (await letters.ListAsync(null, 1, default))[0];
        Assert.Equal((id, DeadLetterRows.Message), (letter.RunId, letter.Kind));
        Assert.Contains($"of the installation {await InstallationId.ReadAsync(here.Database, default)}", letter.Reason, StringComparison.Ordinal);
        Assert.True(letter.Deliveries >= 1);

        await using var worker = Process(here, queue, deliveries: 3);
        await worker.StartAsync();
        var run = await worker.WaitForAsync(id, static r => r.Status.IsFinal());
        Assert.Equal((RunStatus.Completed, 1), (run.Status, run.Attempt));
        Assert.Equal(0, model.Calls);
    }

    [RabbitFact]
    public async Task Old_and_new_versions_side_by_side_get_each_others_runs_and_the_old_queues_are_emptied()
    {
        await using var database = await NewAsync(3);
        try
        {
            // A server of the version before, whose queues have no installation in their names, and a new worker.
            await using (var oldFront = Process(database, BrokerNames.Shared, parallelism: 0))
            {
                await oldFront.StartAsync();
                await using var worker = Process(database, "");
                await worker.StartAsync();
                await Wait.UntilAsync(static async broker => (await broker.StatesAsync(default)).Any(static s => s is { Name: "rootmas.runs.interactive", Consumers: 1 }), oldFront.Queue!.Broker, "The new worker did not take from the old queue");
                var run = await oldFront.RunAsync(Solo, "hi");
                Assert.Equal(RunStatus.Completed, (await oldFront.WaitForAsync(run.RunId, static r => r.Status.IsFinal())).Status);
                await Wait.UntilAsync(static async broker => (await broker.StatesAsync(default)) is { Count: > 0 } states && states.All(static s => s.Messages == 0), oldFront.Queue.Broker, "The old queues were not emptied");
            }

            // The other way round: nobody hands it over, and it is found.
            await using var front = Process(database, "", parallelism: 0);
            await front.StartAsync();
            await using (var oldWorker = Process(database, BrokerNames.Shared))
            {
                await oldWorker.StartAsync();
                var run = await front.RunAsync(Solo, "hi");
                Assert.Equal(RunStatus.Completed, (await front.WaitForAsync(run.RunId, static r => r.Status.IsFinal())).Status);
            }

            // When no old process is left an operator deletes them, under a worker that empties them.
            await using var last = Process(database, "");
            await last.StartAsync();
            await rabbit.DeleteAsync(OldQueues);
            await CompletesAsync(last);
            await last.Queue!.ConnectedAsync();
        }
        finally
        {
            await rabbit.DeleteAsync(OldQueues);
        }
    }

    [RabbitFact]
    public async Task Queues_of_versions_before_are_left_to_another_installation_that_has_that_name_with_its_first_message()
    {
        await using var here = await NewAsync(1);
        await using var there = await NewAsync(2);
        try
        {
            await using var owner = Process(there, BrokerNames.Shared, parallelism: 0);
            await owner.StartAsync();
            await using var stranger = Process(here, "");
            await stranger.StartAsync();
            await UntilAsync(owner, static all => all.Take(3).All(static s => s.Consumers == 1), "The stranger did not take from the old queues");
            Assert.Equal(1, (await owner.Queue!.Broker.StatesAsync(default))[^1].Consumers); // dead letters: only who has the name

            var id = (await owner.RunAsync(Solo, "hi")).RunId;
            await UntilAsync(owner, static all => all.Take(3).All(static s => s.Consumers == 0) && all.Sum(static s => s.Messages) == 1, "The stranger did not leave, or did not hand the message back");
            await CompletesAsync(stranger);
            await using (var worker = Process(there, BrokerNames.Shared))
            {
                await worker.StartAsync();
                var run = await worker.WaitForAsync(id, static r => r.Status.IsFinal());
                Assert.Equal((RunStatus.Completed, 1), (run.Status, run.Attempt));
            }

            // Nor on a later connection.
            await rabbit.DeleteAsync($"rootmas.runs.{await InstallationId.ReadAsync(here.Database, default)}.background");
            await UntilAsync(stranger, static all => all.All(static s => s.Consumers == 1), "The stranger did not connect again");
            await CompletesAsync(stranger);
            await UntilAsync(owner, static all => all.Select(static s => s.Consumers).SequenceEqual([0, 0, 0, 1]), "The stranger takes from the old queues again");
            Assert.Equal(0, await here.ScalarAsync("SELECT COUNT(*) FROM dead_letters") + await there.ScalarAsync("SELECT COUNT(*) FROM dead_letters"));
        }
        finally
        {
            await rabbit.DeleteAsync(OldQueues);
        }
    }

    private static Task UntilAsync(RunsHarness process, Func<IReadOnlyList<BrokerQueueState>, bool> isSo, string otherwise) =>
        Wait.UntilAsync(async broker => await broker.StatesAsync(default) is { Count: 4 } all && isSo(all), process.Queue!.Broker, otherwise);

    private static string[] OldQueues => [.. Enum.GetValues<BrokerQueue>().Select(static q => BrokerNames.NameOf(BrokerNames.Shared, q))];

    private static async Task CompletesAsync(RunsHarness process) =>
        Assert.Equal(RunStatus.Completed, (await process.WaitForAsync((await process.RunAsync(Solo, "hi")).RunId, static r => r.Status.IsFinal())).Status);

    /// <summary>Databases of tests are copies of one; these were made at different moments.</summary>
    private static async Task<TestDatabase> NewAsync(int made)
    {
        var database = RunsHarness.NewDatabase();
        await database.Database.OpenAsync();
        await database.ExecuteAsync($"UPDATE schema_migrations SET applied_at = {made} WHERE number = (SELECT MIN(number) FROM schema_migrations)");
        return database;
    }

    /// <param name="deliveries">Whoever leaves a queue gets again what it hands back until it has left.</param>
    private RunsHarness Process(TestDatabase database, string queue, ScriptedChatClient? model = null, int parallelism = 16, int deliveries = 50) => new(
        model, options: new RunsOptions { Parallelism = parallelism, Renewal = TimeSpan.FromSeconds(0.5) }, database: database, ownsData: false,
        broker: new BrokerOptions { Uri = rabbit.Url, Queue = queue, DeliveryLimit = deliveries, ConfirmTimeout = TimeSpan.FromMinutes(1) });
}
