using Microsoft.Playwright;

namespace RootMas.Tests.Support;

internal static class PlaywrightStart
{
    /// <summary>
    /// Playwright changes the console's encoding as it starts; for that the console flushes its writers under a lock that whoever logs at that moment waits for with the writer's own: both for ever.
    /// Writers that were set are left alone.
    /// </summary>
    public static Task<IPlaywright> CreateAsync()
    {
        Console.SetOut(Console.Out);
        Console.SetError(Console.Error);
        return Playwright.CreateAsync();
    }
}
