using Microsoft.Extensions.AI;

namespace RootMas.Server.Models.Pipeline;

/// <summary>
/// How long an answer a model lets itself be limited to, where budgets limit it and not the caller. Providers refuse a limit above what the model can write, and only they know it where models.yaml does not say: then the model is asked
/// again with a quarter. It always has a limit, whatever was refused, so that a budget stays one.
/// </summary>
internal sealed class OutputLimit(ChatOptions? wished)
{
    /// <summary>Whoever refuses this refuses something else.</summary>
    private const int Least = 256;

    private (ModelEndpoint Endpoint, int Most, bool IsItsOwn)? _lowered;

    /// <summary>The request with a limit that the model takes, as far as is known.</summary>
    public AttemptRequest Of(AttemptRequest request, ModelEndpoint endpoint)
    {
        var most = _lowered is { } lowered && lowered.Endpoint == endpoint ? lowered.Most : endpoint.MostOutput;
        return OursIn(request) > most ? BudgetGuard.WithOutput(request, most) with { CutByBudget = false, CutByModel = true } : request;
    }

    /// <summary>True: the same model is to be asked again.</summary>
    public bool Lower(AttemptRequest? request, ModelEndpoint endpoint, EndpointException refusal)
    {
        if (!refusal.IsOfOutputLimit || OursIn(request) is not { } sent || sent / 4 < Least)
        {
            return false;
        }

        _lowered = (endpoint, sent / 4, IsItsOwn: refusal.Kind == FailureKind.BadRequest); // else a prompt stood beside it that the next one does not have
        return true;
    }

    /// <summary>The model has begun to answer: later calls need not try again what it refuses.</summary>
    public void Taken(ModelEndpoint endpoint)
    {
        if (_lowered is { IsItsOwn: true } lowered && lowered.Endpoint == endpoint)
        {
            endpoint.TakesAtMost(lowered.Most);
        }
    }

    /// <summary>Null: there is none, or the caller named it, who is told what is wrong with it.</summary>
    private int? OursIn(AttemptRequest? request) => request?.Options?.MaxOutputTokens is { } sent && sent != wished?.MaxOutputTokens ? sent : null;
}
