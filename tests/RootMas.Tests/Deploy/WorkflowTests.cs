using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>What the workflows promise: nothing leaves without the tests, with as few rights as possible, and nothing foreign that can change.</summary>
public sealed partial class WorkflowTests
{
    private static readonly string Folder = Repository.PathOf(".github", "workflows");

    public static TheoryData<string> Names => [.. Directory.EnumerateFiles(Folder, "*.yml").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Actions_are_pinned_rights_are_few_and_nothing_hangs(string name)
    {
        var text = File.ReadAllText(Path.Combine(Folder, name));
        var workflow = Yaml.Parse(text);
        foreach (Match use in Uses().Matches(text))
        {
            Assert.True(PinnedUse().IsMatch(use.Value.Trim()), $"{use.Value.Trim()} is not pinned to a commit with its version beside it");
        }

        Assert.DoesNotContain("pull_request_target", text, StringComparison.Ordinal);
        Assert.DoesNotContain("workflow_run", text, StringComparison.Ordinal);
        Assert.Equal([("contents", "read")], workflow["permissions"].Members.Select(m => (m.Key, m.Value.Text)));
        Assert.True(workflow["concurrency/group"].IsThere);
        foreach (var (job, steps) in Jobs(workflow))
        {
            Assert.True(steps["uses"].Text.StartsWith("./.github/workflows/", StringComparison.Ordinal) || int.TryParse(steps["timeout-minutes"].Text, out _), $"{job} has no time-out");
            Assert.DoesNotContain(steps["permissions"].Members, p => p.Value.Text == "write-all");
            Assert.All(steps["steps"].Items.Where(s => s["uses"].Text.StartsWith("actions/checkout@", StringComparison.Ordinal)), s => Assert.Equal("false", s["with/persist-credentials"].Text));

            // What strangers may choose (names of branches, titles) reaches a shell only as a variable.
            Assert.All(steps["steps"].Items, s => Assert.DoesNotContain("${{", s["run"].Text, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Nothing_is_published_or_deployed_without_the_tests()
    {
        var leaving = 0;
        foreach (var name in new[] { "main.yml", "release.yml" })
        {
            var workflow = Yaml.Read(Path.Combine(Folder, name));
            Assert.Equal("./.github/workflows/ci.yml", workflow["jobs/test/uses"].Text);
            foreach (var (job, body) in Jobs(workflow).Where(j => j.Name != "test"))
            {
                Assert.Contains("test", body["needs"].Texts);
                Assert.NotEqual("always()", body["if"].Text);
                leaving += body["environment"].IsThere || body["permissions"].Members.Any(p => p.Value.Text == "write") ? 1 : 0;
            }
        }

        Assert.True(leaving >= 4, $"only {leaving} jobs that publish or deploy were found");
        var ci = Yaml.Read(Path.Combine(Folder, "ci.yml"));
        Assert.Empty(new[] { "test", "api", "audit", "image" }.Except(Jobs(ci).Select(j => j.Name)));
        Assert.All(Jobs(ci), j => Assert.DoesNotContain(j.Body["permissions"].Members, p => p.Value.Text == "write"));
        Assert.DoesNotContain(Jobs(ci), j => j.Body["if"].IsThere || j.Body["continue-on-error"].IsThere);
    }

    /// <summary>The image is built in containers that see nothing of the job's rights.</summary>
    [Fact]
    public void Whoever_may_sign_runs_nothing_that_packages_bring()
    {
        var signing = Directory.EnumerateFiles(Folder, "*.yml").SelectMany(f => Jobs(Yaml.Read(f))).Where(j => j.Body["permissions/id-token"].IsThere).ToList();
        Assert.Contains("sign", signing.Select(static j => j.Name));
        Assert.All(signing.SelectMany(static j => j.Body["steps"].Items), static s => Assert.DoesNotMatch("setup-dotnet|setup-node|package\\.sh|dotnet |npm |npx ", s["uses"].Text + s["run"].Text));
    }

    [Fact]
    public void Main_goes_to_staging_and_a_tag_to_production_by_the_same_script()
    {
        var main = Yaml.Read(Path.Combine(Folder, "main.yml"));
        var release = Yaml.Read(Path.Combine(Folder, "release.yml"));
        Assert.Equal(["main"], main["on/push/branches"].Texts);
        Assert.True(release["on/push/tags"].IsThere && !release["on/push/branches"].IsThere);
        Assert.Equal("staging", main["jobs/staging/environment"].Text);
        Assert.Equal("production", release["jobs/production/environment"].Text);
        foreach (var job in new[] { main["jobs/staging"], release["jobs/production"] })
        {
            Assert.Contains(job["steps"].Items, s => s["run"].Text.Contains("deploy/deploy.sh deploy ", StringComparison.Ordinal));
            Assert.Equal("false", job["concurrency/cancel-in-progress"].Text);
        }

        var said = string.Concat(Jobs(release).SelectMany(j => j.Body["steps"].Items).Select(s => s["run"].Text + s["uses"].Text));
        Assert.All(["SHA256SUMS", "cosign sign-blob", "cosign sign --yes", "sbom-action", "attest-build-provenance", "gh release create"], word => Assert.Contains(word, said, StringComparison.Ordinal));
    }

    [Fact]
    public void Scripts_that_the_workflows_call_are_there_and_are_those_of_everybody_else()
    {
        var said = string.Concat(Directory.EnumerateFiles(Folder).Select(File.ReadAllText));
        var called = Script().Matches(said).Select(m => m.Groups["path"].Value).Distinct(StringComparer.Ordinal).ToList();
        Assert.Contains(".ci/run", called);
        Assert.Contains("deploy/package.sh", called);
        Assert.All(called, path => Assert.True(File.Exists(Repository.PathOf(path)) && (FileModes.Of(Repository.PathOf(path)) & UnixFileMode.UserExecute) != UnixFileMode.None, $"{path} is not there, or not executable"));
        Assert.Contains("./rootmas test", File.ReadAllText(Repository.PathOf(".ci", "run")), StringComparison.Ordinal);
        Assert.Contains("--coverage", said, StringComparison.Ordinal);
    }

    [NodeFact("deploy-lint")]
    public async Task Workflows_lint_clean() => await ComposeTests.LintAsync("workflow", [.. Directory.EnumerateFiles(Folder)]);

    [NodeFact]
    public async Task What_clients_would_miss_in_the_api_is_found()
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "after.json");
        async Task<Shell> DiffAsync(Action<JsonNode> change)
        {
            var document = JsonNode.Parse(File.ReadAllText(Repository.PathOf("docs", "openapi.json")))!;
            change(document);
            File.WriteAllText(path, document.ToJsonString());
            return await Shell.RunAsync("node", [Repository.PathOf(".ci", "openapi-diff.mjs"), Repository.PathOf("docs", "openapi.json"), path]);
        }

        static JsonObject Schema(JsonNode document, string name) => document["components"]!["schemas"]![name]!.AsObject();
        Assert.Equal(0, (await DiffAsync(_ => { })).ExitCode);
        Assert.Equal(0, (await DiffAsync(d => Schema(d, "ChatResponse")["properties"]!.AsObject()["new_one"] = new JsonObject { ["type"] = "string" })).ExitCode);
        foreach (var (change, loss) in new (Action<JsonNode>, string)[]
        {
            (d => d["paths"]!.AsObject().Remove("/api/v1/chat"), "POST /api/v1/chat: is gone"),
            (d => Schema(d, "ChatResponse")["properties"]!.AsObject().Remove("flow_id"), "flow_id: is gone"),
            (d => Schema(d, "ChatMessage")["required"] = new JsonArray("message", "team"), "team: must now be sent"),
            (d => Schema(d, "ChatMessage")["properties"]!["message"]!["type"] = "integer", "message: no longer takes string"),
        })
        {
            var found = await DiffAsync(change);
            Assert.True(found.ExitCode == 1 && found.Stderr.Contains(loss, StringComparison.Ordinal), $"{loss}: {found.Said}");
        }
    }

    /// <summary>A tag is pushed with no commit before it (forty zeros), a forced push with one that is gone: it is compared with the release before, not with the commit before, and never with nothing.</summary>
    [InstalledFact("node", "git")]
    public async Task A_release_is_compared_with_the_release_before()
    {
        using var folder = new TempFolder();
        Task GitAsync(params string[] arguments) =>
            Shell.DoAsync("git", ["-C", folder.Path, "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false", .. arguments]);
        Task<Shell> ApiAsync(string commit) => Shell.RunAsync("bash", [Path.Combine(folder.Path, ".ci", "api"), commit]);
        void Write(string path, string text, bool isProgram = false)
        {
            var full = Path.Combine(folder.Path, path);
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            File.WriteAllText(full, text);
            if (isProgram)
            {
                FileModes.Set(full, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
        }

        var none = new string('0', 40);
        foreach (var name in new[] { "api", "openapi-diff.mjs" })
        {
            Write($".ci/{name}", File.ReadAllText(Repository.PathOf(".ci", name)));
        }

        Write("tests/RootMas.Tests/Conformance/openapi-lint/node_modules/.bin/redocly", "#!/bin/sh\n", isProgram: true);
        Write("docs/openapi.json", """{"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{}}},"/b":{"get":{"responses":{}}}}}""");
        await GitAsync("init", "--quiet");
        await GitAsync("add", "--all");
        await GitAsync("commit", "--quiet", "--message", "first");
        await GitAsync("tag", "v0.1.0");
        var first = await ApiAsync(none);
        Assert.True(first.ExitCode == 0 && first.Stdout.Contains("the first commit", StringComparison.Ordinal), first.Said);

        Write("docs/openapi.json", """{"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{}}}}}""");
        await GitAsync("commit", "--quiet", "--all", "--message", "takes a route away");
        await GitAsync("commit", "--quiet", "--allow-empty", "--message", "is released");
        await GitAsync("tag", "v0.2.0");
        Assert.Equal(0, (await ApiAsync("HEAD~1")).ExitCode);
        var released = await ApiAsync(none);
        Assert.True(released.ExitCode == 1 && released.Stdout.Contains("compared with v0.1.0", StringComparison.Ordinal) && released.Stderr.Contains("GET /b: is gone", StringComparison.Ordinal), released.Said);
        var gone = new string('a', 40);
        var forced = await ApiAsync(gone);
        Assert.True(forced.ExitCode == 1 && forced.Stdout.Contains($"no commit '{gone}' here", StringComparison.Ordinal) && forced.Stdout.Contains("compared with v0.1.0", StringComparison.Ordinal) && forced.Stderr.Contains("GET /b: is gone", StringComparison.Ordinal), forced.Said);
        var unknown = await ApiAsync("no-such-branch");
        Assert.True(unknown.ExitCode == 1 && unknown.Stderr.Contains("there is no commit", StringComparison.Ordinal), unknown.Said);
        await GitAsync("tag", "--delete", "v0.1.0", "v0.2.0");
        var before = await ApiAsync(gone);
        Assert.True(before.ExitCode == 0 && before.Stdout.Contains("compared with HEAD~1", StringComparison.Ordinal), before.Said);
    }

    [NodeFact]
    public async Task Every_package_has_a_licence_that_is_allowed()
    {
        var judged = await Shell.RunAsync("node", [Repository.PathOf(".ci", "licences.mjs")]);
        Assert.True(judged.ExitCode == 0, judged.Said);

        using var folder = new TempFolder();
        File.WriteAllText(Path.Combine(folder.Path, "package-lock.json"), """{"packages": {"": {}, "node_modules/a": {"version": "1.0.0", "license": "AGPL-3.0"}, "node_modules/b": {"version": "1.0.0", "license": "(MIT OR AGPL-3.0)"}}}""");
        var refused = await Shell.RunAsync("node", [Repository.PathOf(".ci", "licences.mjs"), folder.Path]);
        Assert.Equal(1, refused.ExitCode);
        Assert.Equal("npm a@1.0.0: AGPL-3.0 is not on the list\n", refused.Stderr);
    }

    private static IEnumerable<(string Name, Yaml Body)> Jobs(Yaml workflow) => workflow["jobs"].Members;

    [GeneratedRegex(@"^\s*-?\s*uses:.*$", RegexOptions.Multiline, 1000)]
    private static partial Regex Uses();

    [GeneratedRegex(@"^-?\s*uses: (\./\.github/workflows/[a-z.]+|[A-Za-z0-9-]+/[A-Za-z0-9-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PinnedUse();

    [GeneratedRegex(@"(?<path>(\.ci|deploy)/[a-z./-]*[a-z])(?= |\n|""|$)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Script();
}
