using System.Text;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Idempotency;

/// <summary>Where a query says what is to be done, or for whom, it belongs to the request that an <c>Idempotency-Key</c> stands for.</summary>
public sealed class KeyedQueriesTests
{
    private const string Retry = "/api/v1/runs/00000000-0000-7000-8000-000000000001/retry";

    [Fact]
    public async Task A_key_with_another_query_does_not_get_the_first_answer()
    {
        await using var app = await TestApp.StartAsync();
        using var bot = await app.AsAsync("bot", "agent");
        await OnceAsync(app.Client, "/api/v1/cache/clear?partial=agent:solo", "/api/v1/cache/clear");
        await OnceAsync(bot.Client, $"{Retry}?user_id=guest-2", $"{Retry}?user_id=guest-1");
    }

    private static async Task OnceAsync(HttpClient client, string first, string second)
    {
        using var made = await SendAsync(client, first);
        using var again = await SendAsync(client, first);
        Assert.Equal(made.StatusCode, again.StatusCode);
        Assert.NotEqual(422, (int)made.StatusCode);
        using var other = await SendAsync(client, second);
        var problem = await ProblemAssert.IsProblemAsync(other, 422, "idempotency_mismatch");
        Assert.Contains("another body or query", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
        request.Headers.Add("Idempotency-Key", "k");
        return await client.SendAsync(request);
    }
}
