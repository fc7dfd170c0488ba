using Microsoft.Extensions.Options;

namespace RootMas.Server.Platform.Settings;

/// <summary>How slices get their settings.</summary>
public static class SettingsExtensions
{
    private const string Key = "rootmas.settings";

    /// <summary>The tree of this builder.</summary>
    public static SettingsTree Settings(this IHostApplicationBuilder builder) => (SettingsTree)builder.Properties[Key];

    /// <summary>
    /// Takes the section, and registers the record as <typeparamref name="T"/> and <see cref="IOptions{T}"/>. Annotations on its properties are checked, and
    /// <see cref="System.ComponentModel.DataAnnotations.IValidatableObject"/> for rules across fields. The record has a public parameterless constructor, init-only properties with defaults,
    /// and XML docs with unit and meaning. Types: text, integers, numbers, bool, enum, TimeSpan, Uri, lists of these, tables of text, nested records.
    /// </summary>
    public static T AddSettings<T>(this IHostApplicationBuilder builder, string section)
        where T : class, new()
    {
        var options = builder.Settings().Take<T>(section);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton<IOptions<T>>(new OptionsWrapper<T>(options));
        return options;
    }

    /// <summary>Call after the last slice took its settings.</summary>
    /// <exception cref="SettingsException">All problems at once.</exception>
    public static void CheckSettings(this IHostApplicationBuilder builder) => builder.Settings().ThrowIfInvalid();

    internal static void AddSettingsTree(this IHostApplicationBuilder builder, SettingsTree tree)
    {
        builder.Properties[Key] = tree;
        builder.Services.AddSingleton(tree);
        builder.Services.AddSingleton(tree.Variables);
    }
}
