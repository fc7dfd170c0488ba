using System.Text.Json;
using RootMas.Runtime.Tools;

namespace RootMas.Server.Tools;

/// <summary>Reads arguments that already fit their schema; an absent one and null are the same.</summary>
internal static class ToolArguments
{
    public static string Text(this JsonElement arguments, string name) => arguments.TextOrNull(name) ?? "";

    public static string? TextOrNull(this JsonElement arguments, string name) =>
        arguments.ValueKind == JsonValueKind.Object && arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public static int Integer(this JsonElement arguments, string name, int otherwise) =>
        arguments.TryGetProperty(name, out var value) ? SchemaValue.Integer(value) ?? otherwise : otherwise;
}
