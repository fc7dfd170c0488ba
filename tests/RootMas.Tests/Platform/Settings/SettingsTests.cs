using System.ComponentModel.DataAnnotations;
using RootMas.Server;
using RootMas.Server.Platform.Settings;

namespace RootMas.Tests.Platform.Settings;

public sealed record SampleOptions
{
    /// <summary>Text.</summary>
    public string Text { get; init; } = "a";

    [Range(1, 10)]
    public int Number { get; init; } = 5;

    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(30);

    [Secret]
    public string Password { get; init; } = "";

    public IReadOnlyList<string> Names { get; init; } = [];

    public IReadOnlyDictionary<string, string> Table { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public DayOfWeek Day { get; init; } = DayOfWeek.Monday;

    public InnerOptions Inner { get; init; } = new();

    public sealed record InnerOptions
    {
        public bool On { get; init; }

        public double Share { get; init; } = 0.5;
    }
}

public sealed class SettingsTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("rootmas-settings-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Each_source_wins_over_the_one_below_it()
    {
        Directory.CreateDirectory(Path.Combine(_root, "config"));
        string[] keys = ["A", "B", "C", "D", "E", "F"];
        Write("config/settings.yaml", "sample:\n  table:\n" + string.Concat(keys[1..].Select(k => $"    {k}: yaml\n")));
        Write("appsettings.json", "{\"Sample\":{\"Table\":{\"C\":\"json\",\"D\":\"json\",\"E\":\"json\",\"F\":\"json\"}}}");
        Write(".env", "ROOTMAS__Sample__Table__D='dotenv'\nexport ROOTMAS__Sample__Table__E=dotenv\n# a comment\n\nROOTMAS__Sample__Table__F=dotenv");
        var tree = Read(new() { ["ROOTMAS__Sample__Table__E"] = "env", ["ROOTMAS__Sample__Table__F"] = "env" }, new() { ["Sample:Table:F"] = "args" });
        var table = tree.Take<SampleOptions>("Sample").Table;
        Assert.Equal(["yaml", "json", "dotenv", "env", "args"], keys[1..].Select(k => table[k]));
        Assert.Empty(tree.Problems);
    }

    [Fact]
    public void All_types_are_read()
    {
        var tree = Read(new()
        {
            ["ROOTMAS__Sample__Number"] = "7", ["ROOTMAS__Sample__Wait"] = "1.5m", ["ROOTMAS__Sample__Names"] = "a; b", ["ROOTMAS__Sample__Day"] = "friday",
            ["ROOTMAS__Sample__Inner__On"] = "true", ["ROOTMAS__Sample__Inner__Share"] = "0.25",
        });
        var options = tree.Take<SampleOptions>("Sample");
        Assert.Empty(tree.Problems);
        Assert.Equal((7, TimeSpan.FromSeconds(90), DayOfWeek.Friday, true, 0.25), (options.Number, options.Wait, options.Day, options.Inner.On, options.Inner.Share));
        Assert.Equal(["a", "b"], options.Names);
    }

    [Fact]
    public void All_problems_are_listed_at_once_with_key_source_and_legal_values()
    {
        var tree = Read(
            new()
            {
                ["ROOTMAS__Sample__Number"] = "11", ["ROOTMAS__Sample__Wait"] = "soon", ["ROOTMAS__Sample__Day"] = "Noday",
                ["ROOTMAS__Sample__Nmber"] = "1", ["ROOTMAS__Other__X"] = "1", ["ROOTMAS__Sample__Inner__Share"] = "NaN",
            },
            new() { ["Sample:Inner:On"] = "yes" });
        tree.Take<SampleOptions>("Sample");
        var problems = tree.Problems;
        Assert.Equal(7, problems.Count);
        Assert.Contains(problems, p => p.StartsWith("Sample:Number (environment)", StringComparison.Ordinal) && p.Contains("1 to 10", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.StartsWith("Sample:Wait (environment): 'soon' is not a duration", StringComparison.Ordinal) && p.Contains("1s to 1h", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.StartsWith("Sample:Day", StringComparison.Ordinal) && p.Contains("Sunday | Monday", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.StartsWith("Sample:Nmber (environment): unknown setting; Sample has Text, Number", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.StartsWith("Other:X (environment): unknown setting; sections are Sample", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.StartsWith("Sample:Inner:Share", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.StartsWith("Sample:Inner:On (command line): 'yes' is not true or false", StringComparison.Ordinal));
        Assert.Throws<SettingsException>(tree.ThrowIfInvalid);
    }

    [Fact]
    public void A_secret_can_come_from_a_file_and_is_never_shown()
    {
        Write("password", "hunter2\n");
        var tree = Read(new() { ["ROOTMAS__Sample__Password_FILE"] = Path.Combine(_root, "password") });
        Assert.Equal("hunter2", tree.Take<SampleOptions>("Sample").Password);
        Assert.DoesNotContain("hunter2", SettingsReport.Print(tree), StringComparison.Ordinal);
        Assert.Contains("Sample:Password = *** (file)", SettingsReport.Print(tree), StringComparison.Ordinal);
    }

    [Fact]
    public void A_secret_file_that_is_not_there_is_a_problem()
    {
        var tree = Read(new() { ["ROOTMAS__Sample__Password_FILE"] = Path.Combine(_root, "none") });
        tree.Take<SampleOptions>("Sample");
        Assert.Contains("ROOTMAS__Sample__Password_FILE", Assert.Single(tree.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Broken_files_are_problems_and_not_crashes()
    {
        Directory.CreateDirectory(Path.Combine(_root, "config"));
        Write("config/settings.yaml", "a: [");
        Write("appsettings.json", "{");
        Write(".env", "what");
        Assert.Equal(3, Read([]).Problems.Count);
    }

    [Fact]
    public async Task A_start_with_wrong_settings_ends_with_code_2()
    {
        var code = await ServerHost.RunAsync(new ServerArguments { Urls = "http://0.0.0.0:1", WorkingDirectory = _root, Environment = new Dictionary<string, string>(StringComparer.Ordinal) });
        Assert.Equal(2, code);
    }

    private SettingsTree Read(Dictionary<string, string> environment, Dictionary<string, string>? settings = null) =>
        SettingsTree.Read(new ServerArguments { WorkingDirectory = _root, Environment = environment, Settings = settings ?? [] });

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_root, name), text);
}
