using System.Globalization;

namespace RootMas.Benchmarks;

/// <summary>Processes and what descends from them, as Linux shows them. A program that is started is seldom alone: PostgreSQL has a process for each connection, a broker is a script with a machine under it.</summary>
internal static class ProcessTree
{
    /// <summary>Those that live of the given ones, and all that descend from them.</summary>
    public static IReadOnlyList<int> Of(IEnumerable<int> roots) => [.. Members(roots).Where(static m => !m.HasEnded).Select(static m => m.Pid)];

    /// <summary>Processor time so far of the given ones and of all that descend from them, those included that have ended: it counts for the parent that noticed.</summary>
    public static TimeSpan CpuOf(params IEnumerable<int> roots) => TimeSpan.FromSeconds(Members(roots).Sum(static m => m.Ticks) / Machine.TicksPerSecond);

    /// <summary>Processes whose environment has the text, whoever their parent is: what goes into the background leaves the tree.</summary>
    public static IReadOnlyList<int> With(string environment) => [.. All().Where(m => !m.HasEnded && Read(m.Pid, "environ")?.Contains(environment, StringComparison.Ordinal) == true).Select(static m => m.Pid)];

    private static List<Member> Members(IEnumerable<int> roots)
    {
        var all = All();
        var children = all.ToLookup(static m => m.Parent);
        var waiting = new Queue<Member>(all.IntersectBy(roots, static m => m.Pid));
        var (found, seen) = (new List<Member>(), new HashSet<int>());
        while (waiting.TryDequeue(out var member))
        {
            if (seen.Add(member.Pid))
            {
                found.Add(member);
                foreach (var child in children[member.Pid])
                {
                    waiting.Enqueue(child);
                }
            }
        }

        return found;
    }

    private static List<Member> All()
    {
        var all = new List<Member>();
        foreach (var folder in Directory.Exists("/proc") ? Directory.EnumerateDirectories("/proc") : [])
        {
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var pid) && Read(pid, "stat") is { } stat && Parse(pid, stat) is { } member)
            {
                all.Add(member);
            }
        }

        return all;
    }

    /// <summary>State, parent, and the time that it used and that its ended children used; what stands before is its name, in which anything can stand.</summary>
    private static Member? Parse(int pid, string stat)
    {
        var fields = stat[(stat.LastIndexOf(')') + 1)..].TrimStart().Split(' ');
        return fields.Length < 15
            ? null
            : new Member(pid, int.Parse(fields[1], CultureInfo.InvariantCulture), fields[0] is "Z" or "X", fields[11..15].Sum(static f => double.Parse(f, CultureInfo.InvariantCulture)));
    }

    private static string? Read(int pid, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/{file}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // ended meanwhile, or somebody else's
        }
    }

    private sealed record Member(int Pid, int Parent, bool HasEnded, double Ticks);
}
