using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli.Doctor;

/// <summary>One thing that was looked at.</summary>
/// <param name="State">ok; note (works, but look at it); bad (does not work); fixed.</param>
/// <param name="Hint">What to do, when there is something to do.</param>
internal sealed record Finding(string What, string State, string Detail, string Hint = "")
{
    /// <summary>Repairs it, and is safe: nothing that anybody may still need is lost, nobody gets more rights. Null: a person has to decide.</summary>
    public Action? Fix { get; init; }

    public static Finding Ok(string what, string detail) => new(what, "ok", detail);

    public static Finding Note(string what, string detail, string hint) => new(what, "note", detail, hint);

    public static Finding Bad(string what, string detail, string hint) => new(what, "bad", detail, hint);
}

/// <summary>What the checks look at.</summary>
internal sealed record Patient(SettingsTree Tree, TimeProvider Clock);
