using RootMas.Runtime.Agents;

namespace RootMas.Server.Models.Pipeline;

/// <summary>Says why no model answered, in words for the user and the operator: what happened, and what to do next.</summary>
internal static class CascadeFailure
{
    public static ModelException Describe(IReadOnlyList<(Candidate Candidate, EndpointException Failure)> failures)
    {
        if (failures.Count == 0)
        {
            return new ModelException("bad_request", "No model is configured for this request. Name one in models.yaml.");
        }

        var transient = failures.Where(f => f.Failure.IsTransient).ToArray();
        if (transient.Length > 0 && Array.TrueForAll(transient, static f => f.Failure.Kind == FailureKind.BudgetHeld))
        {
            var held = transient[0].Failure;
            return new ModelException(held.ErrorClass, $"{held.Message} The request was kept and is tried again.", retryLater: true, held.RetryAfter, held);
        }

        if (transient.Length > 0)
        {
            var waits = transient.Select(f => f.Failure.RetryAfter).OfType<TimeSpan>().ToArray();
            return new ModelException(
                transient[0].Failure.ErrorClass, $"No model answers at the moment ({List(failures)}). The request was kept and is tried again.",
                retryLater: true, waits.Length > 0 ? waits.Min() : null, transient[0].Failure);
        }

        var (candidate, failure) = failures.FirstOrDefault(f => f.Failure.Kind == FailureKind.Budget) is { Candidate: not null } budget ? budget : failures[^1];
        return new ModelException(failure.ErrorClass, Explain(candidate.Endpoint.Model, failure, failures), inner: failure);
    }

    private static string Explain(ModelSpec model, EndpointException failure, IReadOnlyList<(Candidate Candidate, EndpointException Failure)> failures) => failure.Kind switch
    {
        FailureKind.Auth =>
            $"Provider {model.Provider.Name} refuses the request ({failure.Message}): its key is missing or wrong. Check {model.Provider.KeyPlace}.",
        FailureKind.Credit =>
            $"The account at provider {model.Provider.Name} has no credit left, or its limit is reached ({failure.Message}). Top it up or raise the limit there, or name another model in models.yaml; then try again.",
        FailureKind.NotFound => $"Provider {model.Provider.Name} does not know the model {model.Id}. Correct models.{model.Name}.id in models.yaml.",
        FailureKind.ContextLength => $"The conversation is too long for the model {model.Name} ({model.ContextTokens} tokens).",
        FailureKind.ContentFilter => $"The provider of {model.Name} refused to answer for reasons of its content rules. Rephrase the request.",
        FailureKind.Budget => failure.Message,
        FailureKind.InvalidAnswer => $"No model gave a usable answer ({List(failures)}). Try again, or name better models in models.yaml.",
        _ => $"The model {model.Name} does not accept the request ({failure.Message}).",
    };

    private static string List(IReadOnlyList<(Candidate Candidate, EndpointException Failure)> failures) =>
        string.Join("; ", failures.Select(f => $"{f.Candidate.Endpoint.Model.Name}: {f.Failure.ErrorClass}"));
}
