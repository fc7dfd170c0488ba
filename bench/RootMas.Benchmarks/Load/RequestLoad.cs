using System.Diagnostics;
using System.Text;

namespace RootMas.Benchmarks.Load;

/// <summary>Closed-loop load of plain requests: every connection sends its next request when the answer is complete.</summary>
internal static class RequestLoad
{
    private const int MostErrors = 3;

    /// <summary>One connection on this thread for <paramref name="count"/> requests or <paramref name="atMost"/>. It stops after three errors.</summary>
    /// <param name="patience">How long a target may be silent.</param>
    public static Samples Sequential(Uri address, Func<int, byte[]> request, int count, TimeSpan atMost, string expect, TimeSpan? patience = null)
    {
        using var connection = new HttpConnection(address, patience);
        var latencies = new List<double>(count);
        var check = new Check(expect);
        var began = Stopwatch.GetTimestamp();
        for (var i = 0; i < count && check.Errors < MostErrors && Stopwatch.GetElapsedTime(began) < atMost; i++)
        {
            var bytes = request(i);
            check.Begin();
            var at = Stopwatch.GetTimestamp();
            try
            {
                var status = connection.Send(bytes, check);
                var took = Stopwatch.GetElapsedTime(at).TotalMilliseconds;
                if (check.Ok(status))
                {
                    latencies.Add(took);
                }
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
            {
                check.Fail(e.Message);
                connection.Dispose();
            }
        }

        return Samples.Of(latencies, Stopwatch.GetElapsedTime(began).TotalSeconds, check.Errors, check.Error);
    }

    /// <summary>Each connection stops after three errors, and all of them at the end of the time, with the answers that they then wait for.</summary>
    /// <param name="patience">How long these last answers may take.</param>
    public static async Task<Samples> ParallelAsync(Uri address, Func<int, byte[]> request, int connections, TimeSpan warmup, TimeSpan duration, string expect, TimeSpan? patience = null)
    {
        using var stop = new CancellationTokenSource(warmup + duration + (patience ?? HttpConnection.Patience));
        var began = Stopwatch.GetTimestamp();
        var from = began + (long)(warmup.TotalSeconds * Stopwatch.Frequency);
        var until = from + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var number = 0;
        var workers = Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
        {
            using var connection = new HttpConnection(address);
            var latencies = new List<double>();
            var check = new Check(expect);
            long at;
            while ((at = Stopwatch.GetTimestamp()) < until && check.Errors < MostErrors)
            {
                check.Begin();
                try
                {
                    var status = await connection.SendAsync(request(Interlocked.Increment(ref number)), check, stop.Token);
                    if (check.Ok(status) && at >= from)
                    {
                        latencies.Add(Stopwatch.GetElapsedTime(at).TotalMilliseconds);
                    }
                }
                catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or OperationCanceledException)
                {
                    check.Fail(e is OperationCanceledException ? "an answer did not come" : e.Message);
                    connection.Dispose();
                }
            }

            return (latencies, check);
        })).ToArray();
        var results = await Task.WhenAll(workers);
        var all = results.SelectMany(r => r.latencies).ToList();
        var seconds = (Stopwatch.GetTimestamp() - from) / (double)Stopwatch.Frequency;
        return Samples.Of(all, seconds, results.Sum(r => r.check.Errors), results.Select(r => r.check.Error).FirstOrDefault(e => e is not null));
    }

    /// <summary>An answer counts only with status 200 and the expected text in it.</summary>
    private sealed class Check(string expect) : IBodySink
    {
        private readonly byte[] _expect = Encoding.UTF8.GetBytes(expect);
        private readonly byte[] _tail = new byte[4096];
        private int _length;
        private bool _found;

        public int Errors { get; private set; }

        public string? Error { get; private set; }

        public void Begin()
        {
            _length = 0;
            _found = false;
        }

        public void Body(ReadOnlySpan<byte> bytes)
        {
            if (_found)
            {
                return;
            }

            // Answers here are short; what does not fit is searched without what came before it.
            if (_length + bytes.Length > _tail.Length)
            {
                _length = 0;
                _found = bytes.IndexOf(_expect) >= 0;
                return;
            }

            bytes.CopyTo(_tail.AsSpan(_length));
            _length += bytes.Length;
            _found = _tail.AsSpan(0, _length).IndexOf(_expect) >= 0;
        }

        public bool Ok(int status)
        {
            if (status == 200 && _found)
            {
                return true;
            }

            Fail($"status {status}: {Encoding.UTF8.GetString(_tail, 0, Math.Min(_length, 300))}");
            return false;
        }

        public void Fail(string error)
        {
            Errors++;
            Error ??= error;
        }
    }
}
