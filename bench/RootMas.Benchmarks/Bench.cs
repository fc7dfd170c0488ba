using System.Diagnostics;
using RootMas.Benchmarks.Cases;
using RootMas.Benchmarks.Cluster;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Results;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks;

/// <summary>What the cases share.</summary>
internal sealed class BenchContext
{
    public required BenchOptions Options { get; init; }

    public required Report Report { get; init; }

    public required ModelServer Model { get; init; }

    public required Peers Peers { get; init; }

    /// <summary>Where tested programs run; null: wherever there is room.</summary>
    public int? Core { get; init; } = Machine.TestedCore;

    /// <summary>Agent runtimes that keep nothing are left out: they stand in the other table.</summary>
    public bool OnlyDurablePeers { get; init; }

    public long Began { get; } = Stopwatch.GetTimestamp();

    /// <summary>Deleted at the end.</summary>
    public required string Folder { get; init; }

    /// <summary>nginx, the .NET hop, Portkey: what only forwards.</summary>
    public List<Target> Proxies { get; } = [];

    /// <summary>Our server, all features on, and bare.</summary>
    public List<RootMasServer> Servers { get; } = [];

    /// <summary>Everything that answers chat completions, ours first.</summary>
    public IEnumerable<Target> Completions => Servers.Select(s => s.Target).Concat(Proxies);

    public Machine.ForeignLoad Foreign { get; } = new();

    public void Note(string text) => Console.Error.WriteLine($"[bench {Stopwatch.GetElapsedTime(Began).TotalSeconds,4:0} s] {text}");

    public async Task RoundAsync(Func<Task> round)
    {
        Foreign.Begin();
        await round();
        Report.ForeignLoad.Add(Foreign.End());
    }
}

/// <summary>Starts what is compared, runs the cases, writes the results.</summary>
internal sealed class Bench(BenchOptions options)
{
    private static readonly (string Name, Func<BenchContext, Task> Run)[] All =
    [
        ("b1", LatencyCase.RunAsync),
        ("b2", ThroughputCase.RunAsync),
        ("b3", StreamCase.RunAsync),
        ("b4", StreamMemoryCase.RunAsync),
        ("b5", IdleCase.RunAsync),
        ("b6", AgentRunCase.RunAsync),
        ("b8", CacheHitCase.RunAsync),
        ("b9", VectorCase.RunAsync),
        ("b10", SemanticCacheCase.RunAsync),
        ("b13", CrashCase.RunAsync),
        ("b14", StartupCase.RunAsync),
    ];

    /// <summary>Three disturbed seconds at the very beginning are no sign of being warm.</summary>
    private const int Least = 12;

    /// <summary>As the command line names them.</summary>
    public static IReadOnlyList<string> Cases { get; } = [.. All.Select(static c => c.Name)];

    public async Task<int> RunAsync()
    {
        await using var session = new Session();
        var report = new Report { Began = TimeProvider.System.GetUtcNow(), Machine = Machine.Describe(), Command = "bench", Form = options.Form(Cases) };
        var path = Path.Combine(options.Repository, "artifacts", "bench", $"{report.Began:yyyyMMdd-HHmmss}.json");
        Machine.PinLoad();
        await using (var model = await ModelServer.StartAsync())
        {
            var context = new BenchContext
            {
                Options = options,
                Report = report,
                Model = model,
                Folder = session.Folder,
                Peers = new Peers(Path.Combine(options.Repository, "bench", "peers"), text => Console.Error.WriteLine($"[bench] {text}")),
            };
            try
            {
                await StartTargetsAsync(context);
                await WarmUpAsync(context);
                foreach (var (name, run) in All.Where(c => options.Wants(c.Name)))
                {
                    await CaseAsync(context, name, run);
                    await report.SaveAsync(path); // what was measured stays, also when a later case is interrupted
                }
            }
            finally
            {
                await StopAsync(context);
            }
        }

        return await EndAsync(options, report, path);
    }

    /// <summary>Shows what was measured. Not 0: something was not, or could not be put into the page.</summary>
    internal static async Task<int> EndAsync(BenchOptions options, Report report, string path)
    {
        var shown = await ShowAsync(options, report, path);
        if (report.Failures > 0)
        {
            await Console.Error.WriteLineAsync($"[bench] {report.Failures} figures lack rounds or were not measured; the tables say why");
        }

        return report.Failures > 0 ? 1 : shown;
    }

    /// <summary>Prints what was measured, and puts it into the page if that was asked for: in place of all that is there where every case is among it, else in place of its cases.</summary>
    /// <returns>2: it does not belong into the page.</returns>
    internal static async Task<int> ShowAsync(BenchOptions options, Report report, string path)
    {
        var markdown = Markdown.Write(report);
        await Console.Out.WriteLineAsync(markdown);
        await Console.Error.WriteLineAsync($"[bench] raw results: {path}");
        var cases = (report.Command == ClusterBench.Command ? ClusterBench.Cases : Cases).Select(CaseNotes.NameOf);
        try
        {
            if (options.Publish)
            {
                await Markdown.PublishAsync(Path.Combine(options.Repository, "docs", "performance.md"), report.Command, markdown, cases.Except(report.Cases, StringComparer.Ordinal).Any() ? report : null);
            }

            return 0;
        }
        catch (InvalidDataException e)
        {
            await Console.Error.WriteLineAsync($"[bench] {e.Message}");
            return 2;
        }
    }

    /// <summary>A case that fails is told and does not take the others with it.</summary>
    internal static async Task CaseAsync(BenchContext context, string name, Func<BenchContext, Task> run)
    {
        context.Note($"{name} …");
        try
        {
            await run(context);
            if (Session.IsInterrupted)
            {
                throw new OperationCanceledException($"{name} was interrupted"); // its last figures are of programs that were being ended
            }
        }
#pragma warning disable CA1031 // hours of other cases must not be lost with this one
        catch (Exception e) when (!Session.IsInterrupted)
#pragma warning restore CA1031
        {
            context.Report.Missing(CaseNotes.NameOf(name), "case", "Root-MAS", "failed", "", $"{e.GetType().Name}: {e.Message}");
            context.Note($"{name} failed: {e}");
        }
    }

    private async Task StartTargetsAsync(BenchContext context)
    {
        await context.Model.InstantAsync();
        context.Proxies.Add(await ReverseProxies.NginxAsync(context.Model.Address, context.Folder));
        context.Proxies.Add(await ReverseProxies.HopAsync(context.Model.Address));
        if (options.Peers && (options.Wants("b1") || options.Wants("b2")))
        {
            context.Proxies.Add(await ReverseProxies.PortkeyAsync(context.Model.Address, context.Peers));
        }

        foreach (var mode in new[] { ServerMode.Durable, ServerMode.Bare })
        {
            context.Servers.Add(await RootMasServer.StartAsync(context, mode));
            context.Note($"{context.Servers[^1].Target.Name}: {context.Servers[^1].Target.Missing ?? "ready"}");
        }

        foreach (var target in context.Completions)
        {
            context.Report.Versions[target.Name] = target.Missing ?? target.Version;
        }
    }

    /// <summary>
    /// Load and pauses in turn, for each target at least some seconds, and until three in a row brought no higher rate: a runtime compiles its hot code while it works, on the one core that it has here, and takes as long as it takes.
    /// </summary>
    /// <param name="most">Seconds for each target; null: those of the form.</param>
    internal static async Task WarmUpAsync(BenchContext context, int? most = null)
    {
        foreach (var target in context.Completions.Where(t => t.Missing is null))
        {
            await WarmUpAsync(context, target, target.Completion("hello"), ModelServer.Text, most ?? (context.Options.Quick ? 25 : 40));
        }

        context.Note("warm");
    }

    /// <summary>Until three more seconds make it no faster, from <paramref name="least"/> to <paramref name="most"/> seconds.</summary>
    internal static async Task WarmUpAsync(BenchContext context, Target target, byte[] request, string text, int most, int least = Least)
    {
        var (best, still, seconds) = (0, 0, 0);
        for (; (still < 3 || seconds < least) && seconds < most; seconds++)
        {
            var samples = await RequestLoad.ParallelAsync(target.Address!, _ => request, 8, TimeSpan.Zero, TimeSpan.FromSeconds(1), text);
            still = samples.Count > best * 1.03 ? 0 : still + 1;
            best = Math.Max(best, samples.Count);
            await Task.Delay(TimeSpan.FromMilliseconds(200));
        }

        context.Note($"{target.Name}: warm after {seconds} s at {best} answers a second");
    }

    private static async Task StopAsync(BenchContext context)
    {
        foreach (var target in context.Completions.Where(t => t.Process is not null))
        {
            await target.Process!.DisposeAsync();
        }
    }
}
