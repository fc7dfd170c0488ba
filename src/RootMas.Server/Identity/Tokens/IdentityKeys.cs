using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Identity.Tokens;

/// <summary>The keys of identity beside the one that signs: given by settings, or made at the first start.</summary>
public sealed class IdentityKeys(KeyRing keys)
{
    internal const string PepperName = "pepper";
    internal const string RefreshName = "refresh";

    /// <summary>Goes into password hashes, so that a stolen database alone is worth nothing.</summary>
    public byte[] Pepper => keys.Get(PepperName);

    /// <summary>Derives refresh tokens from those before them.</summary>
    public byte[] Refresh => keys.Get(RefreshName);

    /// <summary>Makes those that are not there; a key that others may read stops the start.</summary>
    internal void Load() => _ = (Pepper, Refresh);
}
