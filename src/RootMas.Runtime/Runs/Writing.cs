namespace RootMas.Runtime.Runs;

/// <summary>A batch that the journal has, and what is to be noted once it is durable.</summary>
internal sealed record Writing(Task<AppendResult> Answer, long Folded, long? LastSeq)
{
    /// <summary>The batch before it, as long as that may not be durable; null: none.</summary>
    public Writing? Before { get; init; }

    /// <summary>Waits for what was handed over before this. If that fails, so does this, and nobody leaves while it is under way.</summary>
    public async ValueTask AfterAsync(ValueTask before)
    {
        try
        {
            await before;
        }
        catch
        {
            await ((Task)Answer).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }
}
