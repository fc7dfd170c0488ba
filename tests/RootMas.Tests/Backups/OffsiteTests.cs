using System.Net;
using RootMas.Server.Backups;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Resilience;
using RootMas.Tests.Support;

namespace RootMas.Tests.Backups;

/// <summary>Archives in a second folder and in a bucket: signed, in parts, retried, listed, and restored when the machine itself is gone.</summary>
public sealed class OffsiteTests : IAsyncLifetime
{
    private S3Server _s3 = null!;
    private Installation _installation = null!;

    public async Task InitializeAsync()
    {
        TestDatabase.Kind = DatabaseKind.Sqlite;
        _s3 = await S3Server.StartAsync();
        _installation = await Installation.NewAsync();
        _s3.ApplyTo(_installation.Settings);
    }

    public async Task DisposeAsync()
    {
        await _installation.DisposeAsync();
        await _s3.DisposeAsync();
    }

    [Fact]
    public async Task An_archive_is_in_every_place_and_any_of_them_restores_it()
    {
        using var elsewhere = new TempFolder();
        var (mounted, away) = (Directory.CreateDirectory(Path.Combine(elsewhere.Path, "mounted")).FullName, Path.Combine(elsewhere.Path, "away"));
        _installation.Settings["Backups:OffsiteFolder"] = mounted;
        await using (await _installation.StartAsync())
        {
            // Makes a database.
        }

        var before = await _installation.ContentAsync();
        _s3.Fail(2); // and is asked again
        var made = await _installation.BackUpAsync();
        using var cli = _installation.Cli();
        var listed = System.Text.Json.JsonElement.Parse(await cli.DoAsync("backup", "list", "--json")).GetProperty("items")[0];
        Assert.Equal(["local", "offsite", "s3"], listed.GetProperty("places").EnumerateArray().Select(static p => p.GetString()!));
        Assert.True(listed.GetProperty("valid").GetBoolean());
        Assert.Equal(0, _s3.Refused);
        Assert.Equal(made.Sha256, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(_s3.Objects["a-b/" + BackupNames.ArchiveOf(made.Id)])));

        // The machine is gone; first only the bucket is left, then only the other folder.
        Directory.Delete(_installation.Data, recursive: true);
        Directory.Move(mounted, away);
        var (_, record, result) = await _installation.Desk().VerifyAsync(made.Id, default);
        Assert.True(record is not null && !result.Problems.Any(static p => p.Contains("damaged", StringComparison.Ordinal)));
        await _installation.RestoreAsync("latest");
        Assert.Equal(before["conversations"], (await _installation.ContentAsync())["conversations"]);

        Directory.Delete(_installation.Data, recursive: true);
        _s3.Objects.Clear();
        Directory.Move(away, mounted);
        await _installation.RestoreAsync(made.Id);
        Assert.Equal(before["runs"], (await _installation.ContentAsync())["runs"]);
    }

    [Fact]
    public async Task A_large_archive_goes_and_comes_in_parts()
    {
        using var folder = new TempFolder();
        var (source, target) = (Path.Combine(folder.Path, "a"), Path.Combine(folder.Path, "b"));
        var content = new byte[(12 * 1024 * 1024) + 77];
        Random.Shared.NextBytes(content);
        await File.WriteAllBytesAsync(source, content);
        using var client = Client();
        await client.UploadAsync("x/large.tar.gz", source, default);
        Assert.Equal(content, _s3.Objects["x/large.tar.gz"]);
        Assert.Equal(3, _s3.Requests.Count(static r => r.Contains("partNumber", StringComparison.Ordinal)));
        _s3.Fail(1);
        await client.DownloadAsync("x/large.tar.gz", target, default);
        Assert.Equal(content, await File.ReadAllBytesAsync(target));
        Assert.Equal(0, _s3.UnfinishedUploads);
    }

    [Fact]
    public async Task An_archive_whose_last_answer_was_lost_is_there_and_one_that_was_never_put_together_is_not()
    {
        using var folder = new TempFolder();
        var source = Path.Combine(folder.Path, "a");
        await File.WriteAllBytesAsync(source, new byte[(6 * 1024 * 1024) + 1]);
        using var client = Client();
        _s3.LosesCompletion = true;
        await client.UploadAsync("x/a.tar.gz", source, default);
        Assert.Equal(2, _s3.Requests.Count(static r => r.StartsWith("POST", StringComparison.Ordinal) && r.Contains("uploadId", StringComparison.Ordinal)));
        Assert.Equal((6 * 1024 * 1024) + 1, _s3.Objects["x/a.tar.gz"].Length);

        _s3.Objects["x/b.tar.gz"] = [1]; // somebody else's, or cut
        _s3.ForgetsUploads = true;
        Assert.Equal(BackupFailure.NotFound, (await Assert.ThrowsAsync<BackupException>(() => client.UploadAsync("x/b.tar.gz", source, default))).Failure);
    }

    [Fact]
    public async Task Lists_are_read_to_their_end_and_objects_deleted()
    {
        using var client = Client();
        for (var i = 0; i < 5; i++)
        {
            await client.PutAsync($"p/{i}~+ä", [(byte)i], default);
        }

        await client.PutAsync("q/else", [1], default);
        Assert.Equal(5, (await client.ListAsync("p/", default)).Count);
        await client.DeleteAsync("p/3~+ä", default);
        await client.DeleteAsync("p/3~+ä", default);
        _s3.TellsMissing = true;
        await client.DeleteAsync("p/3~+ä", default); // gone is gone
        Assert.Equal([2], await client.GetAsync("p/2~+ä", default));
        Assert.Equal(BackupFailure.NotFound, (await Assert.ThrowsAsync<BackupException>(() => client.GetAsync("p/3~+ä", default))).Failure);
        Assert.Equal(0, _s3.Refused);
    }

    [Fact]
    public async Task A_bucket_that_refuses_or_is_away_is_a_warning_and_the_local_archive_is_kept()
    {
        await using (await _installation.StartAsync())
        {
            // Makes a database.
        }

        _installation.Settings["Backups:S3:Secret"] = "another secret altogether";
        var (record, warnings) = await _installation.Desk().CreateAsync("manual", verify: false, default);
        Assert.Contains(warnings, static w => w.Contains("SignatureDoesNotMatch", StringComparison.Ordinal));
        Assert.DoesNotContain(warnings, static w => w.Contains("another secret", StringComparison.Ordinal));
        Assert.True(File.Exists(_installation.ArchiveOf(record)));

        _installation.Settings["Backups:S3:Endpoint"] = $"http://127.0.0.1:{ServerProcess.FreePort()}";
        _installation.Settings["Resilience:S3:Tries"] = "2";
        using var cli = _installation.Cli();
        Assert.Equal(1, await cli.RunAsync("backup", "create"));
        Assert.Contains("does not answer", cli.Notes.ToString());
        Assert.Equal(2, (await _installation.Desk().ListAsync(default)).Backups.Count);
    }

    [Fact]
    public async Task A_server_that_always_fails_is_given_up_after_the_tries_of_the_policy()
    {
        using var client = Client();
        _s3.Fail(1_000);
        await Assert.ThrowsAsync<BackupException>(() => client.PutAsync("x", [1], default));
        Assert.Equal(3, _s3.Requests.Count);
    }

    [Fact]
    public async Task A_server_that_hears_nothing_is_told_after_the_tries_of_the_policy_like_one_that_refuses()
    {
        using var deaf = await DeafAddress.StartAsync(IPAddress.Loopback, 0);
        _installation.Settings["Backups:S3:Endpoint"] = $"http://127.0.0.1:{deaf.Port}";
        _installation.Settings["Resilience:S3:Tries"] = "2";
        using var client = Client(connectTimeout: TimeSpan.FromMilliseconds(100));
        var failure = await Assert.ThrowsAsync<BackupException>(() => client.GetAsync("x", default));
        Assert.Equal(BackupFailure.Unreachable, failure.Failure);
        Assert.Contains("does not answer (ConnectionError)", failure.Message, StringComparison.Ordinal);
    }

    private S3Client Client(TimeSpan? connectTimeout = null)
    {
        var setup = _installation.Setup();
        return new S3Client(setup.Options.S3, new OutboundPolicies(setup.Tree.Take<ResilienceOptions>("Resilience"), TimeProvider.System).Get("s3"), TimeProvider.System, connectTimeout);
    }
}
