using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Tests.Knowledge.Vectors;

/// <summary>What another part of the program owns.</summary>
internal sealed class Texts(string space, List<VectorEntry> entries) : IVectorTexts
{
    public List<VectorEntry> All { get; } = [.. entries.OrderBy(static e => e.Id.ToString("D"), StringComparer.Ordinal)];

    public bool Fails { get; set; }

    public string Space => space;

    public ValueTask<IReadOnlyList<VectorEntry>> ReadAsync(Guid after, int count, CancellationToken cancellationToken) => Fails
        ? throw new InvalidOperationException("The process dies.")
        : ValueTask.FromResult<IReadOnlyList<VectorEntry>>(
            [.. All.Where(e => after == Guid.Empty || string.CompareOrdinal(e.Id.ToString("D"), after.ToString("D")) > 0).Take(count)]);
}
