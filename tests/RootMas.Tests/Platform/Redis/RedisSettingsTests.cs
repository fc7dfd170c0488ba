using RootMas.Server;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Redis;

public sealed class RedisSettingsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("http://:canary@10.0.0.1", "is not understood")]
    [InlineData("redis://:canary@10.0.0.1/words", "is not understood")]
    [InlineData("10.0.0.1,password=canary,nonsense=1", "is not understood")]
    [InlineData("10.0.0.1,10.0.0.2,password=canary", "names 2 servers")]
    [InlineData("password=canary", "names 0 servers")]
    [InlineData("redis://ann:canary@10.0.0.1", "only the default user")]
    public void A_wrong_address_stops_the_start_and_is_not_shown(string text, string named)
    {
        var problem = Assert.Single(Problems(("Redis:ConnectionString", text)));
        Assert.StartsWith("Redis:ConnectionString: ", problem, StringComparison.Ordinal);
        Assert.Contains(named, problem, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("redis://10.0.0.1", false)]
    [InlineData("cache.example.org:6379", false)]
    [InlineData("redis://:secret@10.0.0.1", true)]
    [InlineData("redis://127.0.0.1", true)]
    [InlineData("localhost", true)]
    public void A_Redis_of_others_without_a_password_is_refused_in_Production(string text, bool starts)
    {
        var problems = Problems(("Redis:ConnectionString", text));
        Assert.Equal(starts, problems.Count == 0);
        Assert.All(problems, static problem => Assert.Contains("requirepass", problem, StringComparison.Ordinal));
        Assert.Empty(Problems(("Redis:ConnectionString", text), ("Server:Environment", "Development")));
    }

    private IReadOnlyList<string> Problems(params (string Key, string Value)[] settings) => ServerHost.ReadSettings(new ServerArguments
    {
        WorkingDirectory = _folder.Path,
        Environment = new Dictionary<string, string>(StringComparer.Ordinal),
        Settings = settings.ToDictionary(static s => s.Key, static s => s.Value, StringComparer.OrdinalIgnoreCase),
    }).Problems;
}
