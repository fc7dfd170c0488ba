using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;
using RootMas.LlmSimulator;
using RootMas.Tests.Platform.Http;
using RootMas.Tests.Support;

namespace RootMas.Tests.Web;

/// <summary>A test of the web app in a browser; skipped by name without Chromium or without a built app.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class WebFactAttribute : FactAttribute
{
    public WebFactAttribute() => Skip = WebWorld.Missing;
}

/// <inheritdoc cref="WebFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
public sealed class WebTheoryAttribute : TheoryAttribute
{
    public WebTheoryAttribute() => Skip = WebWorld.Missing;
}

/// <summary>One browser, and one server on the simulator's models, for all tests of the web app; they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class WebCollection : ICollectionFixture<WebWorld>
{
    public const string Name = "Web app";
}

/// <summary>What a browser is told about the person before it.</summary>
public sealed record Visit
{
    public string Language { get; init; } = "en-US";

    public int Width { get; init; } = 1280;

    public int Height { get; init; } = 800;

    public ColorScheme Theme { get; init; } = ColorScheme.Light;

    /// <summary>Whether whoever sits there likes to see things move.</summary>
    public bool Moves { get; init; }

    /// <summary>Whether the app's worker may stand between page and server.</summary>
    public bool Worker { get; init; }
}

/// <summary>The browser and the server that the tests of the web app share. Each test has a browser context, and people, of its own.</summary>
public sealed class WebWorld : IAsyncLifetime
{
    public const string Password = "correct horse battery 7";
    private IPlaywright _playwright = null!;
    private readonly SemaphoreSlim _opening = new(1);
    private Showroom? _showroom;
    private int _people;

    /// <summary>Why there is nothing to test; null: there is.</summary>
    public static string? Missing { get; } =
        !File.Exists(ChromiumFactAttribute.Path) ? "chromium is not installed"
        : !File.Exists(Path.Combine(AppContext.BaseDirectory, "wwwroot", "index.html")) ? "the web app was not built: ./rootmas test builds it with npm, unless it is called with --no-setup"
        : null;

    /// <summary>Pictures of the pages, kept by the test run.</summary>
    public static string Pictures { get; } = Repository.PathOf("artifacts", "web");

    public IBrowser Browser { get; private set; } = null!;

    public TestApp App { get; private set; } = null!;

    public Simulator Sim { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (Missing is not null)
        {
            return;
        }

        Sim = await Simulator.StartAsync("default: { text: \"Simulated answer.\" }");
        App = await TestApp.StartAsync(o =>
        {
            o.Environment["OPENAI_BASE_URL"] = Sim.OpenAiUrl;
            o.Environment["OPENAI_API_KEY"] = "sk-simulator";
            o.Settings["Outbound:Allow:0"] = new Uri(Sim.BaseUrl).Authority;
        });
        Directory.CreateDirectory(Pictures);
        _playwright = await PlaywrightStart.CreateAsync();
        Browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = ChromiumFactAttribute.Path,
            Headless = true,
            Timeout = 120_000,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
        Assertions.SetDefaultExpectTimeout(60_000);
    }

    public async Task DisposeAsync()
    {
        if (Browser is null)
        {
            return;
        }

        Sim.ReleaseAll();
        await (_showroom?.DisposeAsync() ?? ValueTask.CompletedTask);
        _opening.Dispose();
        await Browser.DisposeAsync();
        _playwright.Dispose();
        await App.DisposeAsync();
        await Sim.DisposeAsync();
    }

    /// <summary>From now on the models say this. What an earlier test held or counted is forgotten, so that its failure is its own.</summary>
    public void Say(string script)
    {
        Sim.Reset();
        Sim.Use(script);
    }

    /// <summary>Made when the first test wants it.</summary>
    public async Task<Showroom> ShowroomAsync()
    {
        await _opening.WaitAsync();
        try
        {
            return _showroom ??= await Showroom.OpenAsync(this);
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>Keeps how a page looks; with <c>ROOTMAS_APPROVE=1</c> also for the guides, if they show it.</summary>
    public async Task KeepPictureAsync(IPage page, string name, ColorScheme theme)
    {
        var language = await page.EvaluateAsync<string>("() => document.documentElement.lang");
        var file = $"{name}-{language}-{(theme == ColorScheme.Dark ? "dark" : "light")}";
        var picture = await page.ScreenshotAsync(new() { Path = Path.Combine(Pictures, file + ".png") });
        if (Approved.IsWanted && GuideTests.Shown().Contains(file + ".webp"))
        {
            // A third of the size, made by the browser that is there anyway.
            var small = await page.EvaluateAsync<string>(
                """
                async png => {
                  const image = await createImageBitmap(new Blob([Uint8Array.from(atob(png), c => c.charCodeAt(0))], { type: 'image/png' }));
                  const canvas = new OffscreenCanvas(image.width, image.height);
                  canvas.getContext('2d').drawImage(image, 0, 0);
                  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/webp', quality: 0.8 })).arrayBuffer());
                  return btoa(Array.from(bytes, b => String.fromCharCode(b)).join(''));
                }
                """,
                Convert.ToBase64String(picture));
            Directory.CreateDirectory(GuideTests.Pictures);
            await File.WriteAllBytesAsync(Path.Combine(GuideTests.Pictures, file + ".webp"), Convert.FromBase64String(small));
        }
    }

    /// <summary>An empty page before whoever sits there.</summary>
    public async Task<IPage> VisitAsync(Visit? visit = null, Uri? server = null)
    {
        visit ??= new Visit();
        var context = await Browser.NewContextAsync(new BrowserNewContextOptions
        {
            BaseURL = (server ?? App.Url).ToString(),
            Locale = visit.Language,
            TimezoneId = "Europe/Moscow",
            ViewportSize = new ViewportSize { Width = visit.Width, Height = visit.Height },
            ColorScheme = visit.Theme,
            ReducedMotion = visit.Moves ? ReducedMotion.NoPreference : ReducedMotion.Reduce,
            ServiceWorkers = visit.Worker ? ServiceWorkerPolicy.Allow : ServiceWorkerPolicy.Block,
        });
        context.SetDefaultTimeout(60_000);
        return await context.NewPageAsync();
    }

    /// <summary>Makes a user of the shared server.</summary>
    public async Task<(string Id, string Name)> NewPersonAsync(string role = "user", string? name = null)
    {
        name ??= $"person-{Interlocked.Increment(ref _people):000}"; // none is the beginning of another
        var made = await App.PostJsonAsync("/api/v1/users", new { username = name, role, password = Password }, HttpStatusCode.Created);
        return (made.GetProperty("id").GetString()!, name);
    }

    /// <summary>A page of somebody who is signed in already; nothing is opened yet.</summary>
    public async Task<IPage> SignedInAsync(string name, Visit? visit = null, Uri? server = null)
    {
        var page = await VisitAsync(visit, server);
        var answer = await page.Context.APIRequest.PostAsync("/api/v1/auth/login", new APIRequestContextOptions
        {
            DataObject = new { username = name, password = Password },
            Headers = [KeyValuePair.Create("X-RootMas-Csrf", "1")],
        });
        Assert.True(answer.Ok, await answer.TextAsync());
        return page;
    }

    /// <summary>A new person with an open conversation page.</summary>
    public async Task<IPage> NewChatAsync(Visit? visit = null, string role = "user")
    {
        var (_, name) = await NewPersonAsync(role);
        var page = await SignedInAsync(name, visit);
        await page.GotoAsync("/");
        return page;
    }
}
