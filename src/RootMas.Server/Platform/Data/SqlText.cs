namespace RootMas.Server.Platform.Data;

/// <summary>One statement in both languages, for the few places where a single text cannot serve both.</summary>
public sealed record SqlText(string Sqlite, string Postgres)
{
    public string For(DatabaseKind kind) => kind == DatabaseKind.Postgres ? Postgres : Sqlite;
}

/// <summary>Where the two databases differ, side by side. Everything else is one text for both.</summary>
public static class SqlDialect
{
    /// <summary>
    /// A select whose rows stay as they are read until the transaction ends. SQLite has one writer, so that is always so; on PostgreSQL the rows are locked.
    /// Order, so that no two transactions wait for each other: a run before its parent, a run before its conversation.
    /// </summary>
    public static SqlText Held(string select, string? of = null) => new(select, $"{select} FOR NO KEY UPDATE{(of is null ? "" : " OF " + of)}");

    /// <summary>As <see cref="Held"/>, but several may hold the rows at once: only whoever would change or remove one waits, and is waited for.</summary>
    public static SqlText Standing(string select) => new(select, $"{select} FOR SHARE");

    /// <summary>A turn of its own for everybody of one <paramref name="key"/> (an expression), until the transaction ends: what is counted then is what is committed. SQLite has one writer.</summary>
    public static SqlText Turn(string of, string key) => new("SELECT 1", $"SELECT pg_advisory_xact_lock(hashtextextended('{of}:' || {key}, 0))");

    /// <summary>Whether <paramref name="column"/> is one of the texts in the JSON array <c>@name</c>.</summary>
    public static SqlText InList(string before, string column, string name, string after) => new(
        $"{before} {column} IN (SELECT value FROM json_each(@{name})) {after}",
        $"{before} {column} = ANY(ARRAY(SELECT json_array_elements_text(@{name}::json))) {after}");

    /// <summary>Keeps SQLite, which has no statistics, from choosing the index of <paramref name="column"/> where <paramref name="sql"/> says <c>{column}</c>; PostgreSQL knows better.</summary>
    public static SqlText NotByIndexOf(string column, string sql) => new(
        sql.Replace($"{{{column}}}", "+" + column, StringComparison.Ordinal), sql.Replace($"{{{column}}}", column, StringComparison.Ordinal));

    /// <summary>The UTC day, yyyy-MM-dd, of a column of microseconds, put where <paramref name="sql"/> says <c>{day}</c>.</summary>
    public static SqlText WithDay(string sql, string column) => new(
        sql.Replace("{day}", $"strftime('%Y-%m-%d', {column} / 1000000, 'unixepoch')", StringComparison.Ordinal),
        sql.Replace("{day}", $"to_char(to_timestamp({column} / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')", StringComparison.Ordinal));
}
