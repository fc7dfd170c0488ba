using System.Diagnostics.Metrics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Telemetry;
using RootMas.Server.Platform.Text;
using BCryptNet = BCrypt.Net.BCrypt;

namespace RootMas.Server.Identity.Users;

/// <summary>
/// Password hashes: bcrypt over base64(HMAC-SHA-256(pepper, NFC UTF-8 password)), since bcrypt itself reads only 72 bytes and stops at NUL. The work has threads of its own and a short queue:
/// a flood of logins waits for itself, and nobody else does.
/// </summary>
public sealed class PasswordHasher : IDisposable
{
    private readonly IdentityOptions _options;
    private readonly IdentityKeys _keys;
    private readonly WorkQueue<Job> _queue;
    private readonly Lazy<int> _threads;
    private readonly Counter<long> _checked = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.passwords.checked", "{password}", "Passwords that were checked to the end, by the bcrypt cost of the hash.");

    /// <summary>A well-formed hash of the present cost that no password gives: checking against it takes as long as against a real one.</summary>
    private readonly string _nobodys;

    public PasswordHasher(IdentityOptions options, IdentityKeys keys)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _keys = keys;
        _queue = new WorkQueue<Job>(options.PasswordQueue);
        _threads = new Lazy<int>(StartThreads);
        _nobodys = $"$2a${options.PasswordCost:00}$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde";
    }

    /// <exception cref="ProblemException">Too many passwords wait already.</exception>
    public async Task<string> HashAsync(string password) => (await RunAsync(() => BCryptNet.HashPassword(InputOf(password), _options.PasswordCost)))!;

    /// <summary>Whether the password is the one of the hash. Takes its time also without a hash.</summary>
    /// <exception cref="ProblemException">Too many passwords wait already.</exception>
    public async Task<bool> VerifyAsync(string password, string? hash)
    {
        var against = hash ?? _nobodys;
        var good = await RunAsync(() => BCryptNet.Verify(InputOf(password), against) ? "" : null) is not null;
        _checked.Add(1, new KeyValuePair<string, object?>("cost", against.Substring(4, 2))); // $2a$12$…
        return good && hash is not null;
    }

    /// <summary>The hash costs less than it would today.</summary>
    public bool IsWeak(string hash)
    {
        ArgumentNullException.ThrowIfNull(hash);
        return hash.Length < 7 || !int.TryParse(hash.AsSpan(4, 2), CultureInfo.InvariantCulture, out var cost) || cost < _options.PasswordCost;
    }

    /// <summary>Nothing more gets in. The queue itself is left to its threads: one of them may be handing out the last password right now.</summary>
    public void Dispose() => _queue.Close();

    private string InputOf(string password) => Convert.ToBase64String(HMACSHA256.HashData(_keys.Pepper, Encoding.UTF8.GetBytes(NormalForm.Of(password, NormalizationForm.FormC))));

    private Task<string?> RunAsync(Func<string?> work)
    {
        _ = _threads.Value;
        var job = new Job(work);
        return _queue.TryAdd(job)
            ? job.Done.Task
            : throw new ProblemException(Problems.TooManyRequests("passwords_at_once", TimeSpan.FromSeconds(2)));
    }

    /// <summary>At the first login, so that a start without one does not pay for them.</summary>
    private int StartThreads()
    {
        var count = _options.PasswordThreads > 0 ? _options.PasswordThreads : Math.Max(1, Environment.ProcessorCount / 2);
        for (var i = 0; i < count; i++)
        {
            new Thread(Work) { Name = $"rootmas-passwords-{i + 1}", IsBackground = true, Priority = ThreadPriority.BelowNormal }.Start();
        }

        return count;
    }

    private void Work()
    {
        List<Job> taken = [];
        while (_queue.Take(taken, 1) > 0)
        {
            taken[0].Run();
            taken.Clear();
        }
    }

    private sealed class Job(Func<string?> work)
    {
        public TaskCompletionSource<string?> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Run()
        {
            try
            {
                Done.SetResult(work());
            }
#pragma warning disable CA1031 // whatever it is belongs to the one who waits for this password
            catch (Exception e)
#pragma warning restore CA1031
            {
                Done.SetException(e);
            }
        }
    }
}
