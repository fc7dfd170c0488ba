using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using RootMas.Benchmarks;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;
using RootMas.Tests.Deploy;
using RootMas.Tests.Support;

namespace RootMas.Tests.Benchmarks;

/// <summary>What the bench starts ends with it, and what hangs does not hold it up.</summary>
public sealed class BenchEndTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200);

    [Fact]
    public async Task An_interrupted_bench_leaves_neither_processes_nor_its_folder()
    {
        using var temp = new TempFolder();
        var start = new ProcessStartInfo("dotnet", [typeof(BenchOptions).Assembly.Location, "--only", "b10", "--no-peers"])
        {
            UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true,
            Environment = { ["TMPDIR"] = temp.Path, ["ROOTMAS_BENCH_PROGRAM"] = ServerProcess.ProgramPath() },
        };
        using var bench = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        try
        {
            var line = await bench.StandardError.ReadLineAsync(limit.Token); // the first server stands, with what was started before it
            Assert.StartsWith("[bench", line, StringComparison.Ordinal);
            Assert.NotEmpty(Directory.GetDirectories(temp.Path, "rootmas-bench-*"));
            await Shell.DoAsync("/bin/sh", ["-c", $"kill -TERM {bench.Id}"]);
            var said = await bench.StandardError.ReadToEndAsync(limit.Token);
            await bench.WaitForExitAsync(limit.Token);
            Assert.True(bench.ExitCode == 128 + 15, $"{bench.ExitCode}: {said}");
            Assert.Contains("interrupted", said, StringComparison.Ordinal);
            Assert.Empty(Directory.GetDirectories(temp.Path, "rootmas-bench-*"));
            Assert.Empty(ProcessTree.With($"TMPDIR={temp.Path}"));
        }
        finally
        {
            bench.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public async Task What_was_started_ends_with_what_it_started_in_its_turn()
    {
        await using var child = Child.Start("/bin/sh", ["-c", "(sleep 300 & echo $!); sleep 300 & echo $!; wait"], core: null, readsLines: true);
        int[] all = [child.Pid, int.Parse((await child.ReadLineAsync(Short * 100))!, CultureInfo.InvariantCulture), int.Parse((await child.ReadLineAsync(Short * 100))!, CultureInfo.InvariantCulture)]; // the second has left its parent
        Assert.Equal(all.Order(), ProcessTree.Of(all).Order());
        await Child.EndAllAsync(startNoMore: false);
        Assert.Empty(ProcessTree.Of(all));
    }

    [Fact]
    public async Task A_child_that_was_killed_can_be_given_up_twice()
    {
        var child = Child.Start("/bin/sleep", ["300"], core: null);
        await child.SignalAsync(9);
        await child.DisposeAsync();
        Assert.True(child.HasExited);
        await child.SignalAsync(9); // its number may be another's by now
        await child.DisposeAsync();
    }

    [Fact]
    public async Task Processor_time_counts_what_a_program_started()
    {
        await using var child = Child.Start("/bin/sh", ["-c", "(i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done); echo done; sleep 300"], core: null, readsLines: true);
        Assert.Equal("done", await child.ReadLineAsync(TimeSpan.FromMinutes(2)));
        Assert.True(ProcessTree.CpuOf(child.Pid) > Machine.CpuOf(child.Pid));
        Assert.True(ProcessTree.CpuOf(Environment.ProcessId) >= ProcessTree.CpuOf(child.Pid));
    }

    [Fact]
    public async Task A_target_that_never_answers_is_an_error_and_not_the_end_of_the_bench()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var address = new Uri($"http://{silent.LocalEndpoint}");
        var request = HttpConnection.Get(address, "/");
        var one = await Task.Run(() => RequestLoad.Sequential(address, _ => request, 1_000, TimeSpan.FromMinutes(5), "text", Short));
        Assert.True(one.Failed);
        Assert.Equal((0, 3), (one.Count, one.Errors));

        var many = await RequestLoad.ParallelAsync(address, _ => request, 2, TimeSpan.Zero, Short, "text", Short);
        Assert.Equal((0, 2), (many.Count, many.Errors));
        Assert.Equal("an answer did not come", many.Error);
    }
}
