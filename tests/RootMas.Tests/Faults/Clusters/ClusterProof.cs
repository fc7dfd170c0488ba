using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;
using RootMas.Tests.Support.Clusters;

namespace RootMas.Tests.Faults.Clusters;

/// <summary>The invariants of CHECKS.md on a cluster that is quiet again.</summary>
internal sealed class ClusterProof(ClusterWorld world, IReadOnlyList<ClusterUser> users, ClusterLoad load)
{
    public async Task CheckAsync(int seed)
    {
        var checker = new InvariantChecker("", users[0].Client, world.Sim)
        {
            Postgres = world.Postgres.ConnectionString(world.Database),
            ClientOf = owner => users.Single(u => u.Id == owner).Client,
            UnaccountedCalls = load.Unanswered,
        };
        checker.Accepted.AddRange(load.Accepted.Keys);
        await checker.CheckAsync(seed); // I1–I4, I7–I9
        foreach (var user in users)
        {
            await CheckSeenAsync(user);
        }

        await CheckTracesAsync();
        await CheckAuditAsync();
    }

    /// <summary>I5: nobody sees what another has said.</summary>
    private async Task CheckSeenAsync(ClusterUser user)
    {
        var foreign = users.Where(u => u != user).Select(ClusterLoad.Canary).ToList();
        foreach (var path in (string[])["/api/v1/runs?limit=200", "/api/v1/chat/history?limit=200", "/api/v1/conversations?limit=200", "/api/v1/approvals?status=all&limit=200", "/api/v1/visualization/flows?limit=200"])
        {
            var seen = await user.Client.GetStringAsync(path);
            Assert.All(foreign, canary => Assert.DoesNotContain(canary, seen, StringComparison.Ordinal));
        }

        foreach (var (run, owner) in load.Accepted.Where(a => a.Value != user).Take(20))
        {
            using var response = await user.Client.GetAsync($"/api/v1/runs/{run}/events");
            Assert.True(response.StatusCode == System.Net.HttpStatusCode.NotFound, $"I5: {user.Name} sees run {run} of {owner.Name}");
        }
    }

    /// <summary>I5: nor do logs and metrics say it, nor any password or key.</summary>
    private async Task CheckTracesAsync()
    {
        string[] secrets = [.. users.Select(ClusterLoad.Canary), TestUsers.Password, .. world.Secrets, .. users.Select(static u => u.Client.DefaultRequestHeaders.Authorization!.Parameter!)];
        foreach (var node in world.Nodes)
        {
            var traces = await world.TracesAsync(node);
            Assert.Contains("rootmas_", traces, StringComparison.Ordinal); // its metrics were read
            Assert.Contains("\"log.level\"", traces, StringComparison.Ordinal);
            if (secrets.FirstOrDefault(s => traces.Contains(s, StringComparison.Ordinal)) is { } said)
            {
                Assert.Fail($"I5: {node.Name} says {said}: {traces.Split('\n').First(l => l.Contains(said, StringComparison.Ordinal))}");
            }
        }
    }

    /// <summary>I6: the chain verifies, and each change of the administrator has one row.</summary>
    private async Task CheckAuditAsync()
    {
        foreach (var name in load.Changes)
        {
            var rows = await world.ScalarAsync<long>($"SELECT count(*) FROM audit WHERE action = 'agent.create' AND outcome = 'done' AND target_id = '{name}'");
            Assert.True(rows == 1, $"I6: {rows} rows for the agent {name}");
        }

        var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = world.Postgres.Url(world.Database) };
        await using var database = new PostgresDatabase(options, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance);
        var check = await new AuditVerifier(new AuditStore(database), [new AuditKey(Convert.FromHexString(ClusterWorld.AuditKey))]).RunAsync(null, CancellationToken.None);
        Assert.True(check.Problems.Count == 0, $"I6: {string.Join('\n', check.Problems)}");
    }
}
