using System.Text.RegularExpressions;
using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>What the image, the chart and the scripts promise.</summary>
public sealed partial class ImageTests
{
    private static readonly string[] Dockerfile = File.ReadAllLines(Repository.PathOf("deploy", "docker", "Dockerfile"));
    private static readonly string Chart = Repository.PathOf("deploy", "helm", "root-mas");

    [Fact]
    public void The_image_is_built_in_stages_from_digests_and_runs_as_nobody()
    {
        var from = Dockerfile.Where(l => l.StartsWith("FROM ", StringComparison.Ordinal)).ToList();
        Assert.Equal(3, from.Count);
        Assert.Contains("ARG TARGETARCH", Dockerfile); // with a default it would be that, whatever the image is for
        Assert.All(from, l => Assert.True(l.Contains("--platform=${BUILDPLATFORM}", StringComparison.Ordinal) || l.EndsWith(" AS final", StringComparison.Ordinal), l)); // only the last stage is of the processor that it is for
        Assert.All(from, l => Assert.Matches(@"^FROM (--platform=\$\{BUILDPLATFORM\} )?\$\{[A-Z]+_IMAGE\}@\$\{[A-Z]+_DIGEST\} AS [a-z]+$", l));

        // No default: whoever does not look the digests up builds nothing.
        Assert.Contains("ARG NODE_DIGEST", Dockerfile);
        Assert.Contains("ARG SDK_DIGEST", Dockerfile);
        Assert.Contains("ARG RUNTIME_DIGEST", Dockerfile);
        var text = string.Join('\n', Dockerfile);
        Assert.DoesNotContain("latest", text, StringComparison.Ordinal);
        Assert.Contains("-p:PublishReadyToRun=true", text, StringComparison.Ordinal);
        Assert.Contains("""HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["/app/rootmas", "health"]""", text, StringComparison.Ordinal);
        Assert.True(Array.IndexOf(Dockerfile, "USER ${APP_UID}") > Array.FindIndex(Dockerfile, l => l.StartsWith("COPY --from", StringComparison.Ordinal)));
        Assert.DoesNotContain(Dockerfile.SkipWhile(static l => !l.EndsWith(" AS final", StringComparison.Ordinal)), static l => l.Contains("npm", StringComparison.Ordinal) || l.Contains("node", StringComparison.Ordinal));
        Assert.Contains("COPY --from=web /source/src/RootMas.Server/wwwroot src/RootMas.Server/wwwroot", Dockerfile);
        Assert.Contains("ENTRYPOINT [\"/app/rootmas\"]", Dockerfile);
        Assert.DoesNotMatch(@"(?i)(password|secret|token|api_key)\s*=", text);
        Assert.Contains("-lt 130", text, StringComparison.Ordinal);

        // What is sent to the builder is what the Dockerfile copies, and nothing else.
        var ignored = File.ReadAllLines(Repository.PathOf(".dockerignore")).Where(l => l.Length > 0 && l[0] != '#').ToList();
        Assert.Equal("*", ignored[0]);
        var copied = Dockerfile.Where(l => l.StartsWith("COPY ", StringComparison.Ordinal) && !l.Contains("--from", StringComparison.Ordinal)).SelectMany(l => l.Split(' ')[1..^1]).Select(p => p.Split('/')[0]).Distinct(StringComparer.Ordinal);
        Assert.Empty(copied.Except(ignored.Where(l => l[0] == '!').Select(l => l[1..].Split('/')[0])));
        Assert.All(ignored.Where(l => l[0] == '!'), l => Assert.True(File.Exists(Repository.PathOf(l[1..])) || Directory.Exists(Repository.PathOf(l[1..])), l));
        Assert.Contains("**/.env", ignored);
    }

    /// <summary>Backups fill neither the data directory nor the pod; the bucket's secret comes from a Secret; servers and workers are seen by the rules that are shipped.</summary>
    [Fact]
    public void Backups_have_a_volume_of_their_own_and_monitoring_sees_every_pod()
    {
        var helpers = File.ReadAllText(Path.Combine(Chart, "templates", "_helpers.tpl"));
        Assert.Contains("{ name: ROOTMAS__Backups__Folder, value: {{ default \"/archives/rootmas\" .backupsFolder }} }", helpers, StringComparison.Ordinal);
        Assert.Contains("{ name: archives, mountPath: /archives }", helpers, StringComparison.Ordinal);
        Assert.Contains("\"ROOTMAS__Backups__S3__Secret\" \"s3-secret\"", helpers, StringComparison.Ordinal);
        var values = Yaml.Read(Path.Combine(Chart, "values.yaml"));
        Assert.All(["server", "worker"], part => Assert.True(Gibibytes(values[$"{part}/resources/limits/ephemeral-storage"]) > Gibibytes(values["backups/size"]), "the pod is evicted before the volume is full"));

        var monitoring = File.ReadAllText(Path.Combine(Chart, "templates", "monitoring.yaml"));
        Assert.Contains("kind: PodMonitor", monitoring, StringComparison.Ordinal);
        Assert.Contains("operator: In, values: [server, worker]", monitoring, StringComparison.Ordinal);
        Assert.Contains("{ targetLabel: job, replacement: rootmas }", monitoring, StringComparison.Ordinal);
        Assert.Contains("kind: PrometheusRule", monitoring, StringComparison.Ordinal);
        Assert.Contains("up{job=\"rootmas\"}", File.ReadAllText(Path.Combine(Chart, "rules", "alerts.yml")), StringComparison.Ordinal);

        // A chart reads only files of its own folder: the same rules once more, word for word.
        var shipped = Directory.EnumerateFiles(Repository.PathOf("deploy", "monitoring", "prometheus", "rules")).ToDictionary(static f => Path.GetFileName(f), File.ReadAllText, StringComparer.Ordinal);
        Assert.Equal(shipped.Keys.Order(StringComparer.Ordinal), Directory.EnumerateFiles(Path.Combine(Chart, "rules")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.All(shipped, rule => Assert.True(rule.Value == File.ReadAllText(Path.Combine(Chart, "rules", rule.Key)), $"cp deploy/monitoring/prometheus/rules/{rule.Key} deploy/helm/root-mas/rules/"));
        Assert.All(shipped.Keys, name => Assert.Contains($"\"{Path.GetFileNameWithoutExtension(name)}\"", monitoring, StringComparison.Ordinal));

        static int Gibibytes(Yaml size) => int.Parse(size.Text.Replace("Gi", "", StringComparison.Ordinal), System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>pg_dump makes no backup of a server that is newer than itself.</summary>
    [Fact]
    public void The_client_of_postgresql_in_the_image_is_the_newest_that_is_promised()
    {
        var client = Postgres().Match(string.Join('\n', Dockerfile)).Groups["version"].Value;
        Assert.Equal(client, Postgres().Match(File.ReadAllText(Repository.PathOf("deploy", "compose", "compose.yaml"))).Groups["version"].Value);
        foreach (var file in new[] { Repository.PathOf("docs", "operations.md"), Path.Combine(Chart, "values.yaml"), Path.Combine(Chart, "templates", "NOTES.txt") })
        {
            var promised = Promised().Matches(File.ReadAllText(file)).Select(static m => m.Groups["version"].Value).ToList();
            Assert.True(promised.Count > 0 && promised.TrueForAll(v => v == client), $"{file} promises {string.Join(", ", promised)}");
        }
    }

    [NodeFact("deploy-lint")]
    public async Task The_dockerfile_lints_clean() => await ComposeTests.LintAsync("dockerfile", Repository.PathOf("deploy", "docker", "Dockerfile"));

    [Fact]
    public void The_chart_has_what_an_orchestrator_needs_and_no_secret()
    {
        var text = string.Join('\n', Directory.EnumerateFiles(Path.Combine(Chart, "templates")).Select(File.ReadAllText));
        Assert.All(
            ["kind: Deployment", "kind: PodDisruptionBudget", "kind: ScaledObject", "kind: HorizontalPodAutoscaler", "kind: Job", "kind: NetworkPolicy", "kind: ServiceAccount", "kind: Ingress", "startupProbe:", "readinessProbe:", "livenessProbe:",
                "runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", "capabilities: { drop: [ALL] }", "automountServiceAccountToken: false", "helm.sh/hook: pre-install,pre-upgrade", "args: [migrate]"],
            word => Assert.Contains(word, text, StringComparison.Ordinal));
        Assert.Contains("{{- if not (get $settings \"Backups__S3__Endpoint\") }}\n\nWARNING: nightly backups lie in an emptyDir", text, StringComparison.Ordinal);
        var values = Yaml.Read(Path.Combine(Chart, "values.yaml"));
        Assert.All(values["secrets"].Members, m => Assert.Equal("", m.Value.Text));
        Assert.Equal("max(rootmas_queue_oldest_age_seconds)", values["worker/autoscaling/query"].Text);
        Assert.All(["server", "worker"], part => Assert.True(values[$"{part}/resources/limits/memory"].IsThere && values[$"{part}/resources/requests/cpu"].IsThere));
    }

    [Fact]
    public void Every_value_of_the_chart_is_in_its_schema_and_every_value_that_templates_name_is_there()
    {
        var values = Yaml.Read(Path.Combine(Chart, "values.yaml"));
        var schema = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(Path.Combine(Chart, "values.schema.json")))!;
        Assert.Empty(values.Members.Select(m => m.Key).Except(schema["properties"]!.AsObject().Select(p => p.Key)));
        foreach (var part in new[] { "server", "worker", "image", "ingress", "networkPolicy", "migration", "backups", "secrets", "serviceMonitor" })
        {
            Assert.Empty(values[part].Members.Select(m => m.Key).Except(schema["properties"]![part]!["properties"]!.AsObject().Select(p => p.Key)));
        }

        var named = Directory.EnumerateFiles(Path.Combine(Chart, "templates")).SelectMany(f => Value().Matches(File.ReadAllText(f))).Select(m => m.Groups["path"].Value.Replace('.', '/')).Distinct(StringComparer.Ordinal);
        var missing = named.Where(path => !values[path].IsThere && path is not ("config" or "settings")).ToList();
        Assert.Empty(missing);
    }

    /// <summary>A hook's resources are made anew each time unless they say otherwise, and a claim that is made anew is empty.</summary>
    [Fact]
    public void The_backup_that_the_migration_makes_first_outlives_its_pod_and_the_next_upgrade()
    {
        var job = File.ReadAllText(Path.Combine(Chart, "templates", "migration.yaml"));
        var claim = job[job.IndexOf("kind: PersistentVolumeClaim", StringComparison.Ordinal)..job.IndexOf("kind: Job", StringComparison.Ordinal)];
        Assert.Contains("(not (lookup \"v1\" \"PersistentVolumeClaim\" .Release.Namespace $claim))", job, StringComparison.Ordinal);
        Assert.Contains("helm.sh/hook: pre-install,pre-upgrade", claim, StringComparison.Ordinal);
        Assert.Contains("helm.sh/hook-delete-policy: hook-failed\n", claim, StringComparison.Ordinal);
        Assert.Contains("helm.sh/resource-policy: keep", claim, StringComparison.Ordinal);
        Assert.All(["\"backupsFolder\" (ternary \"/backups\" \"\" (not (empty $claim)))", "- { name: backups, mountPath: /backups }", "persistentVolumeClaim: { claimName: {{ $claim }} }"], line => Assert.Contains(line, job, StringComparison.Ordinal));
        var helper = File.ReadAllText(Path.Combine(Chart, "templates", "_helpers.tpl"));
        Assert.Matches(@"fail ""The backup that is made before each migration would be lost with its pod\. Set settings\.Backups__S3__Endpoint", helper);
        Assert.Equal("true", Yaml.Read(Path.Combine(Chart, "values.yaml"))["migration/backupVolume/enabled"].Text);
    }

    /// <summary>A name that stands twice in a container's environment is refused where the server merges what is applied (the default of Helm 4).</summary>
    [Fact]
    public void No_name_stands_twice_in_the_environment_and_a_rollback_brings_back_its_own_settings()
    {
        var templates = Path.Combine(Chart, "templates");
        var names = Directory.EnumerateFiles(templates).SelectMany(File.ReadAllLines).Where(static l => l.Contains("name: ROOTMAS", StringComparison.Ordinal) && !l.Contains("{{", StringComparison.Ordinal))
            .Select(static l => l.Split("name: ")[1].Split(',', ' ')[0]).ToList();
        Assert.Equal(names.Distinct(), names);
        Assert.DoesNotContain("ROOTMAS__Backups__Folder", File.ReadAllText(Path.Combine(templates, "migration.yaml")), StringComparison.Ordinal);
        Assert.All(["Backups__Folder", "Backups__KeepLocal", "Database__Kind"], name => Assert.Contains($"(hasKey $own \"{name}\")", File.ReadAllText(Path.Combine(templates, "_helpers.tpl")), StringComparison.Ordinal));
        var hooks = File.ReadAllLines(Path.Combine(templates, "settings.yaml")).Where(static l => l.Contains("helm.sh/hook:", StringComparison.Ordinal)).ToList();
        Assert.Equal(3, hooks.Count);
        Assert.All(hooks, static h => Assert.EndsWith("pre-install,pre-upgrade,pre-rollback", h, StringComparison.Ordinal));
        Assert.DoesNotContain("fallback:", File.ReadAllText(Path.Combine(templates, "autoscaling.yaml")), StringComparison.Ordinal);
    }

    /// <summary>The name of the first administrator stands beside a password only, and what is asked of Prometheus is of one release.</summary>
    [Fact]
    public void A_release_gives_no_name_without_a_password_and_watches_itself_alone()
    {
        var helpers = File.ReadAllText(Path.Combine(Chart, "templates", "_helpers.tpl"));
        Assert.Contains("{{- if or .Values.existingSecret .Values.secrets.adminPassword }}\n- { name: ROOTMAS_ADMIN_USERNAME, value: admin }\n{{- end }}", helpers, StringComparison.Ordinal);
        Assert.Contains("printf \"namespace=%q,release=%q\" .root.Release.Namespace .root.Release.Name", helpers, StringComparison.Ordinal);
        foreach (var template in (string[])["monitoring.yaml", "autoscaling.yaml"])
        {
            Assert.Contains("include \"root-mas.query\" (dict \"root\" $ \"expr\"", File.ReadAllText(Path.Combine(Chart, "templates", template)), StringComparison.Ordinal);
        }

        Assert.Contains("{ targetLabel: release, replacement: {{ .Release.Name | quote }} }", File.ReadAllText(Path.Combine(Chart, "templates", "monitoring.yaml")), StringComparison.Ordinal);
        var asked = File.ReadAllLines(Path.Combine(Chart, "rules", "recording.yml")).Where(static l => l.Contains("http_server_", StringComparison.Ordinal) || l.Contains("gen_ai_client_", StringComparison.Ordinal)).ToList();
        Assert.Equal(4, asked.Count);
        Assert.All(asked, static l => Assert.Contains("{job=\"rootmas\"", l, StringComparison.Ordinal));
    }

    [InstalledFact("helm")]
    public async Task The_chart_renders()
    {
        foreach (var mode in new[] { "keda", "hpa", "none" })
        {
            var rendered = await Shell.DoAsync("helm", ["template", "mas", Chart, "--set", "existingSecret=x,serviceMonitor.enabled=true,settings.Backups__S3__Endpoint=https://s3.example.org", "--set", $"worker.autoscaling.mode={mode}"]);
            Assert.Contains("kind: Deployment", rendered, StringComparison.Ordinal);
        }

        Assert.NotEqual(0, (await Shell.RunAsync("helm", ["template", "mas", Chart])).ExitCode);

        // The backup before a migration: in a claim, or in a bucket, or said that it is lost.
        const string Kept = "claimName: mas-root-mas-backups";
        string[] render = ["template", "mas", Chart, "--set", "existingSecret=x"];
        var watched = await Shell.DoAsync("helm", [.. render, "--namespace", "prod", "--set", "serviceMonitor.enabled=true"]);
        Assert.Contains("max(rootmas_queue_oldest_age_seconds{namespace=\"prod\",release=\"mas\"})", watched, StringComparison.Ordinal);
        Assert.Contains("up{namespace=\"prod\",release=\"mas\",job=\"rootmas\"}", watched, StringComparison.Ordinal);
        Assert.Contains(Kept, await Shell.DoAsync("helm", render), StringComparison.Ordinal);
        Assert.DoesNotContain(Kept, await Shell.DoAsync("helm", [.. render, "--set", "settings.Backups__S3__Endpoint=https://s3.example.org"]), StringComparison.Ordinal);
        Assert.Contains("claimName: mine", await Shell.DoAsync("helm", [.. render, "--set", "migration.backupVolume.existingClaim=mine"]), StringComparison.Ordinal);
        var refused = await Shell.RunAsync("helm", [.. render, "--set", "migration.backupVolume.enabled=false"]);
        Assert.True(refused.ExitCode != 0 && refused.Stderr.Contains("would be lost with its pod", StringComparison.Ordinal), refused.Said);
    }

    [InstalledFact("shellcheck")]
    public async Task Scripts_are_clean()
    {
        var scripts = new[] { "deploy", ".ci", "tests" }.SelectMany(f => Directory.EnumerateFiles(Repository.PathOf(f), "*", f == "deploy" ? SearchOption.AllDirectories : SearchOption.TopDirectoryOnly)).Append(Repository.PathOf("rootmas"))
            .Where(f => File.ReadLines(f).FirstOrDefault() is { } first && first.StartsWith("#!", StringComparison.Ordinal) && first.Contains("sh", StringComparison.Ordinal)).ToList();
        Assert.True(scripts.Count >= 10, $"only {scripts.Count} scripts were found");
        var checkedThem = await Shell.RunAsync("shellcheck", ["--external-sources", "--severity=warning", .. scripts]);
        Assert.True(checkedThem.ExitCode == 0, checkedThem.Said);
    }

    [InstalledFact("yamllint")]
    public async Task Yaml_files_are_clean()
    {
        string[] places = [Repository.PathOf(".github"), Repository.PathOf("deploy", "compose"), Path.Combine(Chart, "values.yaml"), Path.Combine(Chart, "Chart.yaml"), Repository.PathOf("config")];
        var linted = await Shell.RunAsync("yamllint", ["--strict", "-d", "{extends: relaxed, rules: {line-length: disable}}", .. places]);
        Assert.True(linted.ExitCode == 0, linted.Said);
    }

    /// <summary>Minutes long: the Dockerfile's own publish step, in the long form only.</summary>
    [LongFact]
    public async Task The_release_is_smaller_than_promised_and_runs()
    {
        using var folder = new TempFolder();
        var archive = (await Shell.DoAsync("bash", [Repository.PathOf("deploy", "package.sh"), folder.Path])).Trim();
        await Shell.DoAsync("sha256sum", ["--check", archive + ".sha256"], folder: folder.Path);
        await Shell.DoAsync("tar", ["-xzf", archive, "-C", folder.Path]);
        Assert.Equal(await Shell.DoAsync(Path.Combine(folder.Path, "rootmas"), ["version"]), File.ReadAllText(Path.Combine(folder.Path, "VERSION")));
        Assert.True(File.Exists(Path.Combine(folder.Path, "deploy", "install.sh")));
    }

    [GeneratedRegex(@"postgresql-client-(?<version>\d+)|image: postgres:(?<version>\d+)\.", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Postgres();

    [GeneratedRegex(@"PostgreSQL 14 to (?<version>\d+)|with our image 14 to (?<version>\d+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Promised();

    [GeneratedRegex(@"\.Values\.(?<path>[A-Za-z.]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Value();
}

/// <summary>Part of <c>./rootmas test --long</c>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LongFactAttribute : FactAttribute
{
    public LongFactAttribute()
    {
        if (!TestLength.IsLong)
        {
            Skip = "part of the long form: ./rootmas test --long";
        }
    }
}
