using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using RootMas.Server.Identity.Audit;

namespace RootMas.Server.Agents;

/// <summary>Rows for changes of agents and teams: the members that changed, before and after. Of prompts only length and hash: they are contents.</summary>
internal static class CatalogAudit
{
    private static readonly string[] Contents = ["instructions"];

    /// <param name="before">The definition in force, as JSON; null: there is none.</param>
    /// <param name="after">The definition that is stored; null: it goes.</param>
    public static AuditWrite Row(HttpContext context, CatalogKind kind, string name, OverrideState state, string? before, string? after)
    {
        var (old, now) = (Shown(before), Shown(after));
        var changed = old.Select(static p => p.Key).Union(now.Select(static p => p.Key), StringComparer.Ordinal).Where(k => !JsonNode.DeepEquals(old[k], now[k])).Order(StringComparer.Ordinal).ToList();
        var what = kind == CatalogKind.Agent ? "agent" : "team";
        var verb = state switch { OverrideState.Deleted => "delete", OverrideState.Reverted => "revert", _ when before is null => "create", _ => "replace" };
        return context.AuditRow(context.Audit($"{what}.{verb}") with
        {
            TargetKind = what,
            TargetId = name,
            Before = before is null ? null : Only(old, changed),
            After = after is null ? null : Only(now, changed),
        });
    }

    private static JsonObject Shown(string? json)
    {
        var members = json is null ? [] : JsonNode.Parse(json)!.AsObject();
        foreach (var name in Contents)
        {
            if (members[name] is JsonValue value && value.TryGetValue<string>(out var text))
            {
                members[name] = new JsonObject { ["characters"] = text.Length, ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))) };
            }
        }

        return members;
    }

    private static JsonObject Only(JsonObject members, IEnumerable<string> names) =>
        new(names.Where(members.ContainsKey).Select(n => KeyValuePair.Create(n, members[n]?.DeepClone())));
}
