using RootMas.Server.Identity.Secrets;

namespace RootMas.Server.Tools.Web;

/// <summary>The credentials that http_request may name: those of the settings, and secrets of the same form that administrators entered.</summary>
internal sealed class HttpCredentials(HttpToolOptions options, SecretVault? vault)
{
    private readonly Dictionary<string, HttpCredential> _fixed =
        options.Credentials.Select(static c => HttpCredential.Parse(c.Key, c.Value)).OfType<HttpCredential>().ToDictionary(static c => c.Name, StringComparer.Ordinal);

    /// <summary>Changes when <see cref="All"/> may have.</summary>
    public int Version => vault?.Version ?? 0;

    public IReadOnlyList<HttpCredential> All => [.. _fixed.Values, .. (vault?.Names ?? []).Where(n => !_fixed.ContainsKey(n)).Order(StringComparer.Ordinal).Select(OfSecret).OfType<HttpCredential>()];

    public HttpCredential? Find(string name) => _fixed.GetValueOrDefault(name) ?? OfSecret(name);

    /// <summary>For the list of secrets.</summary>
    public IEnumerable<string> UsesOf(string secret) => !_fixed.ContainsKey(secret) && OfSecret(secret) is { } credential ? [$"http_request for {credential.Prefix}"] : [];

    /// <summary>Null: there is no such secret, or it is a key for something else.</summary>
    private HttpCredential? OfSecret(string name) => vault?.Find(name) is { } value ? HttpCredential.Parse(name, value) : null;
}
