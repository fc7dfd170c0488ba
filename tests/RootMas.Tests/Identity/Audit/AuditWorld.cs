using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Audit;

/// <summary>What tests ask of the audit log over HTTP.</summary>
internal static class AuditWorld
{
    public static async Task<List<JsonElement>> AuditAsync(this TestApp app, string query = "") =>
        [.. (await app.GetJsonAsync("/api/v1/audit?limit=200" + query)).GetProperty("items").EnumerateArray()];

    /// <summary>Rows that were not there when <paramref name="before"/> was read, oldest first.</summary>
    public static async Task<List<JsonElement>> NewRowsAsync(this TestApp app, long before) =>
        [.. (await app.AuditAsync()).Where(r => NumberOf(r) > before).Reverse()];

    public static async Task<long> LastRowAsync(this TestApp app) => (await app.AuditAsync()) is [var newest, ..] ? NumberOf(newest) : 0;

    public static string Text(this JsonElement row, string name) => row.GetProperty(name).GetString() ?? "";

    public static long NumberOf(JsonElement row) => long.Parse(row.Text("id"), System.Globalization.CultureInfo.InvariantCulture);
}
