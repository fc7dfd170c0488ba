using RootMas.Runtime.Agents;

namespace RootMas.Server.Models;

/// <summary>Why a request to a model gave no answer; decides retry, next model or end.</summary>
internal enum FailureKind
{
    Unreachable,
    Timeout,
    RateLimited,
    ServerError,
    CircuitOpen,
    Auth,

    /// <summary>The provider's account has no credit left, or has reached a limit of its own: neither waiting nor another key helps.</summary>
    Credit,
    NotFound,
    BadRequest,
    ContextLength,
    ContentFilter,
    InvalidAnswer,
    Budget,

    /// <summary>What is left of a daily budget is set aside for calls under way.</summary>
    BudgetHeld,
}

/// <summary>One endpoint's failure. Stays inside the pipeline: <see cref="Pipeline.CascadeFailure"/> turns the last one into a <see cref="ModelException"/>.</summary>
internal sealed class EndpointException(FailureKind kind, string detail, TimeSpan? retryAfter = null, Exception? inner = null) : Exception(detail, inner)
{
    public FailureKind Kind { get; } = kind;

    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>The provider may answer the same request a little later.</summary>
    public bool IsTransient => Kind is FailureKind.Unreachable or FailureKind.Timeout or FailureKind.RateLimited or FailureKind.ServerError or FailureKind.CircuitOpen or FailureKind.BudgetHeld;

    /// <summary>What is refused is how long the answer may be.</summary>
    public bool IsOfOutputLimit { get; init; }

    /// <summary>Part of an answer had come: whatever ended it, the provider worked, and wants to be paid.</summary>
    public bool HadBegun { get; set; }

    /// <summary>Nothing was sent, or the provider said itself that it did nothing.</summary>
    public bool IsUnbilled => !HadBegun && Kind is FailureKind.RateLimited or FailureKind.ServerError or FailureKind.CircuitOpen or FailureKind.Auth or FailureKind.Credit or FailureKind.NotFound
        or FailureKind.BadRequest or FailureKind.ContextLength or FailureKind.Budget or FailureKind.BudgetHeld;

    public string ErrorClass => NameOf(Kind);

    public static string NameOf(FailureKind kind) => kind switch
    {
        FailureKind.Unreachable or FailureKind.CircuitOpen => "unreachable",
        FailureKind.Timeout => "timeout",
        FailureKind.RateLimited => "rate_limited",
        FailureKind.ServerError => "server_error",
        FailureKind.Auth => "auth",
        FailureKind.Credit => "credit",
        FailureKind.ContextLength => "context_length",
        FailureKind.ContentFilter => "content_filter",
        FailureKind.InvalidAnswer => "invalid_answer",
        FailureKind.Budget or FailureKind.BudgetHeld => "budget",
        _ => "bad_request",
    };
}
