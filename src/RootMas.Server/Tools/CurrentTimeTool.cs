using System.Globalization;
using System.Text.Json;
using RootMas.Runtime.Tools;

namespace RootMas.Server.Tools;

/// <summary>The time somewhere, with everything that people ask about a date.</summary>
internal sealed class CurrentTimeTool : Tool
{
    private readonly string _defaultZone;

    public CurrentTimeTool(ToolsOptions options)
    {
        _defaultZone = options.TimeZone;
        Definition = new ToolDefinition("current_time",
            "Tells the current date, time, weekday and ISO week in a time zone or city.",
            """
            {
              "type": "object",
              "properties": {
                "zone": { "type": "string", "maxLength": 100, "description": "IANA time zone such as Europe/Moscow, or a large city such as Kazan or Нью-Йорк; without it the server's own zone" }
              },
              "additionalProperties": false
            }
            """,
            "1");
    }

    public override ToolDefinition Definition { get; }

    public override ToolEffect Effect => ToolEffect.Read;

    public override bool IsLocal => true;

    public override TimeSpan Timeout => TimeSpan.FromSeconds(5);

    public override ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var asked = arguments.TextOrNull("zone")?.Trim() is { Length: > 0 } zone ? zone : _defaultZone;
        if (TimeZones.Find(asked) is not { } found)
        {
            throw new ToolException($"\"{asked}\" is no known time zone or city. Use an IANA name such as Europe/Moscow or America/New_York.");
        }

        var utc = context.Clock.GetUtcNow();
        var local = TimeZoneInfo.ConvertTime(utc, found);
        var offset = local.ToString("zzz", CultureInfo.InvariantCulture);
        var date = local.DateTime;
        return ValueTask.FromResult(new ToolResult(string.Create(CultureInfo.InvariantCulture,
            $"""
            {local:yyyy-MM-ddTHH:mm:sszzz}
            {local:dddd, d MMMM yyyy, HH:mm} in {found.Id} (UTC{offset}{(found.IsDaylightSavingTime(utc) ? ", daylight saving time" : "")})
            ISO week {ISOWeek.GetYear(date)}-W{ISOWeek.GetWeekOfYear(date):00}, day {date.DayOfYear} of the year
            UTC: {utc:yyyy-MM-ddTHH:mm:ssZ}
            """)));
    }
}
