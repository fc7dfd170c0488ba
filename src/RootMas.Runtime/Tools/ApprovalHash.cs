using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;

namespace RootMas.Runtime.Tools;

/// <summary>What a person approves, as a hash (DESIGN §4.9): the executor computes it again from what it is about to run, and runs nothing else.</summary>
public static class ApprovalHash
{
    /// <summary>
    /// SHA-256 (lower-case hex) of the RFC 8785 form of
    /// <c>{run, call, tool, tool_version, agent, user, target_origin, credential_reference, arguments}</c>; what is absent is null.
    /// </summary>
    /// <exception cref="JsonException">The arguments have no canonical form.</exception>
    public static string Compute(string run, int call, string tool, string toolVersion, string agent, string user, string? targetOrigin, string? credentialReference, JsonElement arguments)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("run", run);
            writer.WriteNumber("call", call);
            writer.WriteString("tool", tool);
            writer.WriteString("tool_version", toolVersion);
            writer.WriteString("agent", agent);
            writer.WriteString("user", user);
            writer.WriteString("target_origin", targetOrigin);
            writer.WriteString("credential_reference", credentialReference);
            writer.WritePropertyName("arguments");
            arguments.WriteTo(writer);
            writer.WriteEndObject();
        }

        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        return Convert.ToHexStringLower(SHA256.HashData(CanonicalJson.Serialize(document.RootElement)));
    }
}
