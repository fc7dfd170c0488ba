using System.CommandLine;
using System.Text.RegularExpressions;
using RootMas.Server.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Docs;

/// <summary>The guides name what there is: commands with their options, and routes.</summary>
public sealed partial class GuideTests
{
    [Fact]
    public void Every_command_and_every_option_is_described()
    {
        var guide = File.ReadAllText(Repository.PathOf("docs", "cli.md"));
        var missing = Commands("", CommandLine.Root()).Where(name => !guide.Contains(name, StringComparison.Ordinal));
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_option_is_described_with_its_command()
    {
        var guide = File.ReadAllLines(Repository.PathOf("docs", "cli.md"));
        var missing = Leaves("", CommandLine.Root()).SelectMany(leaf =>
        {
            var said = string.Join('\n', guide.Where(line => line.Contains("`" + leaf.Path, StringComparison.Ordinal)));
            return leaf.Command.Options.Select(static o => o.Name).Where(o => o != "--help" && !said.Contains(o, StringComparison.Ordinal)).Select(o => $"{leaf.Path} {o}");
        });
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_route_that_the_guide_names_is_there()
    {
        var known = File.ReadAllLines(Repository.PathOf("tests", "RootMas.Tests", "Approved", "routes.txt")).Select(l => Hole().Replace(l.Split(' ')[1].TrimEnd('/'), "*")).ToHashSet(StringComparer.Ordinal);
        var guide = File.ReadAllText(Repository.PathOf("docs", "api.md"));
        var named = Path().Matches(guide).Select(m => Hole().Replace(m.Groups["path"].Value, "*")).ToHashSet(StringComparer.Ordinal);
        Assert.True(named.Count > 15, "The guide's routes were not found.");
        Assert.Empty(named.Except(known));
    }

    [Fact]
    public void Every_request_of_the_guide_says_who_asks_where_that_is_needed()
    {
        var open = File.ReadAllLines(Repository.PathOf("tests", "RootMas.Tests", "Approved", "routes.txt")).Where(static l => l.EndsWith("| public", StringComparison.Ordinal)).Select(static l => l.Split(' ')[1].TrimEnd('/')).ToHashSet(StringComparer.Ordinal);
        var requests = File.ReadLines(Repository.PathOf("docs", "api.md")).Where(static l => l.StartsWith("curl ", StringComparison.Ordinal)).ToList();
        Assert.True(requests.Count > 15, "The guide's requests were not found.");
        Assert.DoesNotContain(requests, r => !r.Contains("-H \"$AUTH\"", StringComparison.Ordinal) && !r.Contains("Authorization: Bearer", StringComparison.Ordinal) && !open.Contains(Path().Match(r).Groups["path"].Value));
    }

    /// <summary>As the guide writes them: <c>`runs list</c> for a command, <c>--status</c> for an option.</summary>
    private static IEnumerable<string> Commands(string path, Command command)
    {
        foreach (var option in command.Options.Where(o => o.Name is not ("--help" or "--version")))
        {
            yield return option.Name;
        }

        foreach (var below in command.Subcommands)
        {
            if (below.Subcommands.Count == 0)
            {
                yield return "`" + path + below.Name;
            }

            foreach (var name in Commands(path + below.Name + " ", below))
            {
                yield return name;
            }
        }
    }

    private static IEnumerable<(string Path, Command Command)> Leaves(string path, Command command) => command.Subcommands.SelectMany(below =>
        below.Subcommands.Count == 0 ? [(path + below.Name, below)] : Leaves(path + below.Name + " ", below));

    // $API/api/v1/runs/$RUN/events?after=6, `GET /health`, `/health/live`
    [GeneratedRegex(@"(?:\$API|`(?:GET |POST )?)(?<path>/[A-Za-z0-9_/{}$.-]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Path();

    [GeneratedRegex(@"\{[^}]*\}|\$[A-Z]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Hole();
}
