using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Platform.Settings;

/// <summary>One setting as it is in force.</summary>
public sealed record SettingView
{
    /// <summary>Its key, Section:Key.</summary>
    /// <example>Runs:Lease</example>
    public required string Key { get; init; }

    /// <summary>The value in force; of a secret *** if it is set, and nothing otherwise.</summary>
    /// <example>15s</example>
    public required string Value { get; init; }

    /// <summary>Where the value comes from: default, settings.yaml, appsettings.json, .env, environment, file, command line.</summary>
    /// <example>settings.yaml</example>
    public required string Source { get; init; }

    /// <summary>The value that counts when nobody sets one.</summary>
    /// <example>15s</example>
    public required string Default { get; init; }

    /// <summary>What kind of value it is, for people.</summary>
    /// <example>integer</example>
    public required string Type { get; init; }

    /// <summary>What is allowed; empty: every value of the type.</summary>
    /// <example>1 to 1000</example>
    public required string Legal { get; init; }
}

/// <summary>What <c>config print</c> shows, for administrators. Settings are changed in files and variables, and count from the next start.</summary>
internal static class SettingsApi
{
    public static void MapSettings(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/settings", List).WithTags("Operations").RequirePermission("settings:read").WithName("ListSettings")
            .WithSummary("List settings")
            .WithDescription("Every setting with the value in force in the instance that answers and where it comes from, by section; secrets are ***. The same as rootmas config print.");

    private static Results<Ok<Page<SettingView>>, Problem> List([Description(Paging.ShortLimit)] int? limit, string? cursor, SettingsTree tree)
    {
        var all = SettingsReport.Settings(tree).ToList();
        if (Paging.ReadShort(limit, cursor, all.Count, out var page) is { } invalid)
        {
            return invalid;
        }

        var (items, next) = Paging.PageOf(all, page, static s => s.Key);
        return TypedResults.Ok(new Page<SettingView>([.. items.Select(Of)], next));
    }

    private static SettingView Of(Setting setting) =>
        new() { Key = setting.Key, Value = setting.Current, Source = setting.Source, Default = setting.Default, Type = setting.Type, Legal = setting.Legal };
}
