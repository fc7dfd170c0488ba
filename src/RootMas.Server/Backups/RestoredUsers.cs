using System.Data.Common;
using System.Globalization;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>A user, as far as a backup may give back what was taken from them.</summary>
internal sealed record UserStanding(string Id, string Name, string Role, bool IsDisabled, long? PasswordChangedAt)
{
    /// <summary>Of a table that stands behind it. Not the hash: a login may make the same password a stronger one.</summary>
    public const string Select = "SELECT id, username, role, disabled_at, password_changed_at FROM ";

    public static UserStanding Read(DbDataReader row) => new(row.GetString(0), row.GetString(1), row.GetString(2), !row.IsDBNull(3), row.Int64OrNull(4));
}

/// <summary>Whoever was erased, disabled or demoted since the backup is there again as they were. What the backup replaced knows who that is.</summary>
internal static class RestoredUsers
{
    private const int MostNamed = 20;

    /// <returns>For people; null: nobody's standing was changed, or nobody can tell, because what was replaced is not what the backup's database became.</returns>
    public static string? Note(BackupManifest manifest, Replaced? replaced, IEnumerable<UserStanding> restored)
    {
        if (replaced is not { Users: { } users } || replaced.Installation != manifest.Database.Installation || replaced.AuditEnd < EndOf(manifest.Database.AuditHead))
        {
            return null;
        }

        var later = users.ToDictionary(static u => u.Id, StringComparer.Ordinal);
        var changed = restored.Select(u => (u.Name, What: string.Join(", ", Since(u, later.GetValueOrDefault(u.Id))))).Where(static c => c.What.Length > 0).OrderBy(static c => c.Name, StringComparer.Ordinal).ToList();
        if (changed.Count == 0)
        {
            return null;
        }

        var more = changed.Count > MostNamed ? string.Create(CultureInfo.InvariantCulture, $" and {changed.Count - MostNamed} more") : "";
        return $"In what was replaced these users were not what they are again now: {string.Join("; ", changed.Take(MostNamed).Select(static c => $"{c.Name} ({c.What})"))}{more}. Do it again before others reach the server: 'rootmas users'.";
    }

    private static IEnumerable<string> Since(UserStanding then, UserStanding? later)
    {
        if (later is null)
        {
            yield return "erased";
            yield break;
        }

        if (later.IsDisabled && !then.IsDisabled)
        {
            yield return "disabled";
        }

        if (later.Role != then.Role)
        {
            yield return $"role {later.Role} instead of {then.Role}";
        }

        if (later.PasswordChangedAt != then.PasswordChangedAt)
        {
            yield return "another password";
        }
    }

    private static long EndOf(string? head) => head?.Split(':') is [var id, ..] ? long.Parse(id, CultureInfo.InvariantCulture) : 0;
}
