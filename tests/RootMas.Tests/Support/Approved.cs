using System.Text;

namespace RootMas.Tests.Support;

/// <summary>Whole surfaces kept as text in the repository. <c>ROOTMAS_APPROVE=1 dotnet test</c> writes them anew; the difference is then seen in review.</summary>
public static class Approved
{
    public static bool IsWanted { get; } = Environment.GetEnvironmentVariable("ROOTMAS_APPROVE") == "1";

    /// <summary>A part of a page that is generated: between <c>&lt;!-- name --&gt;</c> and <c>&lt;!-- /name --&gt;</c>.</summary>
    public static void MatchesBlock(string relativePath, string name, string actual)
    {
        var page = File.ReadAllText(Repository.PathOf(relativePath));
        var (begin, end) = ($"<!-- {name} -->\n", $"<!-- /{name} -->");
        var start = page.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        Matches(relativePath, string.Concat(page.AsSpan(0, start), actual, page.AsSpan(page.IndexOf(end, start, StringComparison.Ordinal))));
    }

    public static void Matches(string relativePath, string actual)
    {
        var path = Repository.PathOf(relativePath);
        if (IsWanted)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual, new UTF8Encoding(false));
            return;
        }

        var known = File.Exists(path) ? File.ReadAllText(path) : "";
        if (known == actual)
        {
            return;
        }

        var (was, now) = (known.Split('\n'), actual.Split('\n'));
        var gone = was.Except(now).Take(20).Select(l => "- " + l);
        var added = now.Except(was).Take(20).Select(l => "+ " + l);
        Assert.Fail($"{relativePath} is not current. If the change is meant: ROOTMAS_APPROVE=1 dotnet test tests/RootMas.Tests --filter FullyQualifiedName~Architecture\n{string.Join('\n', gone.Concat(added))}");
    }
}
