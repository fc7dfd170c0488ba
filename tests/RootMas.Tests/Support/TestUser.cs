using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace RootMas.Tests.Support;

/// <summary>Somebody who has logged in.</summary>
public sealed class TestUser(HttpClient client, string id, string username, string password, string accessToken, string refreshToken) : IDisposable
{
    public HttpClient Client { get; } = client;

    public string Id { get; } = id;

    public string Username { get; } = username;

    public string Password { get; } = password;

    public string AccessToken { get; } = accessToken;

    public string RefreshToken { get; } = refreshToken;

    public async Task<JsonElement> GetAsync(string path, HttpStatusCode status = HttpStatusCode.OK) => await JsonAsync(await Client.GetAsync(path), status);

    public async Task<JsonElement> PostAsync(string path, object body, HttpStatusCode status = HttpStatusCode.OK) => await JsonAsync(await Client.PostAsJsonAsync(path, body), status);

    public void Dispose() => Client.Dispose();

    internal static async Task<JsonElement> JsonAsync(HttpResponseMessage response, HttpStatusCode status)
    {
        using (response)
        {
            var text = await response.Content.ReadAsStringAsync();
            Assert.True(response.StatusCode == status, $"{response.RequestMessage}: {(int)response.StatusCode} {text}");
            return text.Length == 0 ? default : JsonElement.Parse(text);
        }
    }
}

/// <summary>People in a test: <c>using var alice = await app.AsAsync("alice");</c>.</summary>
public static class TestUsers
{
    public const string Password = "a horse, 9 batteries";

    /// <summary>Adds the user, if there is none of that name, and logs in.</summary>
    public static async Task<TestUser> AsAsync(this TestApp app, string username, string role = "user")
    {
        await app.AddUserAsync(username, role);
        return await app.LogInAsync(username, Password);
    }

    /// <summary>The user's id, also if there is one of that name already.</summary>
    public static async Task<string> AddUserAsync(this TestApp app, string username, string role = "user", string password = Password)
    {
        using var answer = await app.Client.PostAsJsonAsync("/api/v1/users", new { username, password, role });
        if (answer.StatusCode == HttpStatusCode.Conflict)
        {
            return (await app.GetJsonAsync($"/api/v1/users?username={username}")).GetProperty("items")[0].GetProperty("id").GetString()!;
        }

        return (await TestUser.JsonAsync(answer, HttpStatusCode.Created)).GetProperty("id").GetString()!;
    }

    public static async Task<TestUser> LogInAsync(this TestApp app, string username, string password)
    {
        using var nobody = app.NewClient(null);
        var answer = await TestUser.JsonAsync(await nobody.PostAsJsonAsync("/api/v1/auth/login", new { username, password }), HttpStatusCode.OK);
        var token = answer.GetProperty("access_token").GetString()!;
        return new TestUser(app.NewClient(token), answer.GetProperty("user").GetProperty("id").GetString()!, username, password, token, answer.GetProperty("refresh_token").GetString()!);
    }

    /// <summary>Rows of the audit log, oldest first: action, outcome, actor and target.</summary>
    public static async Task<List<AuditRow>> AuditAsync(this TestApp app) =>
        await app.Get<RootMas.Server.Platform.Data.IDatabase>().ReadAsync(
            static session => new ValueTask<List<AuditRow>>(RootMas.Server.Platform.Data.DbSessionExtensions.ListAsync(
                session.Prepared("select action, outcome, actor_name, target_id, before, after from audit order by id"),
                static row => new AuditRow(row.GetString(0), row.GetString(1), Text(row, 2), Text(row, 3), Text(row, 4), Text(row, 5))).AsTask()),
            default);

    private static string? Text(System.Data.Common.DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);
}

public sealed record AuditRow(string Action, string Outcome, string? Actor, string? Target, string? Before, string? After);

/// <summary>What administrators do to users.</summary>
public static class TestUserChanges
{
    /// <summary>PATCHes a user as the local administrator.</summary>
    public static async Task ChangeUserAsync(this TestApp app, string id, string change)
    {
        using var now = await app.Client.GetAsync($"/api/v1/users/{id}");
        using var answer = await app.SendAsync(HttpMethod.Patch, $"/api/v1/users/{id}", change, ("If-Match", now.Headers.ETag!.ToString()));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }
}
