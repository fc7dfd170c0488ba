using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Identity.Tokens;

/// <summary>The keys of identity beside the one that signs: each of them given by a setting, or made at the first start in <c>&lt;data&gt;/keys</c>.</summary>
public sealed class IdentityKeys(IdentityOptions options, DataDirectory data)
{
    private readonly Lazy<byte[]> _pepper = new(() => Of(options.Pepper, data, "pepper"));
    private readonly Lazy<byte[]> _refresh = new(() => Of(options.RefreshKey, data, "refresh"));

    /// <summary>Goes into password hashes, so that a stolen database alone is worth nothing.</summary>
    public byte[] Pepper => _pepper.Value;

    /// <summary>Derives refresh tokens from those before them.</summary>
    public byte[] Refresh => _refresh.Value;

    /// <summary>Makes those that are not there; a key that others may read stops the start.</summary>
    internal void Load() => _ = (Pepper, Refresh);

    private static byte[] Of(string given, DataDirectory data, string name) => KeyFile.Parse(given) ?? KeyFile.ReadOrCreate(data, name);
}
