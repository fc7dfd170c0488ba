using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RootMas.Server;
using RootMas.Server.Identity;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Web;

namespace RootMas.Tests.Support;

/// <summary>What a test changes about the server it starts.</summary>
public sealed class TestAppOptions
{
    /// <summary>Settings by key: <c>o.Settings["Limits:Requests"] = "3/1m"</c>. Limits are out of the way where a test says nothing.</summary>
    public Dictionary<string, string> Settings { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The process environment the server sees; nothing of the real one gets through.</summary>
    public Dictionary<string, string> Environment { get; } = new(StringComparer.Ordinal);

    /// <summary>An existing data directory (a restart); null: a fresh one, removed at the end.</summary>
    public string? Data { get; set; }

    /// <summary>The address of a PostgreSQL database that the test made and drops; null: what the tests of the class run on.</summary>
    public string? Postgres { get; set; }

    /// <summary>A config directory; null: a copy of the repository's.</summary>
    public string? Config { get; set; }

    /// <summary>Changes the config directory's copy before the start: <c>o.ConfigFiles["settings.yaml"] = "…"</c>.</summary>
    public Dictionary<string, string> ConfigFiles { get; } = new(StringComparer.Ordinal);

    /// <summary>The server's clock; null: the real one.</summary>
    public TimeProvider? Clock { get; set; }

    /// <summary>Cost of password hashes. Production would not take so little by its settings; a test that hashes a thousand passwords has no hours to spare.</summary>
    public int PasswordCost { get; set; } = 4;

    /// <summary>A folder with a built web app; null: the one that was built, if it was.</summary>
    public string? Web { get; set; }

    /// <summary>Changes the services before the application is built.</summary>
    public Action<IServiceCollection>? Services { get; set; }

    /// <summary>Adds to the application after it was built: routes that a test needs.</summary>
    public Action<WebApplication>? Configure { get; set; }
}

/// <summary>The real server on a real socket (a free port of 127.0.0.1), with a data and config directory of its own and no models but the offline one.</summary>
public sealed class TestApp : IAsyncDisposable
{
    private readonly bool _ownsData;
    private readonly string _root;

    private TestApp(WebApplication app, string root, string data, bool ownsData)
    {
        App = app;
        _root = root;
        Data = data;
        _ownsData = ownsData;
        Url = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        Client = NewClient();
    }

    public WebApplication App { get; }

    public IServiceProvider Services => App.Services;

    public Uri Url { get; }

    /// <summary>Speaks to the server as the local administrator; does not follow redirects.</summary>
    public HttpClient Client { get; }

    public string Data { get; }

    /// <summary>The address of its PostgreSQL database; null: it has SQLite.</summary>
    public string? Postgres { get; private init; }

    /// <summary>Others use it too, and who made it drops it.</summary>
    private bool SharesDatabase { get; init; }

    public string Config => Path.Combine(_root, "config");

    public static async Task<TestApp> StartAsync(Action<TestAppOptions>? configure = null)
    {
        var options = new TestAppOptions();
        configure?.Invoke(options);
        foreach (var (key, value) in LimitSettings.OutOfTheWay)
        {
            options.Settings.TryAdd(key, value);
        }

        var root = Directory.CreateTempSubdirectory("rootmas-test-").FullName;
        var config = Path.Combine(root, "config");
        CopyDirectory(options.Config ?? Path.Combine(Repository.Root, "config"), config);
        foreach (var (name, text) in options.ConfigFiles)
        {
            var path = Path.Combine(config, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path, text);
        }

        var data = options.Data ?? Path.Combine(root, "data");
        var postgres = options.Postgres ?? await TestDatabase.ForFolderAsync(data);
        if (postgres is not null)
        {
            options.Settings.TryAdd("Database:Kind", "postgres");
            options.Settings.TryAdd("Database:ConnectionString", postgres);
            options.Settings.TryAdd("Database:PoolMin", "1");
            options.Settings.TryAdd("Database:PoolMax", "4"); // at its start each of fifteen services would have one made for itself
            options.Settings.TryAdd("Database:ConnectTimeout", "00:01:00"); // a machine that stands still for a moment has no full pool
        }
        else if (options is { Data: null, Clock: null }) // by another clock it was installed at another time
        {
            using var directory = new DataDirectory(data);
            SqliteTemplate.PutInto(directory);
        }

        var builder = ServerHost.Configure(new ServerArguments
        {
            Urls = "http://127.0.0.1:0",
            Data = data,
            Config = config,
            Environment = options.Environment,
            WorkingDirectory = root,
            Settings = options.Settings,
        });
        Prepare(builder.Services, options);
        var app = ServerHost.Build(builder);
        options.Configure?.Invoke(app);
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync(); // or the data directory stays locked
            throw;
        }

        return new TestApp(app, root, data, options.Data is null) { Postgres = postgres, SharesDatabase = options.Postgres is not null };
    }

    /// <summary>What whoever holds the data directory shows.</summary>
    public string LocalToken => File.ReadAllText(Path.Combine(Data, "local-token")).Trim();

    /// <summary>As the local administrator.</summary>
    public HttpClient NewClient() => NewClient(LocalToken);

    /// <summary>With a token or key of somebody's; null: nobody.</summary>
    public HttpClient NewClient(string? token)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false, Expect100ContinueTimeout = TimeSpan.FromMinutes(1) }) { BaseAddress = Url, Timeout = TimeSpan.FromSeconds(60) };
        client.DefaultRequestHeaders.Authorization = token is null ? null : new("Bearer", token);
        return client;
    }

    public T Get<T>()
        where T : notnull => Services.GetRequiredService<T>();

    /// <summary>Sends text as a JSON body.</summary>
    public Task<HttpResponseMessage> PostAsync(string path, string json) => SendAsync(HttpMethod.Post, path, json);

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? json = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        if (json is not null)
        {
            request.Content = new ByteArrayContent(System.Text.Encoding.UTF8.GetBytes(json)) { Headers = { ContentType = new("application/json") } };
        }

        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await Client.SendAsync(request);
    }

    /// <summary>GETs JSON and expects success.</summary>
    public async Task<JsonElement> GetJsonAsync(string path)
    {
        using var response = await Client.GetAsync(path);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"GET {path}: {(int)response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>POSTs JSON and expects <paramref name="status"/>.</summary>
    public async Task<JsonElement> PostJsonAsync(string path, object body, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var response = await Client.PostAsJsonAsync(path, body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == status, $"POST {path}: {(int)response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>Stops the server the way SIGTERM does, and keeps the data directory for a restart.</summary>
    public async Task StopAsync() => await App.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.DisposeAsync();
        Directory.Delete(_root, recursive: true); // data that stay lie elsewhere
        if (_ownsData && Postgres is not null && !SharesDatabase)
        {
            await TestDatabase.DropForFolderAsync(Data);
        }
    }

    private static void Prepare(IServiceCollection services, TestAppOptions options)
    {
        var identity = (IdentityOptions)services.Last(d => d.ServiceType == typeof(IdentityOptions)).ImplementationInstance!;
        services.AddSingleton(identity with { PasswordCost = options.PasswordCost });
        // A machine that stands still for two seconds has no sick dependencies.
        services.AddSingleton(static p => new HealthMonitor(
            p.GetServices<IHealthProbe>(), p.GetRequiredService<IHostApplicationLifetime>(), p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILogger<HealthMonitor>>()) { Patience = TimeSpan.FromSeconds(10) });
        if (options.Web is { } web)
        {
            services.AddSingleton(new WebFiles(web));
        }

        if (options.Clock is { } clock)
        {
            services.AddSingleton(clock);
        }

        options.Services?.Invoke(services);
    }

    private static void CopyDirectory(string from, string to)
    {
        Directory.CreateDirectory(to);
        if (!Directory.Exists(from))
        {
            return;
        }

        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }
    }
}
