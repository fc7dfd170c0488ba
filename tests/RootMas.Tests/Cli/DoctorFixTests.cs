using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>rootmas doctor --fix</c>: the safe findings, and nothing else.</summary>
public sealed class DoctorFixTests
{
    private const UnixFileMode Open = FileModes.Private | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    [Fact]
    public async Task What_others_can_read_is_closed_and_what_is_missing_is_made()
    {
        using var session = new CliSession();
        await session.DoAsync("doctor", "--fix");
        Assert.Equal(FileModes.Private | UnixFileMode.UserExecute, FileModes.Of(session.Data));

        var key = Path.Combine(session.Data, "keys", "some");
        var env = Path.Combine(session.Home, ".env");
        var elsewhere = Path.Combine(session.Home, "elsewhere");
        Directory.CreateDirectory(Path.GetDirectoryName(key)!);
        foreach (var path in new[] { key, env, elsewhere })
        {
            File.WriteAllText(path, "");
            FileModes.LetOthersRead(path);
        }

        File.CreateSymbolicLink(Path.Combine(session.Data, "link"), elsewhere);
        FileModes.Set(session.Data, Open);
        Assert.NotEqual(0, await session.RunAsync("doctor")); // Production refuses such a directory
        Assert.Equal(Open, FileModes.Of(session.Data));

        var said = await session.RunAsync("doctor", "--fix") is var _ ? session.Output.ToString() : "";
        Assert.Contains($"closed {session.Data} to other users", said);
        Assert.Equal(FileModes.Private | UnixFileMode.UserExecute, FileModes.Of(session.Data));
        Assert.Equal([FileModes.Private, FileModes.Private], new[] { FileModes.Of(key), FileModes.Of(env) });
        Assert.NotEqual(FileModes.Private, FileModes.Of(elsewhere)); // a link is not followed

        // A second time there is nothing to do.
        await session.RunAsync("doctor", "--fix");
        Assert.DoesNotContain("closed", session.Output.ToString());
    }
}
