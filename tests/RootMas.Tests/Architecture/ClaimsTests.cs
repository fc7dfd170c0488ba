using RootMas.Tests.Support;

namespace RootMas.Tests.Architecture;

/// <summary>docs/claims.md tells the truth.</summary>
public sealed class ClaimsTests
{
    [Fact]
    public void Every_due_claim_has_a_file_and_a_test_that_exist()
    {
        var problems = new List<string>();
        foreach (var (number, madeBy, provedBy) in Rows())
        {
            if (madeBy.StartsWith("due with issue ", StringComparison.Ordinal))
            {
                continue;
            }

            if (!File.Exists(Repository.PathOf(madeBy)))
            {
                problems.Add($"{number}: there is no file {madeBy}");
            }

            if (!TestExists(provedBy))
            {
                problems.Add($"{number}: there is no test {provedBy}");
            }
        }

        Assert.True(problems.Count == 0, string.Join('\n', problems));
    }

    [Fact]
    public void All_47_claims_are_listed() => Assert.Equal(Enumerable.Range(1, 47).Select(n => $"R{n}"), Rows().Select(r => r.Number));

    private static List<(string Number, string MadeBy, string ProvedBy)> Rows() =>
    [
        .. from line in File.ReadLines(Repository.PathOf("docs/claims.md"))
           where line.StartsWith("| R", StringComparison.Ordinal)
           let cells = line.Split('|').Select(c => c.Trim().Trim('`')).ToArray()
           select (cells[1], cells[3], cells[4]),
    ];

    private static bool TestExists(string name) =>
        name.Split('.') is [var type, var method] && typeof(ClaimsTests).Assembly.GetTypes().Where(t => t.Name == type)
            .Any(t => t.GetMethod(method)?.GetCustomAttributes(typeof(FactAttribute), inherit: true).Length > 0);
}
