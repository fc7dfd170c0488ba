using System.Net;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.BadInput;

/// <summary>Every list whose answer says where the next page begins, as the API description has them: it keeps to the limit, and refuses what is no limit and no cursor.</summary>
public sealed class PagesTests
{
    [Fact]
    public async Task Every_list_in_pages_keeps_to_its_limit_and_refuses_what_is_none()
    {
        await using var app = await TestApp.StartAsync();
        var lists = ListsOf(await app.GetJsonAsync("/openapi/v1.json")).ToList();
        Assert.Contains("/api/v1/settings?", lists);
        Assert.True(lists.Count > 20, string.Join(", ", lists));
        var offences = new List<string>();
        foreach (var list in lists)
        {
            foreach (var wrong in (string[])["limit=0", "limit=201", "cursor=zzz"])
            {
                using var refused = await app.Client.GetAsync(list + wrong);
                if (refused.StatusCode != HttpStatusCode.BadRequest)
                {
                    offences.Add($"{list}{wrong}: {(int)refused.StatusCode}");
                }
            }

            using var one = await app.Client.GetAsync(list + "limit=1");
            if (one.IsSuccessStatusCode && JsonElement.Parse(await one.Content.ReadAsStringAsync()).GetProperty("items").GetArrayLength() > 1)
            {
                offences.Add($"{list}limit=1: more than one");
            }
            else if (one.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.NotFound))
            {
                offences.Add($"{list}limit=1: {(int)one.StatusCode}");
            }
        }

        Assert.True(offences.Count == 0, string.Join('\n', offences));
    }

    [Theory]
    [InlineData("/api/v1/settings", "key")]
    [InlineData("/api/v1/models", "name")]
    public async Task A_list_in_memory_comes_whole_page_by_page(string path, string name)
    {
        await using var app = await TestApp.StartAsync();
        List<string> names = [];
        string? cursor = "";
        for (var pages = 0; cursor is not null; pages++)
        {
            Assert.True(pages < 100, "the list does not end");
            var page = await app.GetJsonAsync($"{path}?limit=7{cursor}");
            names.AddRange(page.GetProperty("items").EnumerateArray().Select(i => i.GetProperty(name).GetString()!));
            cursor = page.GetProperty("next_cursor").GetString() is { } next ? "&cursor=" + next : null;
        }

        Assert.NotEmpty(names);
        Assert.Equal(names.Count, names.Distinct(StringComparer.Ordinal).Count());
        var whole = await app.GetJsonAsync(path);
        Assert.Equal(names.Count, whole.GetProperty("items").GetArrayLength());
        Assert.Equal(JsonValueKind.Null, whole.GetProperty("next_cursor").ValueKind);
    }

    /// <summary>Their addresses with what they need, up to where a parameter can follow.</summary>
    private static IEnumerable<string> ListsOf(JsonElement api)
    {
        var schemas = api.GetProperty("components").GetProperty("schemas");
        foreach (var path in api.GetProperty("paths").EnumerateObject())
        {
            if (path.Value.TryGetProperty("get", out var get) && get.GetProperty("responses").TryGetProperty("200", out var ok) && ok.TryGetProperty("content", out var content)
                && content.TryGetProperty("application/json", out var json) && json.GetProperty("schema").TryGetProperty("$ref", out var reference)
                && schemas.GetProperty(reference.GetString()!.Split('/')[^1]).TryGetProperty("properties", out var properties)
                && properties.TryGetProperty("items", out _) && properties.TryGetProperty("next_cursor", out _))
            {
                yield return string.Join('/', path.Name.Split('/').Select(static p => p.Contains('{', StringComparison.Ordinal) ? Guid.CreateVersion7().ToString() : p)) + "?" + Needed(get);
            }
        }
    }

    private static string Needed(JsonElement operation) => !operation.TryGetProperty("parameters", out var parameters) ? "" : string.Concat(parameters.EnumerateArray()
        .Where(static p => p.GetProperty("in").GetString() == "query" && p.TryGetProperty("required", out var required) && required.GetBoolean())
        .Select(static p => p.GetProperty("name").GetString() + "=words&"));
}
