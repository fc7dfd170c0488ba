using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

public sealed class FactSignsOnSqliteTests() : FactSignsTests(DatabaseKind.Sqlite);

public sealed class FactSignsOnPostgresTests() : FactSignsTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>Signs that make another word or number make another fact.</summary>
public abstract class FactSignsTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseTheory]
    [InlineData("The cellar is kept at -5 degrees", "The cellar is kept at 5 degrees")]
    [InlineData("Writes programs in C", "Writes programs in C++")]
    [InlineData("Writes programs in C++", "Writes programs in C#")]
    [InlineData("The fee is 5%", "The fee is 5")]
    [InlineData("The fee is $5", "The fee is €5")]
    [InlineData("Drinks 1/2 of it", "Drinks 1.2 of it")]
    [InlineData("!!!", "???")]
    [InlineData("Signs letters with 🍕", "Signs letters with 🍔")]
    public async Task A_fact_that_differs_in_such_a_sign_is_another_one_and_a_correction_to_it_is_a_new_version(string one, string other)
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        using var bob = await app.AsAsync("bob");
        foreach (var text in (string[])[one, other])
        {
            Assert.Equal(text, (await alice.PostAsync("/api/v1/memory", new { text }, HttpStatusCode.Created)).GetProperty("text").GetString());
        }

        Assert.Equal(2, (await alice.GetAsync("/api/v1/memory")).GetProperty("items").GetArrayLength());
        await alice.PostAsync("/api/v1/memory", new { text = other }, HttpStatusCode.Created); // which is known
        Assert.Equal(2, (await alice.GetAsync("/api/v1/memory")).GetProperty("items").GetArrayLength());

        var fact = await bob.PostAsync("/api/v1/memory", new { text = one }, HttpStatusCode.Created);
        using var read = await bob.Client.GetAsync($"/api/v1/memory/{fact.Id()}");
        using var change = new HttpRequestMessage(HttpMethod.Patch, $"/api/v1/memory/{fact.Id()}") { Content = JsonContent.Create(new { text = other }), Headers = { IfMatch = { read.Headers.ETag! } } };
        using var corrected = await bob.Client.SendAsync(change);
        var now = JsonElement.Parse(await corrected.Content.ReadAsStringAsync());
        Assert.NotEqual(fact.Id(), now.Id());
        Assert.Equal([one, other], (await bob.GetAsync($"/api/v1/memory/{now.Id()}/why")).GetProperty("history").EnumerateArray().Select(static f => f.GetProperty("text").GetString()));
    }

    [DatabaseTheory]
    [InlineData("The fee is 5 %", "the fee is 5%!")]
    [InlineData("Writes C++, and likes it", "Writes C++ and likes it.")]
    [InlineData("Drinks 1,5 litres", "Drinks 1.5 litres")]
    [InlineData("It is −5 there", "It is -5 there")]
    [InlineData("Ёлка — в углу", "елка: в углу")]
    [InlineData("Works step-by-step", "Works step by step")]
    public async Task Case_spaces_and_punctuation_make_no_other_fact(string one, string other)
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var first = await alice.PostAsync("/api/v1/memory", new { text = one }, HttpStatusCode.Created);
        Assert.Equal(first.Id(), (await alice.PostAsync("/api/v1/memory", new { text = other }, HttpStatusCode.Created)).Id());
    }

    [DatabaseTheory]
    [InlineData("/api/v1/memory", "text")]
    [InlineData("/api/v1/memory/team", "text")]
    [InlineData("/api/v1/collections", "name")]
    [InlineData("/api/v1/knowledge/search", "query")]
    public async Task Nothing_but_spaces_is_no_text(string path, string member)
    {
        await using var app = await TestApp.StartAsync();
        var refused = await app.PostJsonAsync(path, new Dictionary<string, string>(StringComparer.Ordinal) { [member] = " \t   " }, HttpStatusCode.BadRequest);
        Assert.Equal("validation_failed", refused.GetProperty("code").GetString());
        Assert.True(refused.GetProperty("errors").TryGetProperty(member, out _), refused.ToString());
    }

    [DatabaseTheory]
    [InlineData("memory", """{"text":"I like tea"}""", """{"text":"   "}""")]
    [InlineData("collections", """{"name":"Handbooks"}""", """{"name":"   "}""")]
    public async Task Nothing_is_changed_to_nothing_but_spaces(string kind, string body, string change)
    {
        await using var app = await TestApp.StartAsync();
        using var made = await app.PostAsync($"/api/v1/{kind}", body);
        var id = JsonElement.Parse(await made.Content.ReadAsStringAsync()).Id();
        using var answer = await app.SendAsync(HttpMethod.Patch, $"/api/v1/{kind}/{id}", change, ("If-Match", made.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }
}
