using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Architecture;

/// <summary>One running server for all tests that look at its surfaces.</summary>
public sealed class ServerFixture : IAsyncLifetime
{
    public TestApp App { get; private set; } = null!;

    /// <summary>The API description, parsed.</summary>
    public JsonElement Api { get; private set; }

    public string ApiText { get; private set; } = "";

    public async Task InitializeAsync()
    {
        App = await TestApp.StartAsync();
        ApiText = await App.Client.GetStringAsync("/openapi/v1.json");
        Api = JsonDocument.Parse(ApiText).RootElement;
    }

    public async Task DisposeAsync() => await App.DisposeAsync();
}

[CollectionDefinition(Name)]
public sealed class SurfaceCollection : ICollectionFixture<ServerFixture>
{
    public const string Name = "surfaces";
}
