using RootMas.Tests.Deploy;
using RootMas.Tests.Platform.Http;
using RootMas.Tests.Support;
using Xunit.Abstractions;

namespace RootMas.Tests.Web;

/// <summary>Sign-in, an empty chat and one with an answer as Lighthouse sees them: accessibility and best practices, performance beside them. In the long form only: it takes minutes, and two hundred packages.</summary>
[Collection(WebCollection.Name)]
public sealed class LighthouseTests(WebWorld world, ITestOutputHelper output)
{
    [LighthouseFact]
    public async Task Accessibility_and_best_practices_are_95_at_least()
    {
        var (_, name) = await world.NewPersonAsync();
        var seen = await Shell.RunAsync(
            "node",
            [Path.Combine(NodeFactAttribute.FolderOf(LighthouseFactAttribute.Packages), "lighthouse.mjs"), world.App.Url.GetLeftPart(UriPartial.Authority), name],
            new Dictionary<string, string> { ["ROOTMAS_PASSWORD"] = WebWorld.Password, ["CHROME_PATH"] = ChromiumFactAttribute.Path });
        output.WriteLine(seen.Stdout);
        await File.WriteAllTextAsync(Path.Combine(WebWorld.Pictures, "lighthouse.md"), seen.Stdout);
        Assert.True(seen.ExitCode == 0, seen.Said);
        Assert.Equal(6, seen.Stdout.Split('\n').Count(static line => line.StartsWith("| sign-in", StringComparison.Ordinal) || line.StartsWith("| chat", StringComparison.Ordinal)));
    }
}

/// <summary>Runs in the long form, where a browser, the app and the packages are; is skipped by name elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LighthouseFactAttribute : FactAttribute
{
    public const string Packages = "lighthouse";

    public LighthouseFactAttribute() =>
        Skip = !TestLength.IsLong ? "Lighthouse looks in the long form only: ./rootmas test --long" : WebWorld.Missing ?? new NodeFactAttribute(Packages).Skip;
}
