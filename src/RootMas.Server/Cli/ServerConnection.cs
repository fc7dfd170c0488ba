using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary>
/// The server a command talks to: a remote one (<c>--server</c>, <c>ROOTMAS_SERVER</c>, or stored by <c>rootmas login</c>), the one that owns the data directory,
/// or one that this process runs for as long as the command takes.
/// </summary>
internal sealed class ServerConnection : IAsyncDisposable
{
    private readonly WebApplication? _own;
    private readonly HttpClient _http;

    /// <param name="data">The data directory that the server works on, whose token is shown: no proxy may come in between, as for any server on this machine. Null: it is elsewhere.</param>
    private ServerConnection(string url, string? key, DataDirectory? data, WebApplication? own, OutboundPolicy policy)
    {
        _own = own;
        // Long answers are streams and waits; single calls end by the server's own limits.
        var sockets = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10), AllowAutoRedirect = false, UseProxy = data is null && !new Uri(url).IsLoopback };
        if (data is not null)
        {
            ListenAddress.TakeCertificateOf(new Uri(url), sockets);
        }

        var wire = new ConnectTimeoutHandler(sockets);
        _http = new HttpClient(new PatientHandler(policy, data is null ? wire : new OperatorToken(data, key, wire)))
        {
            BaseAddress = new Uri(url),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (data is null && key is not null)
        {
            _http.DefaultRequestHeaders.Authorization = new("Bearer", key);
        }

        Api = new(_http);
        Url = url;
    }

    public ApiClient Api { get; }

    public string Url { get; }

    /// <summary>The server lives in this process and ends with it; runs go on when the next one starts.</summary>
    public bool IsOwn => _own is not null;

    /// <exception cref="CliException">The server cannot be named or started.</exception>
    public static async Task<ServerConnection> OpenAsync(CliOptions options, CancellationToken cancellationToken) => Running(options) ?? await StartAsync(options, PolicyOf(SettingsTree.Read(options.ToArguments())), cancellationToken);

    /// <summary>A server elsewhere, with a key that need not be stored.</summary>
    /// <exception cref="CliException">The server cannot be named.</exception>
    public static ServerConnection At(string server, string key, CliOptions options) => new(Checked(server), key, data: null, null, PolicyOf(SettingsTree.Read(options.ToArguments())));

    /// <summary>The server that was named, or that owns the data directory; null: there is none, and none is started.</summary>
    /// <exception cref="CliException">The server cannot be named.</exception>
    public static ServerConnection? Running(CliOptions options)
    {
        var tree = SettingsTree.Read(options.ToArguments());
        var policy = PolicyOf(tree);
        if (RemoteServer.Of(options, tree.Variables) is { } remote)
        {
            return new(Checked(remote.Url), remote.Key, data: null, null, policy);
        }

        using var data = new DataDirectory(tree.DataPath);
        data.RefuseClosed();
        if (Directory.Exists(tree.DataPath) && data.ReadOwner() is { } owner)
        {
            return owner.Url is { } url
                ? new(url, KeyFor(data, tree), data, null, policy)
                : throw new CliException(ExitCodes.Conflict, $"Process {owner.Pid} owns {tree.DataPath} but does not listen yet. Try again in a moment.");
        }

        return null;
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (_own is not null)
        {
            await _own.StopAsync();
            await _own.DisposeAsync();
        }
    }

    private static async Task<ServerConnection> StartAsync(CliOptions options, OutboundPolicy policy, CancellationToken cancellationToken)
    {
        var app = ServerHost.Build(options.ToArguments() with { Urls = "http://127.0.0.1:0", IsEmbedded = true });
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        var url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new(url, null, app.Services.GetRequiredService<DataDirectory>(), app, policy);
    }

    private static OutboundPolicy PolicyOf(SettingsTree tree) => new OutboundPolicies(tree.Take<ResilienceOptions>("Resilience"), TimeProvider.System).Get("cli");

    /// <summary>Whoever may read the data directory is the operator and needs none; others on the machine come with a key of their own.</summary>
    private static string? KeyFor(DataDirectory data, SettingsTree tree) =>
        LocalAccess.Read(data) is not null ? null : tree.Variables.Get("ROOTMAS_API_KEY")
        ?? throw new CliException(ExitCodes.NotAllowed, $"{data.File("local-token")} cannot be read by this user. Run the command as the user that runs the server, or set ROOTMAS_API_KEY.");

    private static string Checked(string server) =>
        Uri.TryCreate(server, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? server
            : throw new CliException(ExitCodes.Usage, $"'{server}' is not the address of a server. Give one like http://127.0.0.1:8000.");
}

/// <summary>A server that was named, and so is not looked for in the data directory.</summary>
/// <param name="Url">As it was named.</param>
/// <param name="Key">Null: none is given.</param>
/// <param name="NamedBy">For people: what names it.</param>
internal sealed record RemoteServer(string Url, string? Key, string NamedBy)
{
    /// <summary>Null: none is named.</summary>
    /// <exception cref="CliException">What was stored cannot be read.</exception>
    public static RemoteServer? Of(CliOptions options, Variables variables)
    {
        var stored = StoredLogin.Read(variables);
        var key = variables.Get("ROOTMAS_API_KEY");
        if ((options.Server ?? variables.Get("ROOTMAS_SERVER")) is { } named)
        {
            return new(named, key ?? (stored is not null && IsSame(stored.Server, named) ? stored.Key : null), options.Server is null ? "ROOTMAS_SERVER" : "--server");
        }

        return options.Data is null && stored is not null ? new(stored.Server, key ?? stored.Key, "'rootmas login'") : null;
    }

    /// <summary>However it is written: requests go to the host and port alone.</summary>
    private static bool IsSame(string one, string other) =>
        Uri.TryCreate(one, UriKind.Absolute, out var a) && Uri.TryCreate(other, UriKind.Absolute, out var b) && a.GetLeftPart(UriPartial.Authority) == b.GetLeftPart(UriPartial.Authority);
}

/// <summary>Shows the token of the data directory as it is at each try: a server that was started again, while a chat reconnects, has written a new one.</summary>
internal sealed class OperatorToken(DataDirectory data, string? otherwise, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Headers.Authorization = (LocalAccess.Read(data) ?? otherwise) is { } token ? new("Bearer", token) : null;
        return base.SendAsync(request, cancellationToken);
    }
}

/// <summary>What <c>rootmas login</c> keeps, readable by its user only.</summary>
internal sealed record StoredLogin(string Server, string Key)
{
    public static StoredLogin? Read(Variables variables)
    {
        var path = PathOf(variables);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.Text("server") is { } server && document.RootElement.Text("key") is { } key ? new(server, key) : null;
        }
        catch (JsonException e)
        {
            throw new CliException(ExitCodes.Usage, $"{path} cannot be read. Remove it and run 'rootmas login' again.", e);
        }
    }

    public string Write(Variables variables)
    {
        var path = PathOf(variables);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            File.Delete(path);
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var file = new FileStream(path, options);
        JsonSerializer.Serialize(file, new Dictionary<string, string>(StringComparer.Ordinal) { ["server"] = Server, ["key"] = Key });
        return path;
    }

    private static string PathOf(Variables variables) => Path.Combine(
        variables.Get("XDG_CONFIG_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config"), "rootmas", "login.json");
}
