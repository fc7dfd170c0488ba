using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Http;

/// <summary>Which problem an exception is to the client. Its text never leaves; field names do.</summary>
internal static class ExceptionProblems
{
    public static Problem Of(Exception exception, HttpContext context) => exception switch
    {
        BadHttpRequestException { StatusCode: 413 } => Problems.TooLarge(context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize ?? 0),
        BadHttpRequestException { StatusCode: 415 } => Problems.UnsupportedMediaType(),
        BadHttpRequestException { InnerException: JsonException json } => OfJson(json),
        BadHttpRequestException { StatusCode: 400 } bad => OfBinding(bad.Message),
        BadHttpRequestException bad => Problems.Of(bad.StatusCode, $"http_{bad.StatusCode}", "The request could not be read. Nothing was done."),
        IOException { InnerException: OverflowException } => Problems.BadRequest("invalid_chunk", "The size of a chunk of the body is not a number that can be. Nothing was done.", "$", "has a chunk whose size is no number that can be"),
        OperationCanceledException when context.RequestAborted.IsCancellationRequested => Problems.Of(499, "client_closed_request", "The client went away."),
        _ => Of(exception, "; this request was not confirmed: repeat it with the same Idempotency-Key"),
    };

    /// <summary>For what is no request: a frame, or a stream that is under way.</summary>
    public static Problem Of(Exception exception) => Of(exception, ", and runs go on: look what became of yours before you send anything again");

    private static Problem Of(Exception exception, string whatNext) => exception switch
    {
        ProblemException refusal => refusal.Problem,
        StorageUnavailableException { IsOfFullDisk: true } => Problems.Unavailable(
            "storage_unavailable", $"The server's disk is full: nothing can be saved until an administrator frees some space. What was acknowledged before is kept{whatNext}.").With("reason", PostgresErrors.DiskFull),
        StorageUnavailableException => Problems.Unavailable("storage_unavailable", $"The database does not answer for now. What was acknowledged before is kept{whatNext}."),
        _ => Problems.Internal(),
    };

    /// <summary>
    /// The body is not the JSON that the route takes. Names the field where the reader knows it. Only the binding of a body says so (<see cref="BadHttpRequestException"/>):
    /// any other <see cref="JsonException"/> is ours, of an answer that could not be written, and what was asked for may be done.
    /// </summary>
    private static Problem OfJson(JsonException exception)
    {
        var (field, message) = Explain(exception);
        return Problems.Validation(new Dictionary<string, string[]>(StringComparer.Ordinal) { [field] = [message] }) with
        {
            Code = "invalid_json",
            Detail = "The body is not what this route takes; `errors` names the place. Nothing was done.",
        };
    }

    /// <summary>By how the JSON reader begins, which tests pin: what follows may hold names that the client chose, and they may say anything.</summary>
    private static (string Field, string Message) Explain(JsonException exception)
    {
        var (text, field) = (exception.Message, FieldOf(exception.Path));
        bool Begins(params string[] words) => Array.Exists(words, start => text.StartsWith(start, StringComparison.Ordinal));
        return exception switch
        {
            StrictJsonException strict => (field, strict.Reason),
            _ when Begins("JSON deserialization for type ") && Missing(text) is { Length: > 0 } name => (field == "$" ? name : $"{field}.{name}", "is required"),
            _ when Begins("The JSON property '") => (field, "is not a member of this object"),
            _ when Begins("Duplicate propert") => (Member(field, Quoted(text)), "is given twice"),
            _ when Begins("The maximum configured depth ") => (field, "is nested too deeply: 32 levels are allowed"),
            _ when Begins("The property or field '", "The constructor parameter '") => (field, "must not be null"),
            _ when Begins("The JSON value could not be converted ") => (field, "is of the wrong type, or not a legal value"),
            _ when Begins("Expected ", "The input does not contain ", "There is not enough data ") => (field, "ends too early"),
            _ => (field, "is not valid JSON"),
        };
    }

    /// <summary>The first of the members that a text about missing ones lists; empty: it lists none.</summary>
    private static string Missing(string text)
    {
        var list = text.IndexOf("including:", StringComparison.Ordinal);
        return list < 0 ? "" : Quoted(text[list..]);
    }

    private static string Member(string parent, string name) =>
        name.Length == 0 || parent == name || parent.EndsWith("." + name, StringComparison.Ordinal) ? parent : parent == "$" ? name : $"{parent}.{name}";

    /// <summary>The first name in quotes.</summary>
    private static string Quoted(string text)
    {
        var start = text.IndexOf('\'', StringComparison.Ordinal);
        var end = start < 0 ? -1 : text.IndexOf('\'', start + 1);
        return end < 0 ? "" : Clean(text[(start + 1)..end]);
    }

    private static string FieldOf(string? path) => path switch
    {
        null or "" or "$" => "$",
        _ when path.StartsWith("$.", StringComparison.Ordinal) => Clean(path[2..]),
        _ => Clean(path),
    };

    /// <summary>The client chose the name: it comes back short and printable.</summary>
    internal static string Clean(string name)
    {
        var shortened = name.Length > 100 ? name[..100] : name;
        return string.Create(shortened.Length, shortened, static (span, from) =>
        {
            for (var i = 0; i < from.Length; i++)
            {
                span[i] = char.IsControl(from[i]) || char.IsSurrogate(from[i]) ? '\uFFFD' : from[i];
            }
        });
    }

    /// <summary>Route, query and header values: the framework says <c>Failed to bind parameter "int limit" from "abc".</c></summary>
    private static Problem OfBinding(string message)
    {
        var start = message.IndexOf('"', StringComparison.Ordinal);
        var end = start < 0 ? -1 : message.IndexOf('"', start + 1);
        if (end < 0)
        {
            return Problems.BadRequest("invalid_request", "The request could not be read. Nothing was done.", "$", "could not be read");
        }

        // Only here does the text end with what the client sent.
        var isUnread = message.StartsWith("Failed to bind parameter ", StringComparison.Ordinal);
        if (!isUnread && message.Contains("body", StringComparison.Ordinal))
        {
            return Problems.BadRequest("body_required", "This route needs a JSON body. Nothing was done.") with
            {
                Errors = new Dictionary<string, string[]>(StringComparer.Ordinal) { ["$"] = ["is required"] },
            };
        }

        var parameter = message[(start + 1)..end];
        var name = JsonNamingPolicy.SnakeCaseLower.ConvertName(parameter[(parameter.LastIndexOf(' ') + 1)..]);
        return Problems.Invalid(name, isUnread ? "is of the wrong type, or not a legal value" : "is required");
    }
}
