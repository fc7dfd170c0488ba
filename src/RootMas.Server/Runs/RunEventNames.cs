using System.Collections.Frozen;
using System.Reflection;
using System.Text.Json.Serialization;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs;

/// <summary>The type names of events and pieces as they stand in their JSON, without parsing it.</summary>
internal static class RunEventNames
{
    private static readonly FrozenDictionary<Type, string> Names =
        Derived(typeof(RunEvent)).Concat(Derived(typeof(LivePiece))).ToFrozenDictionary();

    private static readonly FrozenSet<string> Pieces = Derived(typeof(LivePiece)).Select(static p => p.Value).ToFrozenSet(StringComparer.Ordinal);

    public static string Of(RunEvent value) => Names[value.GetType()];

    public static string Of(LivePiece value) => Names[value.GetType()];

    public static bool IsFinal(RunEvent value) => value is RunCompleted or RunFailed or RunCancelled;

    /// <summary>Live only, and in no log.</summary>
    public static bool IsPiece(string type) => Pieces.Contains(type);

    /// <summary>After this event somebody is likely to ask for what was kept before it: the run has ended, or waits for a person.</summary>
    public static bool Settles(string type) => type is "run.completed" or "run.failed" or "run.cancelled" or "approval.requested" or "input.requested" or "run.needs_review";

    private static IEnumerable<KeyValuePair<Type, string>> Derived(Type root) =>
        root.GetCustomAttributes<JsonDerivedTypeAttribute>().Select(a => KeyValuePair.Create(a.DerivedType, (string)a.TypeDiscriminator!));
}
