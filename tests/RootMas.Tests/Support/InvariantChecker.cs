using System.Data.Common;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Npgsql;
using RootMas.LlmSimulator;
using RootMas.Runtime.Runs;

namespace RootMas.Tests.Support;

/// <summary>
/// Proves after a fault what CHECKS.md promises, from outside: over the API of a living server and read-only on its database.
/// I5 and I6 need users and an audit trail and are not checked here; I10 is checked by whoever sees the answers.
/// </summary>
internal sealed class InvariantChecker(string data, HttpClient http, Simulator simulator)
{
    /// <summary>Run ids that clients were told of.</summary>
    public List<string> Accepted { get; } = [];

    /// <summary>
    /// Requests to the model that belong to no stored run: the process died between the sending of a new run's first request and the run's first commit, so its client heard
    /// nothing but the loss of the connection. A test that kills while messages are being accepted sets it to the number of those messages; every other test leaves it at 0.
    /// </summary>
    public int UnaccountedCalls { get; set; }

    /// <summary>The connection string of the server's PostgreSQL database; null: it has SQLite in its data directory.</summary>
    public string? Postgres { get; init; }

    /// <summary>A client of a run's owner; null: all runs are those of the client that was given.</summary>
    public Func<string, HttpClient>? ClientOf { get; init; }

    /// <summary>Tools of the counting server whose calls are unsafe.</summary>
    public IReadOnlyList<string> UnsafeTools { get; init; } = ["order"];

    public async Task CheckAsync(int seed = 1)
    {
        var runs = await ReadAsync("SELECT id, status, last_seq, cost_micro_usd, owner_id FROM runs ORDER BY id", static r => (Id: r.GetString(0), Status: RunStatusNames.Parse(r.GetString(1)), LastSeq: r.GetInt64(2), Cost: r.GetInt64(3), Owner: r.GetString(4)));
        Assert.All(Accepted, id => Assert.Contains(runs, r => r.Id == id)); // I1
        Assert.All(runs, r => Assert.True(r.Status.IsFinal() || r.Status.IsParked(), $"I1, I7: run {r.Id} is {r.Status.ToName()}"));
        CheckTools();
        var random = new Random(seed);
        foreach (var run in runs)
        {
            var log = await LogAsync(run.Id);
            Assert.Equal(Enumerable.Range(1, log.Count).Select(static i => (long)i), log.Select(static e => e.Seq)); // I3
            Assert.Equal(run.LastSeq, log.Count);
            await CheckReplayAsync(ClientOf?.Invoke(run.Owner) ?? http, run.Id, log, random.Next(log.Count));
            CheckHistory(run.Id, run.Status, [.. log.Select(static e => RunJson.DeserializeEvent(e.Json))]);
            var ledger = await ReadAsync($"SELECT CAST(COALESCE(SUM(cost_micro_usd), 0) AS BIGINT) FROM usage_ledger WHERE run_id = '{run.Id}'", static r => r.GetInt64(0));
            Assert.True(ledger[0] == run.Cost, $"I4: run {run.Id} cost {run.Cost}, its ledger says {ledger[0]}");

            await CheckDoubtAsync(run.Id, [.. log.Select(static e => RunJson.DeserializeEvent(e.Json)).OfType<ModelFailed>().Where(static f => f.ErrorClass == "worker_lost").Select(static f => f.MessageId)]);
        }

        await CheckLedgerAsync();
        await CheckApprovalsAsync();
    }

    /// <summary>The ledger of one run, oldest row first.</summary>
    public Task<List<(string Model, string Outcome, long Cost)>> LedgerAsync(string runId) => ReadAsync(
        $"SELECT model, outcome, cost_micro_usd FROM usage_ledger WHERE run_id = '{runId}' ORDER BY created_at, id", static r => (r.GetString(0), r.GetString(1), r.GetInt64(2)));

    /// <summary>What the ledger says that a run read and wrote.</summary>
    public async Task<(long Input, long Output)> TokensAsync(string runId) => (await ReadAsync(
        $"SELECT CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT) FROM usage_ledger WHERE run_id = '{runId}'", static r => (r.GetInt64(0), r.GetInt64(1))))[0];

    /// <summary>The log of one run.</summary>
    public async Task<List<RunEvent>> EventsAsync(string runId) => [.. (await LogAsync(runId)).Select(static e => RunJson.DeserializeEvent(e.Json))];

    /// <summary>I2.</summary>
    private void CheckTools()
    {
        foreach (var (tool, count) in simulator.ToolCounts)
        {
            // Reads carry no key: they change nothing and may be repeated.
            Assert.All(count.Keys.Where(static k => k.Key.Length > 0), k => Assert.True(k.Value.Effects <= 1, $"I2: {tool} acted {k.Value.Effects} times for key {k.Key}"));
            if (UnsafeTools.Contains(tool, StringComparer.Ordinal))
            {
                Assert.All(count.Keys, k => Assert.True(k.Value.Requests <= 1, $"I2: {tool} was asked {k.Value.Requests} times with key {k.Key}"));
            }
        }
    }

    /// <summary>I3: from any position the stream gives the same bytes as the store holds.</summary>
    private static async Task CheckReplayAsync(HttpClient http, string runId, List<(long Seq, byte[] Json)> log, int after)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{runId}/events");
        request.Headers.Accept.ParseAdd("text/event-stream");
        request.Headers.TryAddWithoutValidation("Last-Event-ID", after.ToString(CultureInfo.InvariantCulture));
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await using var body = await response.Content.ReadAsStreamAsync();
        using var lines = new StreamReader(body, Encoding.UTF8);
        foreach (var (seq, json) in log.Skip(after))
        {
            Assert.Equal((seq.ToString(CultureInfo.InvariantCulture), Encoding.UTF8.GetString(json)), await NextAsync(lines));
        }
    }

    private static async Task<(string Id, string Data)> NextAsync(StreamReader lines)
    {
        var id = "";
        while (await lines.ReadLineAsync() is { } line)
        {
            id = line.StartsWith("id: ", StringComparison.Ordinal) ? line[4..] : id;
            if (line.StartsWith("data: ", StringComparison.Ordinal) && !id.Contains(':', StringComparison.Ordinal))
            {
                return (id, line[6..]);
            }
        }

        throw new InvalidOperationException("the stream ended early");
    }

    /// <summary>I9.</summary>
    private static void CheckHistory(string runId, RunStatus status, List<RunEvent> log)
    {
        var asked = log.OfType<ModelCompleted>().SelectMany(static m => m.ToolCalls).Select(static c => c.Call).ToList();
        var results = log.OfType<ToolCompleted>().Select(static t => t.Call).Concat(log.OfType<ToolFailed>().Select(static t => t.Call)).ToList();
        Assert.True(results.Count == results.Distinct().Count(), $"I9: a call of run {runId} has two results");
        if (status.IsFinal())
        {
            Assert.Equal(asked.Order(), results.Order());
            Assert.Single(log, static e => e is RunCompleted or RunFailed or RunCancelled);
            Assert.True(log[^1] is RunCompleted or RunFailed or RunCancelled);
        }

        var texts = log.OfType<MessageCompleted>().ToList();
        Assert.True(texts.Count <= 1, $"run {runId} has {texts.Count} answers");
    }

    /// <summary>I4: every request that a lost worker left without an answer has one row in doubt, or what that worker wrote when it came back; and nothing else is in doubt.</summary>
    private async Task CheckDoubtAsync(string runId, string[] lost)
    {
        var rows = await ReadAsync($"SELECT message_id, outcome FROM usage_ledger WHERE run_id = '{runId}' AND message_id IS NOT NULL", static r => (Message: r.GetString(0), Outcome: r.GetString(1)));
        var doubtful = rows.Where(static r => r.Outcome == "in_doubt").Select(static r => r.Message).ToList();
        Assert.True(doubtful.Distinct(StringComparer.Ordinal).Count() == doubtful.Count && !doubtful.Except(lost).Any(), $"I4: run {runId} lost {string.Join(", ", lost)}, its ledger is in doubt about {string.Join(", ", doubtful)}");
        Assert.All(lost, message => Assert.True(rows.Exists(r => r.Message == message), $"I4: run {runId} lost {message}, its ledger has no row of it"));
    }

    /// <summary>I4: every request that the model server counted has a row, those in doubt marked.</summary>
    private async Task CheckLedgerAsync()
    {
        // A row in doubt stands for a request that may have left before the process died, or may not; an unreachable server may have counted it, or not; what was cancelled may have been so before it left.
        var rows = await CountAsync("SELECT COUNT(*) FROM usage_ledger WHERE model <> 'offline'");
        var certain = await CountAsync("SELECT COUNT(*) FROM usage_ledger WHERE model <> 'offline' AND outcome NOT IN ('in_doubt', 'unreachable', 'cancelled')");
        var calls = simulator.Calls.Count;
        Assert.True(certain <= calls, $"I4: {certain} certain ledger rows for {calls} requests");
        if (calls - rows > UnaccountedCalls)
        {
            var byAgent = await ReadAsync("SELECT agent, run_id, outcome, purpose FROM usage_ledger ORDER BY created_at", static r => $"{r.GetValue(0)} {r.GetValue(1)} {r.GetValue(2)} {r.GetValue(3)}");
            Assert.Fail($"I4: {calls} requests, {rows} ledger rows\n{string.Join('\n', byAgent)}\n{string.Join('\n', simulator.Calls.Select(static c => $"{c.Number} {c.Agent} {c.Outcome} {c.Rule} {c.LastRole} {c.Hash}"))}");
        }
    }

    /// <summary>I8: the bytes that ran are the bytes that were approved.</summary>
    private async Task CheckApprovalsAsync()
    {
        var approved = await ReadAsync("SELECT run_id, call, arguments FROM approvals WHERE status = 'approved'", static r => (Run: r.GetString(0), Call: r.GetInt32(1), Arguments: r.GetString(2)));
        foreach (var (run, call, arguments) in approved)
        {
            foreach (var started in (await LogAsync(run)).Select(static e => RunJson.DeserializeEvent(e.Json)).OfType<ToolStarted>().Where(t => t.Call == call))
            {
                Assert.Equal(arguments, started.Arguments.GetRawText());
            }
        }
    }

    private async Task<long> CountAsync(string sql) => (await ReadAsync(sql, static r => r.GetInt64(0)))[0];

    private Task<List<(long Seq, byte[] Json)>> LogAsync(string runId) =>
        ReadAsync($"SELECT seq, json FROM run_events WHERE run_id = '{runId}' ORDER BY seq", static r => (r.GetInt64(0), r.GetFieldValue<byte[]>(1)));

    private async Task<List<T>> ReadAsync<T>(string sql, Func<DbDataReader, T> read)
    {
        await using DbConnection connection = Postgres is null
            ? new SqliteConnection($"Data Source={Path.Combine(data, "rootmas.db")};Mode=ReadOnly;Pooling=False")
            : new NpgsqlConnection(Postgres);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await using var reader = await command.ExecuteReaderAsync();
        List<T> rows = [];
        while (await reader.ReadAsync())
        {
            rows.Add(read(reader));
        }

        return rows;
    }
}
