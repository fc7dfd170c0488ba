using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace RootMas.Benchmarks.Load;

/// <summary>Result of many streams at once.</summary>
internal sealed record StreamSamples(Samples TimeToFirstToken, int Streams, int Complete, int Lost, int Doubled, string? Error);

/// <summary>Opens streams of chat completions at once, measures the time to the first text and compares every stream's text with what the model sent.</summary>
internal static class StreamLoad
{
    public static async Task<StreamSamples> RunAsync(Uri address, Func<int, byte[]> request, int streams, string text, TimeSpan atMost)
    {
        using var limit = new CancellationTokenSource(atMost);
        var connections = Enumerable.Range(0, streams).Select(_ => new HttpConnection(address)).ToArray();
        await Task.WhenAll(connections.Select(c => c.ConnectAsync(limit.Token)));
        var began = Stopwatch.GetTimestamp();
        var results = await Task.WhenAll(connections.Select((c, i) => Task.Run(() => OneAsync(c, request(i), limit.Token))));
        foreach (var connection in connections)
        {
            connection.Dispose();
        }

        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var words = text.Split(' ');
        var lost = 0;
        var doubled = 0;
        foreach (var result in results.Where(r => r.Error is null))
        {
            var seen = result.Text.Split(' ').GroupBy(w => w).ToDictionary(g => g.Key, g => g.Count());
            lost += words.Count(w => !seen.ContainsKey(w));
            doubled += seen.Values.Sum(n => n - 1);
        }

        var failed = results.Where(r => r.Error is not null).ToArray();
        return new StreamSamples(
            Samples.Of([.. results.Where(r => r.FirstToken > 0).Select(r => r.FirstToken)], seconds, failed.Length, failed.FirstOrDefault()?.Error),
            streams,
            results.Count(r => r.Error is null && r.Text == text),
            lost,
            doubled,
            failed.FirstOrDefault()?.Error);
    }

    private static async Task<StreamReader> OneAsync(HttpConnection connection, byte[] request, CancellationToken cancellationToken)
    {
        var reader = new StreamReader();
        try
        {
            reader.Begin();
            var status = await connection.SendAsync(request, reader, cancellationToken);
            if (status != 200)
            {
                reader.Error = $"status {status}: {reader.Raw}";
            }
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or OperationCanceledException or JsonException)
        {
            reader.Error = $"{e.GetType().Name}: {e.Message}";
        }

        return reader;
    }

    /// <summary>Reads server-sent events of chat completions.</summary>
    private sealed class StreamReader : IBodySink
    {
        private readonly StringBuilder _text = new();
        private readonly List<byte> _line = [];
        private long _began;

        public double FirstToken { get; private set; }

        public string Text => _text.ToString();

        public string Raw { get; private set; } = "";

        public string? Error { get; set; }

        public void Begin() => _began = Stopwatch.GetTimestamp();

        public void Body(ReadOnlySpan<byte> bytes)
        {
            if (Raw.Length == 0)
            {
                Raw = Encoding.UTF8.GetString(bytes[..Math.Min(200, bytes.Length)]);
            }

            while (bytes.IndexOf((byte)'\n') is var end and >= 0)
            {
                _line.AddRange(bytes[..end]);
                OnLine(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_line));
                _line.Clear();
                bytes = bytes[(end + 1)..];
            }

            _line.AddRange(bytes);
        }

        private void OnLine(ReadOnlySpan<byte> line)
        {
            if (!line.StartsWith("data: {"u8))
            {
                return;
            }

            var json = new Utf8JsonReader(line[6..]);
            while (json.Read())
            {
                if (json.TokenType == JsonTokenType.PropertyName && json.ValueTextEquals("content"u8))
                {
                    json.Read();
                    var piece = json.GetString();
                    if (!string.IsNullOrEmpty(piece))
                    {
                        FirstToken = FirstToken > 0 ? FirstToken : Stopwatch.GetElapsedTime(_began).TotalMilliseconds;
                        _text.Append(piece);
                    }

                    return;
                }
            }
        }
    }
}
