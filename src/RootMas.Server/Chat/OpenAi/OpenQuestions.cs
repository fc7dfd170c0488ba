using RootMas.Runtime.Runs;

namespace RootMas.Server.Chat.OpenAi;

/// <summary>What a run has asked of people and its log does not settle yet; each of its calls asks one thing at a time.</summary>
internal sealed class OpenQuestions
{
    private readonly List<(int Call, RunEvent Asked)> _open = [];

    /// <summary>The event that asked first; null: nothing is open.</summary>
    public RunEvent? Oldest => _open.Count > 0 ? _open[0].Asked : null;

    public void Note(RunEvent e)
    {
        int? asked = e switch
        {
            ApprovalRequested a => a.Call,
            InputRequested i => i.Call,
            RunNeedsReview r => r.Call,
            _ => null,
        };
        int? settled = e switch
        {
            ApprovalGranted a => a.Call,
            ApprovalDenied a => a.Call,
            ApprovalExpired a => a.Call,
            InputReceived i => i.Call,
            ReviewResolved r => r.Call,
            _ => asked,
        };
        _open.RemoveAll(o => o.Call == settled);
        if (asked is { } call)
        {
            _open.Add((call, e));
        }
    }
}
