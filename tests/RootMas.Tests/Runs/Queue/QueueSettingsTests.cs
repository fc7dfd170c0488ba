using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs.Queue;

/// <summary>Settings that would leave runs without a worker stop the start, by name and without secrets.</summary>
public sealed class QueueSettingsTests
{
    [Theory]
    [InlineData("Runs:Parallelism", "0", "Database:Kind")]
    [InlineData("RabbitMq:Uri", "amqp://me:hush@127.0.0.1", "Database:Kind")]
    [InlineData("RabbitMq:Uri", "http://me:hush@127.0.0.1", "amqp://")]
    [InlineData("RabbitMq:Queue", "a b", "RabbitMq:Queue")]
    public async Task What_cannot_work_is_refused_at_start(string key, string value, string says)
    {
        var refused = await Assert.ThrowsAsync<SettingsException>(() => TestApp.StartAsync(o => o.Settings[key] = value));
        Assert.Contains(key, refused.Message, StringComparison.Ordinal);
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", refused.Message, StringComparison.Ordinal);
    }
}
