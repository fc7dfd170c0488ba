using System.Text.RegularExpressions;

namespace RootMas.Server.Platform.Settings;

/// <summary>
/// Variables of ours with names of their own, not of the form <c>ROOTMAS__Section__Key</c>, and those that only look like one: nobody would read them, and nobody would say so.
/// They are noted and not refused, for others make such names too.
/// </summary>
internal static partial class OwnVariables
{
    private const string Prefix = "ROOTMAS_";
    private const string SettingPrefix = "ROOTMAS__";
    private const string Urls = "ROOTMAS_URLS";

    /// <summary>Those that the program reads. A test finds them in the sources.</summary>
    public static readonly string[] Read =
    [
        Urls, "ROOTMAS_DATA", "ROOTMAS_CONFIG", "ROOTMAS_ENVIRONMENT", "ROOTMAS_SERVER", "ROOTMAS_API_KEY", "ROOTMAS_MASTER_KEY", "ROOTMAS_PREVIOUS_MASTER_KEY", "ROOTMAS_BACKUP_KEY",
        "ROOTMAS_ADMIN_USERNAME", "ROOTMAS_ADMIN_PASSWORD", "ROOTMAS_ADMIN_SECRET",
    ];

    /// <summary>Those that stand beside them in the same file, for compose and the scripts that we ship. A test finds them there.</summary>
    public static readonly string[] OfScripts =
    [
        "ROOTMAS_SIZE", "ROOTMAS_DOMAIN", "ROOTMAS_EDGE_SUBNET", "ROOTMAS_HTTP_PORT", "ROOTMAS_HTTPS_PORT", "ROOTMAS_IMAGE", "ROOTMAS_TAG", "ROOTMAS_SMOKE_QUESTION", "ROOTMAS_SMOKE_SECONDS",
        "ROOTMAS_BUILD", "ROOTMAS_VERSION", "ROOTMAS_RID", "ROOTMAS_UPSTREAM", "ROOTMAS_UPSTREAM_PORT",
    ];

    /// <summary>Of another prefix; the program asks for them itself, whatever models.yaml names.</summary>
    private static readonly string[] Providers = ["OPENAI_API_KEY", "OPENAI_BASE_URL"];

    /// <summary>What other servers call it, and too far from our name to be found by its letters.</summary>
    private static readonly string[] Addresses = ["PORT", "HOST", "ADDRESS", "LISTEN", "BIND"];

    /// <summary>Whether a file that <c>NAME_FILE</c> names may be opened for it without being asked. It is not enough that a name looks like ours: what nobody reads refuses no start.</summary>
    public static bool IsOurs(string name) =>
        Read.Contains(name, StringComparer.Ordinal) || name.StartsWith(SettingPrefix, StringComparison.Ordinal) || Providers.Contains(name, StringComparer.Ordinal);

    /// <summary>A line for each that begins as ours do and that nobody reads. Complete once the files that name variables were read.</summary>
    /// <param name="settings">All keys, <c>Section:Key</c>.</param>
    public static IEnumerable<string> Unread(Variables variables, IEnumerable<string> settings)
    {
        var unread = variables.Names.Where(n => variables.Get(n) is { } value && IsUnread(n, value) && !variables.IsNamed(n)).Order(StringComparer.Ordinal).ToList();
        return unread.Count == 0 ? [] : Notes();

        IEnumerable<string> Notes()
        {
            string[] values = [.. Read, .. settings.Select(static k => SettingPrefix + k.Replace(":", "__", StringComparison.Ordinal))];
            string[] names = [.. values, .. values.Select(static n => n + Variables.FileSuffix)];
            return unread.Select(n => $"{n} ({variables.SourceOf(n)}): nothing reads a variable of this name, so it changes nothing. {Hint(n, names)}");
        }
    }

    private static bool IsUnread(string name, string value) =>
        name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && !name.StartsWith(SettingPrefix, StringComparison.OrdinalIgnoreCase)
        && !Read.Contains(name, StringComparer.Ordinal) && !OfScripts.Contains(name, StringComparer.Ordinal) && !IsOfKubernetes(name, value);

    /// <summary>Kubernetes tells each pod of every service beside it: one that is called <c>rootmas</c> is <c>ROOTMAS_PORT=tcp://10.0.0.1:8000</c> and more there.</summary>
    private static bool IsOfKubernetes(string name, string value) =>
        ServiceLink().IsMatch(name) || (name.EndsWith("_PORT", StringComparison.Ordinal) && ServiceAddress().IsMatch(value));

    private static string Hint(string name, string[] names)
    {
        var letters = Letters(name);
        if (Addresses.Contains(letters, StringComparer.Ordinal))
        {
            return $"Did you mean {Urls}, as in {Urls}=http://127.0.0.1:8000?";
        }

        var (nearest, distance) = names.Select(n => (Name: n, Distance: Spelling.Distance(letters, Letters(n)))).MinBy(static n => n.Distance);
        return distance * 3 <= letters.Length ? $"Did you mean {nearest}?" : "docs/configuration.md lists those that there are.";
    }

    /// <summary>What is compared: people mistake underscores and capitals more often than letters.</summary>
    private static string Letters(string name) => name[Prefix.Length..].Replace("_", "", StringComparison.Ordinal).ToUpperInvariant();

    [GeneratedRegex("^[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex ServiceLink();

    [GeneratedRegex("^(tcp|udp|sctp)://", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex ServiceAddress();
}
