using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Tests.Identity.Canary;

/// <summary>I5: marks planted in every secret and in users' words never turn up where they do not belong, over every route that is read.</summary>
public sealed partial class CanaryTests
{
    [Fact]
    public async Task Secrets_and_other_peoples_words_are_in_no_answer_no_event_no_metric_and_no_log_line()
    {
        await using var world = await CanaryWorld.StartAsync("Debug", "Production");
        List<string> found = [];
        foreach (var path in Addresses(world))
        {
            foreach (var (who, token) in ((string, string?)[])[("nobody", null), ("alice", world.AliceToken), ("bob", world.BobToken), ("admin", "")])
            {
                foreach (var accept in (string[])["application/json", "text/event-stream"])
                {
                    var answer = await world.ReadAsync(path, token, accept);
                    found.AddRange(world.Secrets.Where(s => answer.Contains(s, StringComparison.Ordinal)).Select(s => $"GET {path} as {who}: the secret {s[..8]}…"));
                    found.AddRange(Words(answer, who).Select(w => $"GET {path} as {who}: {w}"));
                }
            }
        }

        var log = string.Join('\n', world.App.Get<LogRing>().Read(LogLevel.Trace, null, 100_000).Select(static l => l.Message));
        found.AddRange(world.Secrets.Append(CanaryWorld.AliceWord).Append(CanaryWorld.BobWord).Where(s => log.Contains(s, StringComparison.Ordinal)).Select(s => $"log: {s[..8]}…"));
        Assert.True(found.Count == 0, string.Join('\n', found.Distinct()));
        Assert.Contains(world.Models.Requests, r => r.Headers.Authorization.ToString().Contains(CanaryWorld.ProviderKey, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Alice_sees_her_own_words_so_the_search_finds_what_is_there()
    {
        await using var world = await CanaryWorld.StartAsync("Information", "Production");
        Assert.Contains(CanaryWorld.AliceWord, await world.ReadAsync("/api/v1/conversations", world.AliceToken, "application/json"), StringComparison.Ordinal);
        Assert.Contains(CanaryWorld.AliceWord, await world.ReadAsync("/api/v1/chat/history", world.AliceToken, "application/json"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Not_even_the_most_talkative_log_has_a_secret()
    {
        await using var world = await CanaryWorld.StartAsync("Trace", "Development");
        foreach (var path in Addresses(world).Take(60))
        {
            await world.ReadAsync(path, world.AliceToken, "application/json");
        }

        var log = new StringBuilder();
        foreach (var line in world.App.Get<LogRing>().Read(LogLevel.Trace, null, 100_000))
        {
            log.AppendLine(line.Message);
        }

        var text = log.ToString();
        Assert.DoesNotContain(world.Secrets, s => text.Contains(s, StringComparison.Ordinal));
    }

    /// <summary>Each route with each id in place of what stands in braces.</summary>
    private static IEnumerable<string> Addresses(CanaryWorld world) => world.ReadRoutes().Order(StringComparer.Ordinal)
        .SelectMany(r => r.Contains('{', StringComparison.Ordinal) ? world.Ids.Select(id => Parameter().Replace(r, id)) : [r])
        .SelectMany(static p => p.Contains("/runs", StringComparison.Ordinal) ? [p, p + "?tree=1"] : new[] { p });

    /// <summary>The local administrator does not hold content:read, so both users' words are foreign to them.</summary>
    private static IEnumerable<string> Words(string answer, string who) =>
        new[] { ("alice", CanaryWorld.AliceWord), ("bob", CanaryWorld.BobWord) }.Where(w => w.Item1 != who && answer.Contains(w.Item2, StringComparison.Ordinal)).Select(static w => $"words of {w.Item1}");

    [GeneratedRegex(@"\{[^}]+\}", RegexOptions.NonBacktracking)]
    private static partial Regex Parameter();
}
