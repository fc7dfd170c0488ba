using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;
using RootMas.Tests.Support;
using Box = RootMas.Server.Platform.Outbox.Outbox;

namespace RootMas.Tests.Platform.Outbox;

public abstract class OutboxTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task Messages_come_in_order_after_the_commit_and_are_forgotten()
    {
        await using var test = new TestDatabase();
        await using var listening = await Listening.StartAsync(test);
        for (var i = 0; i < 250; i++)
        {
            await Add(test, listening.Box, i);
        }

        for (var i = 0; i < 250; i++)
        {
            Assert.Equal($"{i}", (await listening.NextAsync()).Payload);
        }

        await listening.StopAsync();
        Assert.Equal(0, await test.ScalarAsync("SELECT COUNT(*) FROM outbox"));
    }

    [DatabaseFact]
    public async Task What_was_written_before_a_crash_is_handed_out_at_start()
    {
        await using var test = new TestDatabase();
        var box = new Box([new OutboxSubscription("t", typeof(Handler))]);
        await Add(test, box, 7);
        await using var listening = await Listening.StartAsync(test);
        Assert.Equal("7", (await listening.NextAsync()).Payload);
    }

    [DatabaseFact]
    public async Task A_handler_that_fails_gets_the_same_message_again_and_none_is_skipped()
    {
        await using var test = new TestDatabase();
        await using var listening = await Listening.StartAsync(test, failuresOf: "1");
        await test.Database.WriteAsync(
            async session =>
            {
                for (var i = 0; i < 3; i++)
                {
                    await listening.Box.AddAsync(session, "t", $"{i}");
                }
            },
            default);

        List<string> seen = [];
        while (!seen.Contains("2"))
        {
            seen.Add((await listening.NextAsync()).Payload);
        }

        Assert.Equal(["0", "1", "1", "2"], seen);
    }

    [DatabaseFact]
    public async Task A_rolled_back_message_is_not_told_and_one_without_listeners_is_not_kept()
    {
        await using var test = new TestDatabase();
        await using var listening = await Listening.StartAsync(test);
        await Assert.ThrowsAsync<InvalidDataException>(() => test.Database.WriteAsync(
            async session =>
            {
                await listening.Box.AddAsync(session, "t", "lost");
                throw new InvalidDataException();
            },
            default));
        await test.Database.WriteAsync(session => listening.Box.AddAsync(session, "nobody", "x"), default);
        await Add(test, listening.Box, 1);
        Assert.Equal("1", (await listening.NextAsync()).Payload);
        Assert.Equal(0, await test.ScalarAsync("SELECT COUNT(*) FROM outbox WHERE topic = 'nobody'"));
    }

    private static Task Add(TestDatabase test, Box box, int number) =>
        test.Database.WriteAsync(session => box.AddAsync(session, "t", $"{number}"), default);

    private sealed class Handler : IOutboxHandler
    {
        private readonly Channel<OutboxMessage> seen = Channel.CreateUnbounded<OutboxMessage>();

        public string? FailOnce { get; set; }

        public ChannelReader<OutboxMessage> Seen => seen.Reader;

        public Task HandleAsync(OutboxMessage message, CancellationToken cancellationToken)
        {
            seen.Writer.TryWrite(message);
            if (message.Payload == FailOnce)
            {
                FailOnce = null;
                throw new InvalidDataException();
            }

            return Task.CompletedTask;
        }
    }

    private sealed class Listening : IAsyncDisposable
    {
        private readonly OutboxDispatcher dispatcher;
        private readonly Handler handler;

        private Listening(TestDatabase test, string? failuresOf)
        {
            var services = new ServiceCollection().AddOutboxHandler<Handler>("t").BuildServiceProvider();
            var subscriptions = services.GetServices<OutboxSubscription>().ToList();
            handler = services.GetRequiredService<Handler>();
            handler.FailOnce = failuresOf;
            Box = new Box(subscriptions);
            dispatcher = new OutboxDispatcher(test.Database, Box, subscriptions, services, TimeProvider.System, NullLogger<OutboxDispatcher>.Instance);
        }

        public Box Box { get; }

        public static async Task<Listening> StartAsync(TestDatabase test, string? failuresOf = null)
        {
            var listening = new Listening(test, failuresOf);
            await listening.dispatcher.StartAsync(default);
            return listening;
        }

        public async Task<OutboxMessage> NextAsync() => await handler.Seen.ReadAsync().AsTask().WaitAsync(TimeSpan.FromMinutes(2));

        public Task StopAsync() => dispatcher.StopAsync(default);

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            dispatcher.Dispose();
        }
    }
}

public sealed class OutboxOnSqliteTests() : OutboxTests(DatabaseKind.Sqlite);

public sealed class OutboxOnPostgresTests() : OutboxTests(DatabaseKind.Postgres), IOnPostgres;
