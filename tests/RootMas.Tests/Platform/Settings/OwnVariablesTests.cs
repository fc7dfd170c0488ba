using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Architecture;
using RootMas.Tests.Cli;
using RootMas.Tests.Deploy;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Settings;

/// <summary>Variables that are ours, that only look so, and that are another program's.</summary>
public sealed partial class OwnVariablesTests : IDisposable
{
    private static readonly string[] Known = [.. OwnVariables.Read, .. OwnVariables.OfScripts];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Names_that_nobody_reads_are_told_with_the_nearest_one_and_refuse_nothing()
    {
        using var cli = new CliSession();
        (string Name, string Hint)[] misspelt =
        [
            ("ROOTMAS_MASTERKEY", "Did you mean ROOTMAS_MASTER_KEY?"), ("ROOTMAS_URL", "Did you mean ROOTMAS_URLS?"), ("ROOTMAS_PORT", "Did you mean ROOTMAS_URLS, as in ROOTMAS_URLS=http"),
            ("ROOTMAS_MASTERKEY_FILE", "Did you mean ROOTMAS_MASTER_KEY_FILE?"), ("ROOTMAS_Server__Urls", "Did you mean ROOTMAS__Server__Urls?"), ("ROOTMAS_RUNS_PARALLELISM", "Did you mean ROOTMAS__Runs__Parallelism?"), ("ROOTMAS_XYZZY", "docs/configuration.md"),
        ];
        foreach (var (name, _) in misspelt)
        {
            cli.Environment[name] = "hunter2";
        }

        Assert.Contains("valid", await cli.DoAsync("config", "check"), StringComparison.Ordinal);
        var notes = cli.Notes.ToString();
        Assert.All(misspelt, m => Assert.Contains(notes.Split('\n'), line => line.StartsWith(m.Name + " (environment): nothing reads", StringComparison.Ordinal) && line.Contains(m.Hint, StringComparison.Ordinal)));
        Assert.Equal(misspelt.Length, notes.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.DoesNotContain("hunter2", notes, StringComparison.Ordinal);
        Assert.Contains("· settings: ROOTMAS_MASTERKEY (environment)", await cli.DoAsync("doctor"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("settings.yml")]
    [InlineData("setting.yaml")]
    [InlineData("settings.json")]
    public async Task A_settings_file_of_another_name_is_told(string name)
    {
        using var cli = new CliSession();
        var config = Path.Combine(cli.Home, "config");
        Releases.Copy(Repository.PathOf("config"), config);
        await File.WriteAllTextAsync(Path.Combine(config, name), "{}");
        await cli.DoAsync("config", "check", "--config", config);
        var note = Assert.Single(cli.Notes.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith(Path.Combine(config, name) + ": nothing reads", note, StringComparison.Ordinal);
        Assert.Contains("settings.yaml", note, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_says_it_in_its_log()
    {
        var log = Path.Combine(_folder.Path, "rootmas.log");
        await using (await TestApp.StartAsync(o =>
        {
            o.Environment["ROOTMAS_MASTERKEY"] = "hunter2";
            o.Settings["Logging:File:Path"] = log;
        }))
        {
            // Started and stopped: the file is whole.
        }

        var line = Assert.Single(await File.ReadAllLinesAsync(log), static l => l.Contains("Did you mean ROOTMAS_MASTER_KEY?", StringComparison.Ordinal));
        Assert.DoesNotContain("hunter2", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ROOTMAS_PORT", "tcp://10.96.0.7:8000")]
    [InlineData("ROOTMAS_PORT_8000_TCP", "tcp://10.96.0.7:8000")]
    [InlineData("ROOTMAS_PORT_8000_TCP_ADDR", "10.96.0.7")]
    [InlineData("ROOTMAS_SERVICE_HOST", "10.96.0.7")]
    [InlineData("ROOTMAS_SERVICE_PORT_HTTP", "8000")]
    [InlineData("ROOTMAS_WORKER_SERVICE_PORT", "8001")]
    [InlineData("ROOTMAS_TAG", "0.1.0")]
    [InlineData("ROOTMAS_MASTERKEY", "")]
    [InlineData("ROOTMASTER", "1")]
    public void What_kubernetes_compose_and_others_set_is_no_mistake(string name, string value) => Assert.Empty(Read(name, value).Notes);

    [Theory]
    [InlineData("OTHER_TOKEN_FILE")]
    [InlineData("AWS_WEB_IDENTITY_TOKEN_FILE")]
    [InlineData("SSL_KEY_FILE")]
    [InlineData("ROOTMASTER_KEY_FILE")]
    public void A_file_that_another_programs_variable_names_is_not_opened(string name)
    {
        Assert.Empty(Read(name, "/nonexistent").Problems);
        var file = Path.Combine(_folder.Path, "secret");
        File.WriteAllText(file, "hunter2");
        Assert.Null(Read(name, file).Variables.Get(name[..^"_FILE".Length]));
    }

    [Theory]
    [InlineData("ROOTMAS_LOG_FILE")]
    [InlineData("ROOTMAS_MASTERKEY_FILE")]
    [InlineData("ROOTMAS_TAG_FILE")]
    public void A_file_of_a_name_that_nobody_reads_is_told_and_not_opened(string name)
    {
        var file = Path.Combine(_folder.Path, "secret");
        Told(); // there is no such file
        File.WriteAllText(file, "hunter2");
        Told();

        void Told()
        {
            var tree = Read(name, file);
            Assert.Empty(tree.Problems);
            Assert.StartsWith($"{name} (environment): nothing reads a variable of this name", Assert.Single(tree.Notes), StringComparison.Ordinal);
            Assert.Null(tree.Variables.Get(name[..^"_FILE".Length]));
        }
    }

    [Theory]
    [InlineData("OPENAI_API_KEY_FILE")]
    [InlineData("ROOTMAS_MASTER_KEY_FILE")]
    [InlineData("ROOTMAS__Database__ConnectionString_FILE")]
    public void A_file_that_one_of_ours_names_has_to_be_there(string name) => Assert.StartsWith(name, Assert.Single(Read(name, "/nonexistent").Problems), StringComparison.Ordinal);

    [Theory]
    [InlineData("FOO")]
    [InlineData("ROOTMAS_FOO")]
    public async Task Models_yaml_makes_a_variable_ours_and_its_file_too(string name)
    {
        using var cli = new CliSession();
        var (config, key) = (Path.Combine(cli.Home, "config"), Path.Combine(cli.Home, "foo-key"));
        Releases.Copy(Repository.PathOf("config"), config);
        await File.WriteAllTextAsync(Path.Combine(config, "models.yaml"), $$"""
            providers:
              foo: { base_url: "http://127.0.0.1:9/v1", base_url_env: {{name}}_URL, api_key_env: {{name}}_KEY }
            models:
              big: { provider: foo, free: true }
            tiers:
              standard: [big]
            """);
        Assert.Equal(2, await cli.RunAsync("config", "check", "--config", config));
        Assert.Contains($"the variable {name}_KEY is not set", cli.Notes.ToString(), StringComparison.Ordinal);

        cli.Environment[$"{name}_URL"] = "http://127.0.0.1:8/v1";
        cli.Environment[$"{name}_KEY_FILE"] = key;
        Assert.Equal(2, await cli.RunAsync("config", "check", "--config", config));
        Assert.Contains($"{name}_KEY_FILE: the file it names cannot be read", cli.Notes.ToString(), StringComparison.Ordinal);

        await File.WriteAllTextAsync(key, "hunter2\n");
        Assert.Contains("valid", await cli.DoAsync("config", "check", "--config", config), StringComparison.Ordinal);
        Assert.Empty(cli.Notes.ToString()); // it is read, whatever it is called
    }

    [Fact]
    public void A_named_file_counts_as_any_other_and_is_read_once()
    {
        var file = Path.Combine(_folder.Path, "key");
        File.WriteAllText(file, "from-a-file\n");
        var variables = Read("FOO_KEY_FILE", file).Variables;
        Assert.Equal("from-a-file", variables.GetNamed("FOO_KEY"));
        File.WriteAllText(file, "another");
        Assert.Equal("from-a-file", variables.GetNamed("FOO_KEY"));
        Assert.Null(variables.Get("FOO_KEY"));
        Assert.Null(variables.GetNamed("BAR_KEY"));

        File.WriteAllText(Path.Combine(_folder.Path, ".env"), $"FOO_KEY_FILE={file}");
        Assert.Equal("given", Read("FOO_KEY", "given").Variables.GetNamed("FOO_KEY"));
    }

    [Fact]
    public void All_that_the_program_reads_are_known()
    {
        var read = from file in Sources.Product
                   where file.Name != "OwnVariables.cs"
                   from token in file.Root.DescendantTokens()
                   where token.IsKind(SyntaxKind.StringLiteralToken) && WholeName().IsMatch(token.ValueText)
                   select token.ValueText;
        var names = read.ToHashSet(StringComparer.Ordinal);
        Assert.Empty(names.Except(Known));
        Assert.Empty(OwnVariables.Read.Except(names));
    }

    [Fact]
    public void All_that_compose_and_scripts_read_are_known()
    {
        var texts = Directory.EnumerateFiles(Repository.PathOf("deploy"), "*", SearchOption.AllDirectories).Append(Repository.PathOf("rootmas")).Select(File.ReadAllText);
        var names = texts.SelectMany(static t => Reference().Matches(t).Select(static m => m.Groups["name"].Value)).ToHashSet(StringComparer.Ordinal);
        Assert.Contains("ROOTMAS_EDGE_SUBNET", names);
        Assert.Empty(names.Except(Known));
        Assert.Empty(OwnVariables.OfScripts.Except(names));
    }

    private SettingsTree Read(string name, string value) => SettingsTree.Read(new ServerArguments
    {
        WorkingDirectory = _folder.Path,
        Environment = new Dictionary<string, string>(StringComparer.Ordinal) { [name] = value },
    });

    [GeneratedRegex("^ROOTMAS_[A-Z][A-Z_]*$", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex WholeName();

    [GeneratedRegex(@"\$\{?(?<name>ROOTMAS_[A-Z][A-Z_]*)", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Reference();
}
