namespace RootMas.Server.Platform.Settings;

/// <param name="Key"><c>Section:Key</c>.</param>
/// <param name="Type">For people: <c>integer</c>, <c>duration</c>.</param>
/// <param name="Legal">What is allowed, or empty.</param>
/// <param name="Default">As it would be written in a file; a secret's default is empty.</param>
/// <param name="Current">As it is now; a secret is <c>***</c>.</param>
/// <param name="Source">Where the current value came from.</param>
public sealed record Setting(string Key, string Type, string Legal, string Default, string Current, string Source)
{
    /// <summary>A secret's value, to tell whether it changed; null: not a secret. Not public, so no report and no log shows it.</summary>
    internal string? Secret { get; init; }
}

/// <summary>One slice's settings: the bound record, and each setting for printing and documentation.</summary>
public sealed record SettingsSection(string Name, object Bound, IReadOnlyList<Setting> Settings)
{
    /// <summary>A key of this section, or an element of one of its lists and tables.</summary>
    public bool Knows(string key)
    {
        foreach (var setting in Settings)
        {
            if (key.Equals(setting.Key, StringComparison.OrdinalIgnoreCase) || IsBelow(setting, key))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsBelow(Setting setting, string key) =>
        setting.Type.StartsWith("list of", StringComparison.Ordinal)
            ? SettingsValues.ItemNumber(setting.Key, key) is not null
            : setting.Type.StartsWith("table of", StringComparison.Ordinal) && key.StartsWith(setting.Key + ":", StringComparison.OrdinalIgnoreCase);
}

/// <summary>The value is never shown: <c>config print</c> writes <c>***</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SecretAttribute : Attribute;
