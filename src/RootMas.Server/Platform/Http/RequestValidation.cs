using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;

namespace RootMas.Server.Platform.Http;

/// <summary>
/// Checks the annotations of request records before the handler runs; a failure is 400 <c>validation_failed</c> with the fields as the client wrote them.
/// Rules across fields: the record implements <see cref="IValidatableObject"/> and names members by their C# names. Plans are made once per type.
/// </summary>
public static class RequestValidation
{
    private static readonly ConcurrentDictionary<Type, Plan> Plans = new();

    public static EndpointFilterDelegate Create(EndpointFilterFactoryContext factory, EndpointFilterDelegate next)
    {
        ArgumentNullException.ThrowIfNull(factory);
        var checkedArguments = new List<int>();
        var services = factory.ApplicationServices.GetService<IServiceProviderIsService>();
        foreach (var (index, parameter) in factory.MethodInfo.GetParameters().Index())
        {
            // Services have lists of their own, and are no body.
            if (services?.IsService(parameter.ParameterType) != true && PlanOf(parameter.ParameterType).HasRules && parameter.ParameterType.Namespace?.StartsWith("RootMas", StringComparison.Ordinal) == true)
            {
                checkedArguments.Add(index);
            }
        }

        if (checkedArguments.Count == 0)
        {
            return next;
        }

        var indexes = checkedArguments.ToArray();
        return context =>
        {
            foreach (var index in indexes)
            {
                if (context.Arguments[index] is { } value && Check(value) is { } problem)
                {
                    return ValueTask.FromResult<object?>(problem);
                }
            }

            return next(context);
        };
    }

    /// <summary>Null: valid. For bodies that are read by hand, and for socket frames.</summary>
    public static Problem? Check(object value)
    {
        ArgumentNullException.ThrowIfNull(value);
        Dictionary<string, List<string>>? errors = null;
        PlanOf(value.GetType()).Check(value, "", ref errors);
        return errors is null ? null : Problems.Validation(errors.ToDictionary(e => e.Key, e => e.Value.ToArray(), StringComparer.Ordinal));
    }

    private static Plan PlanOf(Type type)
    {
        if (Plans.TryGetValue(type, out var plan))
        {
            return plan;
        }

        plan = new Plan();
        Plans[type] = plan;
        if (type.Namespace?.StartsWith("RootMas", StringComparison.Ordinal) == true && type is { IsClass: true })
        {
            plan.Fill(type);
        }

        return plan;
    }

    private sealed class Plan
    {
        private readonly List<Rule> _rules = [];
        private bool _acrossFields;

        public bool HasRules => _rules.Count > 0 || _acrossFields;

        public void Fill(Type type)
        {
            _acrossFields = typeof(IValidatableObject).IsAssignableFrom(type);
            var nullability = new NullabilityInfoContext();
            var parameters = type.GetConstructors().OrderByDescending(c => c.GetParameters().Length).FirstOrDefault()?.GetParameters() ?? [];
            foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.GetIndexParameters().Length == 0 && p.CanRead))
            {
                // On a positional record the annotation may stand on the parameter.
                var parameter = Array.Find(parameters, p => p.Name == property.Name);
                var attributes = property.GetCustomAttributes<ValidationAttribute>().Concat(parameter?.GetCustomAttributes<ValidationAttribute>() ?? []).ToArray();
                var nested = NestedOf(property.PropertyType);
                var list = InnerNulls.ListOf(nullability, property);
                if (attributes.Length > 0 || nested is not null || list is not null)
                {
                    _rules.Add(new Rule(JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name), property.GetValue, attributes, nested is null ? null : PlanOf(nested), list));
                }
            }

            _rules.RemoveAll(r => r.Attributes.Length == 0 && r.List is null && r.Nested is { HasRules: false });
        }

        public void Check(object value, string prefix, ref Dictionary<string, List<string>>? errors)
        {
            if (FirstNull(value, prefix) is { } place)
            {
                Add(ref errors, place, "must not be null"); // the other rules count on it
                return;
            }

            foreach (var rule in _rules)
            {
                CheckRule(rule, value, prefix, ref errors);
            }

            if (_acrossFields)
            {
                foreach (var result in ((IValidatableObject)value).Validate(new ValidationContext(value)))
                {
                    var member = result.MemberNames.FirstOrDefault();
                    Add(ref errors, prefix + (member is null ? "$" : JsonNamingPolicy.SnakeCaseLower.ConvertName(member)), result.ErrorMessage ?? "is not valid");
                }
            }
        }

        private string? FirstNull(object value, string prefix)
        {
            foreach (var rule in _rules)
            {
                if (rule.List is { } list && InnerNulls.First(list, rule.Get(value), prefix + rule.Name) is { } place)
                {
                    return place;
                }
            }

            return null;
        }

        private static void CheckRule(Rule rule, object owner, string prefix, ref Dictionary<string, List<string>>? errors)
        {
            var value = rule.Get(owner);
            var name = prefix + rule.Name;
            foreach (var attribute in rule.Attributes)
            {
                if (!attribute.IsValid(value))
                {
                    Add(ref errors, name, Explain(attribute, name));
                }
            }

            if (rule.Nested is not { HasRules: true } nested || value is null)
            {
                return;
            }

            if (value is not System.Collections.IEnumerable list)
            {
                nested.Check(value, name + ".", ref errors);
                return;
            }

            foreach (var (index, item) in list.Cast<object?>().Index())
            {
                if (item is not null)
                {
                    nested.Check(item, $"{name}[{index}].", ref errors);
                }
            }
        }

        private static void Add(ref Dictionary<string, List<string>>? errors, string field, string message)
        {
            errors ??= new Dictionary<string, List<string>>(StringComparer.Ordinal);
            (errors.TryGetValue(field, out var list) ? list : errors[field] = []).Add(message);
        }

        private static Type? NestedOf(Type type)
        {
            var item = type.IsArray ? type.GetElementType()! : type is { IsGenericType: true } && type.GetGenericArguments() is [var only] ? only : type;
            return item.Namespace?.StartsWith("RootMas", StringComparison.Ordinal) == true && item.IsClass ? item : null;
        }

        /// <remarks>Allowed values have a message of .NET's where none was given, which does not name them.</remarks>
        private static string Explain(ValidationAttribute attribute, string name) =>
            attribute is not AllowedValuesAttribute && attribute.ErrorMessage is { Length: > 0 } ? attribute.FormatErrorMessage(name) : attribute switch
            {
                RequiredAttribute => "must not be empty",
                RangeAttribute { Maximum: >= (double)long.MaxValue } range => $"must be at least {range.Minimum}",
                RangeAttribute range => $"must be between {range.Minimum} and {range.Maximum}",
                StringLengthAttribute { MinimumLength: > 0 } length => $"must be {length.MinimumLength} to {length.MaximumLength} characters long",
                StringLengthAttribute length => $"must be at most {length.MaximumLength} characters long",
                MaxLengthAttribute max => $"must be at most {max.Length} long",
                MinLengthAttribute min => $"must be at least {min.Length} long",
                LengthAttribute length => $"must be {length.MinimumLength} to {length.MaximumLength} long",
                RegularExpressionAttribute regex => $"must match {regex.Pattern}",
                AllowedValuesAttribute allowed => $"must be one of {string.Join(", ", allowed.Values.Where(static v => v is not null))}",
                _ => attribute.FormatErrorMessage(name),
            };
    }

    private sealed record Rule(string Name, Func<object, object?> Get, ValidationAttribute[] Attributes, Plan? Nested, NullabilityInfo? List);
}
