using System.Text.Json.Nodes;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity.Audit;

/// <summary>The settings that the last start saw. What differs at this start becomes one row: names, old and new values; of secrets only that they changed.</summary>
internal sealed class SeenSettings(AuditLog log, AuditKey key)
{
    /// <summary>Of one machine: where instances share a database they differ, and nobody changed them.</summary>
    private static readonly string[] OfInstance = ["Server:Urls", "Server:Data", "Server:Config"];

    public async ValueTask CompareAsync(DbSession session, SettingsTree tree)
    {
        var ofInstance = session.Kind == DatabaseKind.Postgres ? OfInstance : [];
        var now = tree.Sections.SelectMany(s => s.Settings).Where(s => !ofInstance.Contains(s.Key, StringComparer.Ordinal)).ToDictionary(s => s.Key, s => s.Secret is null ? s.Current : key.Conceal(s.Key, s.Secret), StringComparer.Ordinal);
        var seen = (await session.Prepared("select name, value from settings_seen").ListAsync(static row => (row.GetString(0), row.GetString(1)))).ToDictionary(StringComparer.Ordinal);
        var changed = now.Keys.Union(seen.Keys, StringComparer.Ordinal).Where(k => now.GetValueOrDefault(k) != seen.GetValueOrDefault(k)).Order(StringComparer.Ordinal).ToList();
        foreach (var name in changed)
        {
            await SaveAsync(session, name, now.GetValueOrDefault(name));
        }

        // At the very first start everything is new, and a program with more settings than the last one is no change by a person.
        var told = changed.Where(k => seen.ContainsKey(k) && now.ContainsKey(k)).ToList();
        if (told.Count > 0)
        {
            await log.AppendAsync(session, new AuditEntry
            {
                Action = "settings.change", TargetKind = "setting", TargetId = told.Count == 1 ? told[0] : "(several)", Before = Values(told, seen), After = Values(told, now),
            });
        }
    }

    private static async ValueTask SaveAsync(DbSession session, string name, string? value)
    {
        if (value is null)
        {
            await session.Prepared("delete from settings_seen where name = @name").Set("name", name).RunAsync();
        }
        else
        {
            await session.Prepared("insert into settings_seen (name, value) values (@name, @value) on conflict (name) do update set value = @value").Set("name", name).Set("value", value).RunAsync();
        }
    }

    private static JsonObject Values(List<string> names, Dictionary<string, string> values) => new(names.Select(n => KeyValuePair.Create<string, JsonNode?>(n, values[n])));
}
