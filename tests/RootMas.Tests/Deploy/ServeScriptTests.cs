using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary><c>./rootmas serve</c> in a checkout: when it builds the web app, and what it does where it cannot. Beside a copy of the script stand an npm and a dotnet that say how they were called.</summary>
public sealed class ServeScriptTests : IDisposable
{
    private static readonly DateTime Now = DateTime.UtcNow;

    private readonly TempFolder _folder = new();

    public ServeScriptTests()
    {
        File.Copy(Repository.PathOf("rootmas"), At("rootmas"));
        foreach (var file in (string[])["web/package.json", "web/package-lock.json", "web/src/main.tsx", "docs/openapi.json", "src/RootMas.Server/Program.cs", "Directory.Build.props", "global.json"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(At(file))!);
            File.WriteAllText(At(file), "");
            File.SetLastWriteTimeUtc(At(file), Now.AddHours(-2));
        }

        Directory.CreateDirectory(At("bin"));
        Program("npm", """
            echo "$*" >> "$CHECKOUT/npm.log"
            [ "$1" = ci ] && mkdir -p "$CHECKOUT/web/node_modules"
            [ "$1" = ci ] || [ -z "${BROKEN:-}" ] || { echo "src/main.tsx: no"; exit 1; }
            [ "$1" = ci ] || { mkdir -p "$CHECKOUT/src/RootMas.Server/wwwroot" && echo page > "$CHECKOUT/src/RootMas.Server/wwwroot/index.html"; }
            """);
        Program("dotnet", """
            [ "$1" = build ] && mkdir -p "$CHECKOUT/src/RootMas.Server/bin/Debug/net10.0" && touch "$CHECKOUT/src/RootMas.Server/bin/Debug/net10.0/rootmas.dll"
            [ "$1" = build ] || echo "serves: ${*:2}"
            """);
    }

    private string Page => At("src/RootMas.Server/wwwroot/index.html");

    public void Dispose() => _folder.Dispose();

    [InstalledFact("bash", "find")]
    public async Task The_web_app_is_built_once_and_again_when_its_sources_have_changed()
    {
        Assert.Equal(["ci", "run"], await ServeAsync());
        Assert.Empty(await ServeAsync());
        foreach (var source in (string[])["web/src/main.tsx", "docs/openapi.json"])
        {
            // Built an hour ago, changed half an hour ago.
            File.SetLastWriteTimeUtc(Page, Now.AddHours(-1));
            Assert.Empty(await ServeAsync());
            File.SetLastWriteTimeUtc(At(source), Now.AddMinutes(-30));
            Assert.Equal(["run"], await ServeAsync());
            Assert.Empty(await ServeAsync());
            File.SetLastWriteTimeUtc(At(source), Now.AddHours(-2));
        }
    }

    [InstalledFact("bash", "find")]
    public async Task What_is_installed_and_made_in_between_is_no_source()
    {
        await ServeAsync();
        File.SetLastWriteTimeUtc(Page, Now.AddHours(-1));
        foreach (var file in (string[])["web/node_modules/some/index.js", "web/src/api/schema.d.ts", "src/RootMas.Server/Program.cs"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(At(file))!);
            await File.WriteAllTextAsync(At(file), "");
        }

        Assert.Empty(await ServeAsync());
    }

    [InstalledFact("bash", "find")]
    public async Task A_build_that_fails_is_told_hinders_no_server_and_is_tried_again()
    {
        Assert.Equal(["ci", "run"], await ServeAsync(broken: true, says: ["src/main.tsx: no", "the web app could not be built"]));
        Assert.Equal(["run"], await ServeAsync());
        Assert.Empty(await ServeAsync());
    }

    /// <summary>A folder in place of the lock: as where the checkout is another's or may only be read, nobody can write there.</summary>
    [InstalledFact("bash", "find")]
    public async Task Who_may_not_write_to_the_checkout_runs_what_is_built_and_is_told_when_that_is_old()
    {
        await ServeAsync();
        File.Delete(At("artifacts/build.lock"));
        Directory.CreateDirectory(At("artifacts/build.lock"));
        Assert.Empty(await ServeAsync());
        File.SetLastWriteTimeUtc(At("web/src/main.tsx"), Now.AddHours(1));
        Assert.Empty(await ServeAsync(says: ["the web app is not built from its latest sources"]));
        File.SetLastWriteTimeUtc(At("src/RootMas.Server/Program.cs"), Now.AddHours(1));
        var refused = await RunAsync(broken: false);
        Assert.True(refused.ExitCode == 2 && refused.Stderr.Contains($"cannot write to {At("artifacts")}", StringComparison.Ordinal), refused.Said);
        Assert.Empty(refused.Stdout);
    }

    private Task<Shell> RunAsync(bool broken) => Shell.RunAsync("bash", [At("rootmas"), "serve", "--port", "1"], new Dictionary<string, string>
    {
        ["PATH"] = $"{At("bin")}:/usr/bin:/bin", ["CHECKOUT"] = _folder.Path, ["BROKEN"] = broken ? "yes" : "", ["ROOTMAS_BUILD"] = "Debug",
    });

    /// <summary>Serves, and gives what npm was asked for meanwhile.</summary>
    private async Task<string[]> ServeAsync(bool broken = false, params string[] says)
    {
        var log = At("npm.log");
        File.Delete(log);
        var served = await RunAsync(broken);
        Assert.True(served.ExitCode == 0, served.Said);
        Assert.Equal("serves: serve --port 1", served.Stdout.Trim());
        Assert.All(says, said => Assert.Contains(said, served.Stderr, StringComparison.Ordinal));
        return File.Exists(log) ? [.. (await File.ReadAllLinesAsync(log)).Select(static line => line.Split(' ')[0])] : [];
    }

    private void Program(string name, string script)
    {
        File.WriteAllText(At($"bin/{name}"), $"#!/usr/bin/env bash\nset -e\n{script}\n");
        FileModes.Set(At($"bin/{name}"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private string At(string file) => Path.Combine(_folder.Path, file);
}
