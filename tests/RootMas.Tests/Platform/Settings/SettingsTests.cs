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
    public void A_file_wins_over_the_value_of_its_own_source_and_not_over_a_later_one()
    {
        Write("password", "from-a-file");
        var file = Path.Combine(_root, "password");
        Write(".env", $"ROOTMAS__Sample__Password_FILE={file}");
        Assert.Equal("given", Read(new() { ["ROOTMAS__Sample__Password"] = "given" }).Take<SampleOptions>("Sample").Password);
        Assert.Equal("from-a-file", Read([]).Take<SampleOptions>("Sample").Password);
        Write(".env", "ROOTMAS__Sample__Password=kept");
        Assert.Equal("from-a-file", Read(new() { ["ROOTMAS__Sample__Password_FILE"] = file }).Take<SampleOptions>("Sample").Password);
        Assert.Equal("from-a-file", Read(new() { ["ROOTMAS__Sample__Password_FILE"] = file, ["ROOTMAS__Sample__Password"] = "given" }).Take<SampleOptions>("Sample").Password);
    }

    [Fact]
    public void Comments_are_no_part_of_the_values_of_an_env_file()
    {
        Write(".env", """
            ROOTMAS__Sample__Table__A=sk-abc123   # prod key
            ROOTMAS__Sample__Table__B="https://a.example.org/#top"  # the "proxy"
            ROOTMAS__Sample__Table__C='two words # and this' # it's a comment
            ROOTMAS__Sample__Table__D=a#b
            ROOTMAS__Sample__Table__E= # nothing
            ROOTMAS__Sample__Table__F="say "it""
            """);
        var tree = Read([]);
        var table = tree.Take<SampleOptions>("Sample").Table;
        string[] keys = ["A", "B", "C", "D", "E", "F"];
        Assert.Equal(["sk-abc123", "https://a.example.org/#top", "two words # and this", "a#b", "", "say \"it\""], keys.Select(k => table[k]));
        Assert.Empty(tree.Problems);
    }

    [Fact]
    public void A_value_over_several_lines_is_a_problem_that_names_the_variable_and_shows_nothing_of_it()
    {
        Write(".env", "ROOTMAS__Sample__Password=\"-----BEGIN KEY\nc2VjcmV0=\n-----END KEY\" # the key\nROOTMAS__Sample__Text=after");
        var tree = Read([]);
        Assert.Equal("after", tree.Take<SampleOptions>("Sample").Text);
        var problem = Assert.Single(tree.Problems);
        Assert.StartsWith(".env line 1: the quote before the value of ROOTMAS__Sample__Password is not closed", problem, StringComparison.Ordinal);
        Assert.Contains("to line 3", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("c2V", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[y0, y1]", "", "Names__0=e0", "e0")]
    [InlineData("y0;y1", "", "Names__0=e0", "e0")]
    [InlineData("[y0, y1, y2]", "Names__0=d0 Names__1=d1", "Names__0=e0", "e0")]
    [InlineData("[y0, y1]", "Names=d0;d1", "", "d0;d1")]
    [InlineData("[y0, y1]", "Names__0=d0 Names__1=d1", "Names=e0", "e0")]
    [InlineData("[y0, y1]", "", "", "y0;y1")]
    public void A_list_comes_from_one_source(string yaml, string dotEnv, string environment, string expected)
    {
        Directory.CreateDirectory(Path.Combine(_root, "config"));
        Write("config/settings.yaml", $"sample:\n  names: {yaml}\n");
        Write(".env", string.Join('\n', dotEnv.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static d => "ROOTMAS__Sample__" + d)));
        var tree = Read(environment.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static e => e.Split('=', 2)).ToDictionary(static e => "ROOTMAS__Sample__" + e[0], static e => e[1], StringComparer.Ordinal));
        Assert.Equal(expected.Split(';'), tree.Take<SampleOptions>("Sample").Names);
        Assert.Empty(tree.Problems);
    }

    [Theory]
    [InlineData("Names__1=b", "Sample:Names (environment): there is an item 1 and no item 0;")]
    [InlineData("Names__0=a Names__2=c Names__3=d", "Sample:Names (environment): there is an item 2 and no item 1;")]
    [InlineData("Names=a Names__0=b", "Sample:Names (environment): item 0 stands beside a value for the whole list;")]
    [InlineData("Names__first=a", "Sample:Names:first (environment): unknown setting")]
    [InlineData("Names__00=a", "Sample:Names:00 (environment): unknown setting")]
    public void Items_that_would_not_count_are_problems(string environment, string expected)
    {
        var tree = Read(environment.Split(' ').Select(static e => e.Split('=', 2)).ToDictionary(static e => "ROOTMAS__Sample__" + e[0], static e => e[1], StringComparer.Ordinal));
        tree.Take<SampleOptions>("Sample");
        Assert.StartsWith(expected, Assert.Single(tree.Problems), StringComparison.Ordinal);
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

    [Theory]
    [InlineData("sample: hello", "sample (settings.yaml): is a section and takes no value of its own; put its settings on indented lines below it; Sample has Text, ")]
    [InlineData("sample:\n  inner: on", "sample:inner (settings.yaml): is a section and takes no value of its own; put its settings on indented lines below it; Sample has Text, ")]
    public void A_value_in_the_place_of_a_section_is_told_as_that(string yaml, string expected)
    {
        Directory.CreateDirectory(Path.Combine(_root, "config"));
        Write("config/settings.yaml", yaml);
        var tree = Read([]);
        tree.Take<SampleOptions>("Sample");
        Assert.StartsWith(expected, Assert.Single(tree.Problems), StringComparison.Ordinal);
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
