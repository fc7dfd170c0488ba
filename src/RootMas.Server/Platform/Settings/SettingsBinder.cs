using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace RootMas.Server.Platform.Settings;

/// <summary>Fills an options record from flat keys, checks its annotations, and describes it. Every problem is collected with the key and the legal values.</summary>
internal static class SettingsBinder
{
    public static SettingsSection Bind(string name, object options, IReadOnlyDictionary<string, SettingValue> values, ICollection<string> problems)
    {
        var settings = new List<Setting>();
        BindInto(name, options, values, settings, problems);
        if (options is IValidatableObject rules)
        {
            foreach (var result in rules.Validate(new ValidationContext(options)))
            {
                problems.Add($"{string.Join(", ", result.MemberNames.Select(m => $"{name}:{m}"))}: {result.ErrorMessage}");
            }
        }

        return new SettingsSection(name, options, settings);
    }

    private static void BindInto(string prefix, object target, IReadOnlyDictionary<string, SettingValue> values, List<Setting> settings, ICollection<string> problems)
    {
        foreach (var property in target.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.SetMethod is null)
            {
                continue;
            }

            var key = $"{prefix}:{property.Name}";
            if (IsNested(property.PropertyType))
            {
                var nested = property.GetValue(target) ?? Activator.CreateInstance(property.PropertyType)!;
                property.SetValue(target, nested);
                BindInto(key, nested, values, settings, problems);
                continue;
            }

            settings.Add(BindOne(key, property, target, values, problems));
        }
    }

    private static Setting BindOne(string key, PropertyInfo property, object target, IReadOnlyDictionary<string, SettingValue> values, ICollection<string> problems)
    {
        var secret = property.IsDefined(typeof(SecretAttribute));
        var legal = LegalOf(property);
        var fallback = property.GetValue(target); // read once: .NET compiles code of its own for every property that is asked a second time, a tenth of a start
        var (current, source) = (fallback, "default");
        var found = SettingsValues.TryRead(key, property.PropertyType, values, out var value, out var where, out var error);
        if (error is not null)
        {
            problems.Add($"{key} ({where}): {error}{(legal.Length > 0 ? $"; legal: {legal}" : "")}");
        }
        else if (found)
        {
            property.SetValue(target, value);
            (current, source) = (value, where!);
        }

        Check(key, property, new ValidationContext(target) { MemberName = property.Name, DisplayName = key }, current, source, legal, secret, problems);
        return new Setting(key, SettingsValues.TypeName(property.PropertyType), legal, secret ? "" : SettingsValues.Write(fallback), Shown(secret, current), source)
        {
            Secret = secret ? SettingsValues.Write(current) : null,
        };
    }

    private static string Shown(bool secret, object? value) =>
        !secret ? SettingsValues.Write(value) : value is null or "" ? "" : "***";

    private static void Check(string key, PropertyInfo property, ValidationContext context, object? value, string source, string legal, bool secret, ICollection<string> problems)
    {
        foreach (var attribute in property.GetCustomAttributes<ValidationAttribute>())
        {
            if (attribute.GetValidationResult(value, context) is not null)
            {
                var shown = secret ? "the value" : $"'{SettingsValues.Write(value)}'";
                problems.Add($"{key} ({source}): {shown} is not allowed{(legal.Length > 0 ? $"; legal: {legal}" : "")}");
                return;
            }
        }
    }

    private static bool IsNested(Type type) =>
        type is { IsClass: true } && type != typeof(string) && type != typeof(Uri) && !typeof(IEnumerable).IsAssignableFrom(type);

    private static string LegalOf(PropertyInfo property)
    {
        var rules = new List<string>();
        foreach (var attribute in property.GetCustomAttributes<ValidationAttribute>())
        {
            rules.Add(attribute switch
            {
                RangeAttribute range => $"{Bound(range, range.Minimum)} to {Bound(range, range.Maximum)}",
                AllowedValuesAttribute allowed => string.Join(" | ", allowed.Values),
                RegularExpressionAttribute regex => $"matches {regex.Pattern}",
                MinLengthAttribute min => $"at least {min.Length} long",
                MaxLengthAttribute max => $"at most {max.Length} long",
                StringLengthAttribute length => $"{length.MinimumLength} to {length.MaximumLength} characters",
                RequiredAttribute => "not empty",
                UrlAttribute => "a URL",
                _ => attribute.GetType().Name.Replace("Attribute", "", StringComparison.Ordinal),
            });
        }

        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        if (type.IsEnum)
        {
            rules.Add(string.Join(" | ", Enum.GetNames(type)));
        }

        return string.Join(", ", rules);
    }

    private static string Bound(RangeAttribute range, object bound) =>
        range.OperandType == typeof(TimeSpan) && bound is string text && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var span)
            ? SettingsValues.Write(span)
            : SettingsValues.Write(bound);
}
