using System.Text.RegularExpressions;
using RootMas.Server.Cli;
using RootMas.Tests.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>What the compose files promise, for every service. No engine runs them here: see docs/operations.md for what was run by hand.</summary>
public sealed partial class ComposeTests
{
    private static readonly string Folder = Repository.PathOf("deploy", "compose");
    private static readonly Yaml Compose = Yaml.Read(Path.Combine(Folder, "compose.yaml"));

    public static TheoryData<string> Services => [.. Compose["services"].Members.Select(s => s.Key)];

    [Theory]
    [MemberData(nameof(Services))]
    public void Every_service_is_checked_limited_pinned_and_may_do_little(string name)
    {
        var service = Compose[$"services/{name}"];
        Assert.NotEmpty(service["healthcheck/test"].Texts);
        Assert.NotEqual("NONE", service["healthcheck/test"].Texts[0]);
        Assert.True(service["healthcheck/interval"].IsThere && service["healthcheck/timeout"].IsThere && service["healthcheck/retries"].IsThere);

        Assert.Matches(@"^\d+\.\d+$", service["deploy/resources/limits/cpus"].Text);
        Assert.Matches(@"^\d+[mg]$", service["deploy/resources/limits/memory"].Text);
        Assert.True(int.TryParse(service["pids_limit"].Text, out var pids) && pids is > 0 and <= 4096);

        // A tag of its own with a whole version; ours comes from a variable with one as its default.
        Assert.Matches(@":(\$\{ROOTMAS_TAG:-)?v?\d+\.\d+[A-Za-z0-9.-]*\}?$", service["image"].Text);
        Assert.Equal("true", service["read_only"].Text);
        Assert.Equal(["ALL"], service["cap_drop"].Texts);
        Assert.Equal(["no-new-privileges:true"], service["security_opt"].Texts);
        Assert.Equal(name == "caddy" ? ["NET_BIND_SERVICE"] : [], service["cap_add"].Texts);
        Assert.False(service["privileged"].IsThere || service["network_mode"].IsThere || service["pid"].IsThere);
        Assert.NotEmpty(service["profiles"].Texts);
        Assert.True(service["logging/options/max-size"].IsThere, "logs grow without end");
        Assert.NotEqual("no", service["restart"].Text);
        Assert.True(service["networks"].IsThere, "the default network reaches everything");

        // Not root; images whose own user is not root say so in their documentation and are listed here.
        string[] knownNotRoot = ["rootmas", "server", "worker"];
        Assert.True(name is "caddy" || knownNotRoot.Contains(name) || service["user"].Text is { Length: > 0 } user && !user.StartsWith("0:", StringComparison.Ordinal) && user is not ("0" or "root"), $"{name} runs as root");
        Assert.DoesNotContain(service["volumes"].Texts, v => v.Contains("docker.sock", StringComparison.Ordinal));
    }

    [Fact]
    public void No_password_has_a_default_and_init_makes_every_one()
    {
        var made = InitialVariables.Of("cluster", "localhost", hasKeys: false).Select(v => v.Name).ToHashSet(StringComparer.Ordinal);
        var text = File.ReadAllText(Path.Combine(Folder, "compose.yaml"));
        var secrets = Variable().Matches(text).Select(m => (Name: m.Groups["name"].Value, Otherwise: m.Groups["otherwise"].Value)).Where(v => Secret().IsMatch(v.Name)).Distinct().ToList();
        Assert.True(secrets.Count >= 5, "the secrets were not found");
        Assert.All(secrets.Where(s => !Optional().IsMatch(s.Name)), s => Assert.True(s.Otherwise.StartsWith(":?", StringComparison.Ordinal), $"{s.Name} must be given"));
        Assert.All(secrets.Where(s => Optional().IsMatch(s.Name)), s => Assert.Equal(":-", s.Otherwise)); // may be absent, has no value of its own
        Assert.Empty(secrets.Select(s => s.Name).Where(n => !n.StartsWith("OPEN", StringComparison.Ordinal)).Except(made));

        // Nothing that looks like a secret is written out.
        var written = Compose.Leaves().Where(l => SecretKey().IsMatch(l.Path) && l.Text.Length > 0 && !l.Text.Contains("${", StringComparison.Ordinal) && l.Text[0] != '/' && !l.Path.Contains("/secrets", StringComparison.Ordinal));
        Assert.Empty(written);
        Assert.Contains(".env", File.ReadAllLines(Repository.PathOf(".gitignore")));
        Assert.Contains("/deploy/compose/secrets/", File.ReadAllLines(Repository.PathOf(".gitignore")));
    }

    [Fact]
    public void Databases_cannot_be_reached_from_outside_and_only_the_proxy_is_open()
    {
        foreach (var name in new[] { "data", "seeing" })
        {
            Assert.Equal("true", Compose[$"networks/{name}/internal"].Text);
        }

        foreach (var (name, service) in Compose["services"].Members)
        {
            var ports = service["ports"].Texts;
            Assert.True(ports.Count == 0 || name == "caddy" || ports.All(p => p.StartsWith("127.0.0.1:", StringComparison.Ordinal)), $"{name} is open to others");
        }

        foreach (var name in new[] { "postgres", "redis", "rabbitmq" })
        {
            var networks = Compose[$"services/{name}/networks"].Texts;
            Assert.Empty(networks.Except(["data", "seeing"]));
        }

        // In development too, nothing is open to other machines.
        var open = Yaml.Read(Path.Combine(Folder, "compose.dev.yaml"))["services"].Members.SelectMany(s => s.Value["ports"].Texts).ToList();
        Assert.NotEmpty(open);
        Assert.All(open, p => Assert.StartsWith("127.0.0.1:", p, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_profile_has_services_and_every_file_that_is_mounted_is_there()
    {
        var profiles = Compose["services"].Members.SelectMany(s => s.Value["profiles"].Texts).ToHashSet(StringComparer.Ordinal);
        Assert.Empty(new[] { "core", "cluster", "monitoring", "logging" }.Except(profiles));
        var mounted = Compose["services"].Members.SelectMany(s => s.Value["volumes"].Texts).Where(v => v.StartsWith('.')).Select(v => v.Split(':')[0]).ToList();
        foreach (var path in mounted.SelectMany(p => p.Contains("${ROOTMAS_SIZE", StringComparison.Ordinal) ? ((string[])["core.yml", "cluster.yml"]).Select(size => p.Replace("${ROOTMAS_SIZE", size, StringComparison.Ordinal)) : [p]))
        {
            var full = Path.GetFullPath(path, Folder);
            Assert.True(File.Exists(full) || Directory.Exists(full), $"{path} is mounted and not there");
        }

        foreach (var service in Compose["services"].Members)
        {
            var mounts = service.Value["volumes"].Texts.Select(static v => v.Replace("${ROOTMAS_SIZE:-core}", "core", StringComparison.Ordinal).Split(':')).ToList();
            foreach (var (above, below) in from a in mounts from b in mounts where a is [_, _, "ro"] && b[1].StartsWith(a[1] + "/", StringComparison.Ordinal) select (a, b))
            {
                // Nobody can make the place for it in what is mounted read-only.
                Assert.True(Path.Exists(Path.Combine(Path.GetFullPath(above[0], Folder), Path.GetRelativePath(above[1], below[1]))), $"{service.Key}: {below[1]} is mounted where there is nothing");
            }
        }

        // A container is given as long as the program takes to stop.
        Assert.Equal("45s", Compose["services/rootmas/stop_grace_period"].Text);
    }

    /// <summary>An instance that monitoring asks for and that is not there is an alert that never ends; one that it does not ask for is seen by nobody.</summary>
    [Theory]
    [InlineData("compose.yaml")]
    [InlineData("compose.dev.yaml")]
    public void Monitoring_asks_as_many_instances_as_are_started(string file)
    {
        var asked = Yaml.Read(Path.Combine(Folder, "targets", "cluster.yml")).Items.ToDictionary(t => t["labels/component"].Text, t => t["targets"].Texts, StringComparer.Ordinal);
        foreach (var name in new[] { "server", "worker" })
        {
            var replicas = Yaml.Read(Path.Combine(Folder, file))[$"services/{name}/deploy/replicas"];
            var started = int.Parse((replicas.IsThere ? replicas : Compose[$"services/{name}/deploy/replicas"]).Text, System.Globalization.CultureInfo.InvariantCulture);
            Assert.Equal(Enumerable.Range(1, started).Select(i => $"rootmas-{name}-{i}:8000"), asked[name]);
        }
    }

    /// <summary>What of the program is open in development, profile by profile.</summary>
    [Fact]
    public void In_development_profile_core_answers_plain_http_and_cluster_goes_through_the_proxy()
    {
        var development = Yaml.Read(Path.Combine(Folder, "compose.dev.yaml"));
        var open = Compose["services"].Members.Where(s => s.Key is "rootmas" or "server" or "worker").ToDictionary(s => s.Value["profiles"].Texts[0] + " " + s.Key, s => string.Join(' ', development[$"services/{s.Key}/ports"].Texts), StringComparer.Ordinal);
        Assert.Equal("127.0.0.1:8000:8000", open["core rootmas"]);
        Assert.Equal(("", ""), (open["cluster server"], open["cluster worker"]));
    }

    /// <summary>The start of an instance, as compose gives it to the shell, in a folder that stands in for the volume.</summary>
    [Fact]
    public async Task Log_files_of_containers_that_are_gone_do_not_stay_for_ever()
    {
        using var folder = new TempFolder();
        var logs = Directory.CreateDirectory(Path.Combine(folder.Path, "logs")).FullName;
        foreach (var (name, days) in new[] { ("0123456789ab.log", 40), ("0123456789ab.log.3", 50), ("fedcba987654.log", 2), ("rootmas.log", 40), ("notes.txt", 40) })
        {
            File.WriteAllText(Path.Combine(logs, name), "{}\n");
            File.SetLastWriteTimeUtc(Path.Combine(logs, name), DateTime.UnixEpoch.AddDays((TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalDays - days));
        }

        var start = Compose["services/server/entrypoint"].Texts;
        Assert.Equal(["sh", "-c"], start.Take(2));
        var script = start[2].Replace("$$", "$", StringComparison.Ordinal).Replace("/logs", logs, StringComparison.Ordinal).Replace("/app/rootmas", "echo \"$ROOTMAS__Logging__File__Path\"", StringComparison.Ordinal);
        var said = await Shell.DoAsync("sh", ["-c", script, "migrate", "--plan"], new Dictionary<string, string>(StringComparer.Ordinal) { ["HOSTNAME"] = "fedcba987654" });
        Assert.Equal($"{logs}/fedcba987654.log migrate --plan\n", said);
        Assert.Equal(["fedcba987654.log", "notes.txt", "rootmas.log"], Directory.EnumerateFiles(logs).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    /// <summary>What docs/architecture.md asks of Redis: an evicted key of a limit begins that limit anew.</summary>
    [Fact]
    public void Redis_evicts_what_ends_soonest_first() =>
        Assert.Contains("maxmemory-policy volatile-ttl\n", string.Join('\n', Compose["services/redis/command"].Texts), StringComparison.Ordinal);

    /// <summary>A name that is misspelt would stop the start of every container.</summary>
    [Fact]
    public void Every_setting_that_compose_and_chart_give_is_one()
    {
        var known = File.ReadAllLines(Repository.PathOf("tests", "RootMas.Tests", "Approved", "settings.txt")).Select(l => l.Split(' ')[0]).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var files = Directory.EnumerateFiles(Folder, "*.yaml").Concat(Directory.EnumerateFiles(Repository.PathOf("deploy", "helm", "root-mas", "templates")));
        var given = files.SelectMany(f => Setting().Matches(File.ReadAllText(f))).Select(m => m.Groups["key"].Value.Replace("__", ":", StringComparison.Ordinal)).Select(k => ListIndex().Replace(k, "")).Distinct(StringComparer.Ordinal).ToList();
        Assert.True(given.Count >= 6, "no settings were found");
        Assert.DoesNotContain(given, k => !known.Contains(k));
    }

    /// <summary>With what <c>rootmas init</c> wrote, the program would start: Production refuses nothing of it.</summary>
    [Theory]
    [InlineData("rootmas")]
    [InlineData("server")]
    [InlineData("worker")]
    public async Task The_program_accepts_what_compose_and_init_give_it(string name)
    {
        using var session = new CliSession();
        var made = InitialVariables.Of("cluster", "mas.example.org", hasKeys: false).ToDictionary(v => v.Name, v => v.Value, StringComparer.Ordinal);
        foreach (var (key, value) in Compose[$"services/{name}/environment"].Members)
        {
            session.Environment[key] = Variable().Replace(value.Text, m => made.GetValueOrDefault(m.Groups["name"].Value) ?? (m.Groups["otherwise"].Value is [':', '-', .. var otherwise] ? otherwise : ""));
        }

        session.Environment["ROOTMAS__Database__ConnectTimeout"] = "00:00:01"; // of a host that is not there: what was changed by API is not read then
        Assert.Equal(0, await session.RunAsync("config", "check"));
        var settings = await session.DoAsync("config", "print");
        Assert.Contains("Database:Kind = postgres", settings, StringComparison.OrdinalIgnoreCase);
        // The line with the first password is removed after the first login.
        session.Environment["ROOTMAS_ADMIN_PASSWORD"] = "";
        Assert.Equal(0, await session.RunAsync("config", "check"));
        Assert.All(made.Values.Where(v => v.Length >= 43), secret => Assert.DoesNotContain(secret, settings, StringComparison.Ordinal));
    }

    [NodeFact("deploy-lint")]
    public async Task The_files_follow_the_specification() => await LintAsync("compose", Path.Combine(Folder, "compose.yaml"), Path.Combine(Folder, "compose.dev.yaml"));

    [NodeFact("deploy-lint")]
    public async Task The_linter_sees_offences()
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "bad");
        File.WriteAllText(path, "services: {a: {imag: x}}");
        Assert.NotEqual(0, (await NodeFactAttribute.RunAsync("deploy-lint", "lint.mjs", "compose", path)).ExitCode);
        File.WriteAllText(path, "FROM a\nCOPPY x y\n");
        Assert.NotEqual(0, (await NodeFactAttribute.RunAsync("deploy-lint", "lint.mjs", "dockerfile", path)).ExitCode);
        File.WriteAllText(path, "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo ${{ githu.x }}'}]}}\n");
        Assert.NotEqual(0, (await NodeFactAttribute.RunAsync("deploy-lint", "lint.mjs", "workflow", path)).ExitCode);
    }

    internal static async Task LintAsync(string kind, params string[] files)
    {
        var linted = await NodeFactAttribute.RunAsync("deploy-lint", "lint.mjs", [kind, .. files]);
        Assert.True(linted.ExitCode == 0, linted.Said);
    }

    [GeneratedRegex(@"(?<!\$)\$\{(?<name>[A-Z_]+)(?<otherwise>:\?[^}]*|:-[^}]*)?\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Variable();

    [GeneratedRegex(@"ROOTMAS__(?<key>[A-Za-z]+(__[A-Za-z0-9]+)+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Setting();

    [GeneratedRegex(@":\d+$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ListIndex();

    [GeneratedRegex("PASSWORD|_KEY$|SECRET|TOKEN", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Secret();

    [GeneratedRegex("^OPEN|^ROOTMAS_ADMIN", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Optional();

    [GeneratedRegex("(?i)/[^/]*(password|secret|token|_pass)[^/]*$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SecretKey();
}
