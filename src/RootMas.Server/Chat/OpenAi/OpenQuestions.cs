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
        switch (e)
        {
            case ApprovalRequested asked:
                Ask(asked.Call, e);
                break;
            case InputRequested asked:
                Ask(asked.Call, e);
                break;
            case RunNeedsReview asked:
                Ask(asked.Call, e);
                break;
            case ApprovalGranted settled:
                Settle(settled.Call);
                break;
            case ApprovalDenied settled:
                Settle(settled.Call);
                break;
            case ApprovalExpired settled:
                Settle(settled.Call);
                break;
            case InputReceived settled:
                Settle(settled.Call);
                break;
            case ReviewResolved settled:
                Settle(settled.Call);
                break;
        }
    }

    private void Ask(int call, RunEvent e)
    {
        Settle(call);
        _open.Add((call, e));
    }

    private void Settle(int call) => _open.RemoveAll(o => o.Call == call);
}
