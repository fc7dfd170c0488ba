using Microsoft.AspNetCore.Http.Metadata;

namespace RootMas.Server.Platform.Http;

/// <summary>
/// A refusal as RFC 9457 tells it: a result like any other, so handlers return it in <c>Results&lt;Ok&lt;X&gt;, Problem&gt;</c>.
/// Everything in it may be read by the client: never exception text, SQL or paths. Made by <see cref="Problems"/>.
/// </summary>
public sealed record Problem : IResult, IStatusCodeHttpResult
{
    public required int Status { get; init; }

    /// <summary>Stable and machine-readable: <c>conversation_not_found</c>.</summary>
    public required string Code { get; init; }

    /// <summary>The same for every occurrence of the code's status.</summary>
    public required string Title { get; init; }

    /// <summary>What happened, what was kept, what to do next.</summary>
    public required string Detail { get; init; }

    /// <summary>Field (snake_case, as sent) → what is wrong with it. For 400 and 422.</summary>
    public IReadOnlyDictionary<string, string[]>? Errors { get; init; }

    /// <summary>Sent as <c>Retry-After</c>, rounded up to seconds.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Further members, snake_case: <c>run_id</c>, <c>limit</c>.</summary>
    public IReadOnlyDictionary<string, string>? Extra { get; init; }

    int? IStatusCodeHttpResult.StatusCode => Status;

    public Problem With(string name, string value) =>
        this with { Extra = new Dictionary<string, string>(Extra ?? new Dictionary<string, string>(StringComparer.Ordinal), StringComparer.Ordinal) { [name] = value } };

    public Task ExecuteAsync(HttpContext httpContext) => ProblemWriter.WriteAsync(httpContext, this);
}

/// <summary>A <see cref="Problem"/> thrown from below a handler, where a result cannot be returned (inside a transaction, say). Refusals only: bugs and outages are other exceptions.</summary>
public sealed class ProblemException(Problem problem) : Exception(problem.Code)
{
    public Problem Problem { get; } = problem;
}
