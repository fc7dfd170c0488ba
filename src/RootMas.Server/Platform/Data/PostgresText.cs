using System.Collections.Concurrent;
using System.Text;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>Statements with their <c>@name</c>s numbered (<c>$1</c>), which the driver would else do at each run. Each text is looked through once.</summary>
internal sealed class PostgresText
{
    /// <summary>Texts are constants, but for a few that are put together from parts: nobody can make these endless.</summary>
    private const int MostKept = 4_000;
    private static readonly ConcurrentDictionary<string, PostgresText> Known = new(StringComparer.Ordinal);

    private readonly string numbered;
    private readonly string[] names;

    private PostgresText(string numbered, string[] names) => (this.numbered, this.names) = (numbered, names);

    /// <summary>The same statement as a part of a batch. Its parameters go over to that.</summary>
    public static NpgsqlBatchCommand Of(NpgsqlCommand command)
    {
        var text = Find(command.CommandText);
        var one = new NpgsqlBatchCommand(text.numbered);
        text.Move(Take(command.Parameters), one.Parameters);
        return one;
    }

    /// <summary>Before a statement runs by itself.</summary>
    public static void Number(NpgsqlCommand command)
    {
        var text = Find(command.CommandText);
        if (text.names.Length > 0)
        {
            command.CommandText = text.numbered;
            text.Move(Take(command.Parameters), command.Parameters);
        }
    }

    /// <summary>The text with numbers, and the name behind each; for tests.</summary>
    internal static (string Numbered, IReadOnlyList<string> Names) Look(string sql)
    {
        var text = Find(sql);
        return (text.numbered, text.names);
    }

    /// <summary>A parameter is in one collection at a time.</summary>
    private static NpgsqlParameter[] Take(NpgsqlParameterCollection parameters)
    {
        var taken = new NpgsqlParameter[parameters.Count];
        for (var i = 0; i < taken.Length; i++)
        {
            taken[i] = parameters[i];
        }

        parameters.Clear();
        return taken;
    }

    private void Move(NpgsqlParameter[] given, NpgsqlParameterCollection to)
    {
        foreach (var name in names)
        {
            to.Add(Array.Find(given, p => p.ParameterName == name) ?? throw new InvalidOperationException($"The parameter @{name} of a statement was not set."));
        }

        foreach (var parameter in given)
        {
            parameter.ParameterName = ""; // only now: it was looked for by its name
        }
    }

    private static PostgresText Find(string sql)
    {
        if (Known.TryGetValue(sql, out var known))
        {
            return known;
        }

        var made = Make(sql);
        return Known.Count < MostKept ? Known.GetOrAdd(sql, made) : made;
    }

    private static PostgresText Make(string sql)
    {
        var (text, names) = (new StringBuilder(sql.Length), new List<string>());
        for (var i = 0; i < sql.Length;)
        {
            var end = EndOfPart(sql, i);
            if (end - i > 1 && sql[i] == '@' && (i == 0 || sql[i - 1] != '@'))
            {
                text.Append('$').Append(NumberOf(sql[(i + 1)..end], names));
            }
            else
            {
                text.Append(sql, i, end - i);
            }

            i = end;
        }

        return new PostgresText(text.ToString(), [.. names]);
    }

    /// <summary>Behind a quoted text, a comment or an <c>@name</c> that begins here; else behind the character.</summary>
    private static int EndOfPart(string sql, int at)
    {
        var next = at + 1;
        switch (sql[at])
        {
            case '\'' or '"':
                return sql.IndexOf(sql[at], next) is var quote and >= 0 ? quote + 1 : sql.Length;
            case '-' when next < sql.Length && sql[next] == '-':
                return sql.IndexOf('\n', next) is var line and >= 0 ? line : sql.Length;
            case '@':
                while (next < sql.Length && IsOfName(sql[next]))
                {
                    next++;
                }

                return next;
            default:
                return next;
        }
    }

    private static int NumberOf(string name, List<string> names)
    {
        var at = names.IndexOf(name);
        if (at < 0)
        {
            names.Add(name);
            at = names.Count - 1;
        }

        return at + 1;
    }

    private static bool IsOfName(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';
}
