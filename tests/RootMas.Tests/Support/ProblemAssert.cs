using System.Text.Json;

namespace RootMas.Tests.Support;

/// <summary>What every refusal looks like.</summary>
public static class ProblemAssert
{
    /// <summary>The answer is a complete problem document with this status and code; gives it back.</summary>
    public static async Task<JsonElement> IsProblemAsync(HttpResponseMessage response, int status, string? code = null)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode == status, $"expected {status}, got {(int)response.StatusCode}: {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        foreach (var member in (string[])["type", "title", "detail", "instance", "code", "trace_id"])
        {
            Assert.False(string.IsNullOrWhiteSpace(problem.GetProperty(member).GetString()), $"{member} is missing: {text}");
        }

        if (code is not null)
        {
            Assert.Equal(code, problem.GetProperty("code").GetString());
        }

        Assert.DoesNotContain("Exception", text, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
        Assert.True(response.Headers.Contains("X-Request-Id") && response.Headers.Contains("X-Process-Time"), "the headers of every answer are missing");
        return problem;
    }

    public static void Names(JsonElement problem, string field) =>
        Assert.True(problem.TryGetProperty("errors", out var errors) && errors.TryGetProperty(field, out _), $"the field {field} is not named: {problem}");
}
