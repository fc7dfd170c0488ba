using System.Threading.Channels;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>Says to this process's background work: look now. Nothing would be wrong if nobody heard it, because it also looks from time to time.</summary>
internal sealed class MemorySignals
{
    private readonly Channel<bool> _changes = Once();
    private readonly Channel<bool> _jobs = Once();
    private readonly Channel<bool> _chunks = Once();

    public ChannelReader<bool> Changes => _changes.Reader;

    public ChannelReader<bool> Jobs => _jobs.Reader;

    public ChannelReader<bool> Chunks => _chunks.Reader;

    /// <summary>Facts or entities were written or removed: vectors are to follow.</summary>
    public void Changed() => _changes.Writer.TryWrite(true);

    /// <summary>An exchange is to be read for facts.</summary>
    public void JobAdded() => _jobs.Writer.TryWrite(true);

    /// <summary>A part of a document is to be read for the graph.</summary>
    public void ChunkAdded() => _chunks.Writer.TryWrite(true);

    private static Channel<bool> Once() => Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
}
