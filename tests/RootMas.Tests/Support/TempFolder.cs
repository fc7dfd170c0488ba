namespace RootMas.Tests.Support;

/// <summary>A folder of a test's own, gone at its end.</summary>
public sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("rootmas-test-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Waits for something that another process or thread does.</summary>
public static class Wait
{
    public static async Task UntilAsync(Func<bool> condition)
    {
        var until = DateTimeOffset.UtcNow.AddSeconds(90);
        while (!condition())
        {
            Assert.True(DateTimeOffset.UtcNow < until, "What was waited for did not happen within 90 s.");
            await Task.Delay(10);
        }
    }

    /// <summary>The same for what has to be asked for.</summary>
    public static async Task UntilAsync<T>(Func<T, Task<bool>> condition, T about, string otherwise)
    {
        var until = DateTimeOffset.UtcNow.AddSeconds(90);
        while (!await condition(about))
        {
            Assert.True(DateTimeOffset.UtcNow < until, $"{otherwise} within 90 s.");
            await Task.Delay(50);
        }
    }
}
