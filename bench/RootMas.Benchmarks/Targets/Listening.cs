using System.Diagnostics;
using System.Net.Sockets;

namespace RootMas.Benchmarks.Targets;

/// <summary>Waits until a program accepts connections.</summary>
internal static class Listening
{
    /// <summary>False: it ended, or did not within the time.</summary>
    public static async Task<bool> AnswersAsync(int port, Child child, TimeSpan atMost)
    {
        for (var began = Stopwatch.GetTimestamp(); !child.HasExited && Stopwatch.GetElapsedTime(began) < atMost; await Task.Delay(100))
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync("127.0.0.1", port);
                return true;
            }
            catch (SocketException)
            {
                // Not listening yet.
            }
        }

        return false;
    }
}
