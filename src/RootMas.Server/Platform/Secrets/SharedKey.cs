using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Secrets;

/// <summary>A key that everything in one database was made with, so all instances must have the same. Slices register theirs.</summary>
/// <param name="Name">Also the name of its file in <c>&lt;data&gt;/keys</c>.</param>
/// <param name="Setting">Where an operator can give it.</param>
/// <param name="Given">What the operator gave; null: nothing.</param>
public sealed record SharedKey(string Name, string Setting, byte[]? Given)
{
    /// <summary>SQL that tells whether something was made with this key already: its id, or an empty text where rows do not name it; no row: nothing was.</summary>
    public string? MadeWith { get; init; }

    /// <summary>The given key before this one: where it is the recorded one, the new one takes its place.</summary>
    public byte[]? Before { get; init; }

    /// <summary>Keys that did its work before there was a row for it. What they made its user makes anew.</summary>
    public IReadOnlyList<byte[]> Earlier { get; init; } = [];

    /// <summary>There is none unless it is given (then others are used in its place), but all instances must be given the same.</summary>
    public bool OnlyIfGiven { get; init; }

    /// <summary>The operator says that it is lost.</summary>
    public bool MayBeReplaced { get; init; }
}

/// <summary>What wraps the keys in the database: the operator's <c>ROOTMAS_MASTER_KEY</c>, and the one before it while it is being changed.</summary>
public sealed record MasterKeys(byte[]? Current, byte[]? Previous)
{
    public const string Variable = "ROOTMAS_MASTER_KEY";
    public const string PreviousVariable = "ROOTMAS_PREVIOUS_MASTER_KEY";

    /// <summary>Its row, and its file where the operator gives none.</summary>
    public const string Name = "master";

    /// <summary>Those that there are.</summary>
    internal IReadOnlyList<byte[]> All
    {
        get
        {
            byte[]?[] both = [Current, Previous];
            return [.. both.OfType<byte[]>()];
        }
    }

    public static MasterKeys Read(Settings.Variables variables)
    {
        ArgumentNullException.ThrowIfNull(variables);
        return new(KeyFile.Parse(variables.Get(Variable) ?? ""), KeyFile.Parse(variables.Get(PreviousVariable) ?? ""));
    }
}

/// <summary>Keys that instances share. Section <c>Keys</c>.</summary>
public sealed record KeysOptions
{
    /// <summary>Names of keys (master, pepper, refresh, audit.key, secrets.key, idempotency, signing) that are lost: this start, once, makes new ones or takes the ones given here. What was made with the old ones is void. Take the setting away afterwards.</summary>
    [Required]
    public IReadOnlyList<string> Replace { get; init; } = [];
}

/// <summary>Where this instance can have its keys from.</summary>
internal sealed record KeySources(IReadOnlyList<SharedKey> Declared, MasterKeys Masters, IReadOnlyList<string> Replaced, DataDirectoryKeys Files)
{
    public bool MayReplace(SharedKey key) => key.MayBeReplaced || MayReplace(key.Name);

    public bool MayReplace(string name) => Replaced.Contains(name, StringComparer.Ordinal);
}

/// <summary>The files of <c>&lt;data&gt;/keys</c>.</summary>
internal sealed class DataDirectoryKeys(Data.DataDirectory data)
{
    public Data.DataDirectory Data { get; } = data;

    public string PathOf(string name) => KeyFile.PathOf(Data, name);

    /// <summary>Null: there is no such file.</summary>
    public byte[]? Find(string name) => File.Exists(PathOf(name)) ? KeyFile.Read(PathOf(name)) : null;
}
