using System.Globalization;
using System.Reflection;
using Microsoft.AspNetCore.Mvc;

namespace RootMas.Server.Platform.Http;

/// <summary>
/// Names the parameter of an address that is not what its route takes. For optional switches and numbers the framework only sets the status 400 and goes on with the filters, where it says nothing of which parameter it was; so it is looked for
/// here, among those of the route.
/// </summary>
public static class QueryBinding
{
    public static EndpointFilterDelegate Create(EndpointFilterFactoryContext factory, EndpointFilterDelegate next)
    {
        ArgumentNullException.ThrowIfNull(factory);
        var typed = factory.MethodInfo.GetParameters()
            .Select(static p => (Name: p.GetCustomAttribute<FromQueryAttribute>()?.Name ?? p.Name ?? "", Type: Nullable.GetUnderlyingType(p.ParameterType) ?? p.ParameterType))
            .Where(static p => Legal(p.Type) is not null).ToArray();
        return typed.Length == 0
            ? next
            : context => context.HttpContext.Response.StatusCode == StatusCodes.Status400BadRequest && Misread(context.HttpContext.Request, typed) is { } problem
                ? ValueTask.FromResult<object?>(problem)
                : next(context);
    }

    private static Problem? Misread(HttpRequest request, (string Name, Type Type)[] typed)
    {
        Dictionary<string, string[]>? errors = null;
        foreach (var (name, type) in typed)
        {
            if (request.Query.TryGetValue(name, out var given) && given.ToString() is { Length: > 0 } text && !IsLegal(type, text))
            {
                (errors ??= new(StringComparer.Ordinal))[name] = [Legal(type)!];
            }
        }

        return errors is null ? null : Problems.Validation(errors);
    }

    /// <summary>What is legal, for people; null: a type that is not looked at.</summary>
    private static string? Legal(Type type) =>
        type == typeof(bool) ? "must be true or false"
        : type == typeof(int) ? $"must be a whole number from {int.MinValue} to {int.MaxValue}"
        : type == typeof(long) ? "must be a whole number"
        : type == typeof(double) ? "must be a number"
        : null;

    private static bool IsLegal(Type type, string text) =>
        type == typeof(bool) ? bool.TryParse(text, out _)
        : type == typeof(int) ? int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out _)
        : type == typeof(long) ? long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out _)
        : double.TryParse(text, NumberStyles.Float | NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out _);
}
