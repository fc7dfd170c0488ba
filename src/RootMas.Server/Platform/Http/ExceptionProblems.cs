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

    private static (string Field, string Message) Explain(JsonException exception)
    {
        var text = exception.Message;
        var field = FieldOf(exception.Path);
        if (exception is StrictJsonException strict)
        {
            return (field, strict.Reason);
        }

        if (text.Contains("missing required properties", StringComparison.Ordinal))
        {
            var names = Quoted(text[text.IndexOf("including:", StringComparison.Ordinal)..]);
            return (field == "$" ? names : $"{field}.{names}", "is required");
        }

        if (text.Contains("could not be mapped to any", StringComparison.Ordinal))
        {
            return (Member(field, Quoted(text)), "is not a member of this object");
        }

        if (text.Contains("uplicate", StringComparison.Ordinal))
        {
            return (Member(field, Quoted(text)), "is given twice");
        }

        if (text.Contains("depth", StringComparison.OrdinalIgnoreCase))
        {
            return (field, "is nested too deeply: 32 levels are allowed");
        }

        return (field, text.Contains("could not be converted", StringComparison.Ordinal) ? "is of the wrong type, or not a legal value" : "is not valid JSON");
    }

    private static string Member(string parent, string name) =>
        name.Length == 0 || parent == name || parent.EndsWith("." + name, StringComparison.Ordinal) ? parent : parent == "$" ? name : $"{parent}.{name}";

    /// <summary>The first name in quotes; these texts of the JSON reader are pinned by tests.</summary>
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
    private static string Clean(string name)
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

        if (message.Contains("body", StringComparison.Ordinal))
        {
            return Problems.BadRequest("body_required", "This route needs a JSON body. Nothing was done.") with
            {
                Errors = new Dictionary<string, string[]>(StringComparer.Ordinal) { ["$"] = ["is required"] },
            };
        }

        var parameter = message[(start + 1)..end];
        var name = JsonNamingPolicy.SnakeCaseLower.ConvertName(parameter[(parameter.LastIndexOf(' ') + 1)..]);
        return Problems.Invalid(name, message.Contains("Required", StringComparison.Ordinal) ? "is required" : "is of the wrong type, or not a legal value");
    }
}
