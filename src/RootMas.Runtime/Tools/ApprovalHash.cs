using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;

namespace RootMas.Runtime.Tools;

/// <summary>What a person approves, as a hash (DESIGN §4.9): the executor computes it again from what it is about to run, and runs nothing else.</summary>
public static class ApprovalHash
{
    /// <summary>
    /// SHA-256 (lower-case hex) of the RFC 8785 form of
    /// <c>{run, call, tool, tool_version, agent, user, target_origin, credential_reference, arguments}</c>; what is absent is null, and a number that a double would round stands as it was written.
    /// </summary>
    /// <exception cref="JsonException">The arguments have no canonical form.</exception>
    public static string Compute(string run, int call, string tool, string toolVersion, string agent, string user, string? targetOrigin, string? credentialReference, JsonElement arguments) =>
        Hash(CanonicalJson.SerializeExact(Form(run, call, tool, toolVersion, agent, user, targetOrigin, credentialReference, arguments)));

    /// <summary>The hash as it was before numbers were taken exactly, for what was approved then. It differs from <see cref="Compute"/> only where a number is rounded.</summary>
    /// <exception cref="JsonException">The arguments have no canonical form.</exception>
    public static string ComputeRounded(string run, int call, string tool, string toolVersion, string agent, string user, string? targetOrigin, string? credentialReference, JsonElement arguments) =>
        Hash(CanonicalJson.Serialize(Form(run, call, tool, toolVersion, agent, user, targetOrigin, credentialReference, arguments)));

    private static string Hash(byte[] form) => Convert.ToHexStringLower(SHA256.HashData(form));

    private static JsonElement Form(string run, int call, string tool, string toolVersion, string agent, string user, string? targetOrigin, string? credentialReference, JsonElement arguments)
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

        return JsonElement.Parse(buffer.WrittenSpan);
    }
}
