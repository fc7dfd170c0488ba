using System.Text;
using System.Text.Json;
using RootMas.Server.Backups;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Backups;

/// <summary>What a check says about which copy, and whose backups are cleared up or taken as the newest where several installations keep theirs in one place.</summary>
public sealed class BackupPlacesTests
{
    private const int LongestPath = 4_095; // of Linux

    public BackupPlacesTests() => TestDatabase.Kind = DatabaseKind.Sqlite;

    [Fact]
    public async Task A_check_that_could_not_be_made_says_nothing_against_the_archive_which_stays()
    {
        await using var installation = await MadeAsync("Backups:Key", "correct horse battery staple");
        installation.Settings["Backups:Keep"] = "1";
        var good = await installation.BackUpAsync();
        installation.Settings["Backups:Key"] = "another key of the operator";
        using (var cli = installation.Cli())
        {
            Assert.Equal(2, await cli.RunAsync("backup", "verify", good.Id));
            Assert.Contains("another key", cli.Notes.ToString(), StringComparison.Ordinal);
        }

        await using (var app = await installation.StartAsync())
        {
            using var refused = await app.PostAsync($"/api/v1/backups/{good.Id}/verify", "{}");
            Assert.Equal(System.Net.HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.True((await app.GetJsonAsync($"/api/v1/backups/{good.Id}")).GetProperty("valid").GetBoolean());
        }

        // What comes next is not verified, and clears up: the last one that is known to be whole is still there.
        await installation.BackUpAsync(verify: false);
        await installation.BackUpAsync(verify: false);
        var left = (await installation.Desk().ListAsync(default)).Backups;
        Assert.Equal(2, left.Count);
        Assert.True(left.Single(b => b.Id == good.Id).Record!.Verification!.Ok);
    }

    [Fact]
    public async Task A_damaged_copy_says_nothing_about_the_other_ones()
    {
        using var elsewhere = new TempFolder();
        await using var installation = await MadeAsync("Backups:OffsiteFolder", elsewhere.Path);
        var made = await installation.BackUpAsync();
        var away = Path.Combine(elsewhere.Path, BackupNames.RecordOf(made.Id));
        var before = await File.ReadAllTextAsync(away);
        var bytes = await File.ReadAllBytesAsync(installation.ArchiveOf(made));
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(installation.ArchiveOf(made), bytes);

        var (_, _, result) = await installation.Desk().VerifyAsync(made.Id, default);
        Assert.False(result.Ok);
        var stored = (await installation.Desk().ListAsync(default)).Backups;
        Assert.False(stored.Single(static b => b.Place == "local").Record!.Verification!.Ok);
        Assert.True(stored.Single(static b => b.Place == "offsite").Record!.Verification!.Ok);
        Assert.Equal(before, await File.ReadAllTextAsync(away));
    }

    [Fact]
    public async Task An_archive_whose_check_fails_for_want_of_means_is_copied_and_told_of_all_the_same()
    {
        using var elsewhere = new TempFolder();
        await using var installation = await MadeAsync("Backups:OffsiteFolder", elsewhere.Path);

        // A name that the data directory has room for, and the check's own folder, which is longer, has not.
        var deep = new StringBuilder(Path.Combine(installation.Data, "files"));
        while (deep.Length < LongestPath - 250)
        {
            deep.Append('/').Append('d', 200);
        }

        Directory.CreateDirectory(deep.ToString());
        await File.WriteAllTextAsync($"{deep}/{new string('f', LongestPath - 5 - deep.Length)}", "an upload");
        var (record, warnings) = await installation.Desk().CreateAsync("manual", verify: true, default);
        Assert.Contains("could not be checked", Assert.Single(warnings), StringComparison.Ordinal);
        Assert.Null(record.Verification);
        Assert.Equal(["local", "offsite"], (await installation.Desk().ListAsync(default)).Backups.Select(static b => b.Place));
    }

    [Fact]
    public async Task Where_archives_are_elsewhere_too_fewer_may_be_kept_here()
    {
        using var elsewhere = new TempFolder();
        await using var installation = await MadeAsync("Backups:OffsiteFolder", elsewhere.Path);
        installation.Settings["Backups:KeepLocal"] = "1";
        for (var i = 0; i < 3; i++)
        {
            await installation.BackUpAsync(verify: false);
        }

        var places = (await installation.Desk().ListAsync(default)).Backups.Select(static b => b.Place).ToList();
        Assert.Equal((1, 3), (places.Count(static p => p == "local"), places.Count(static p => p == "offsite")));
    }

    [Fact]
    public async Task What_could_not_be_sent_elsewhere_stays_here_and_is_sent_with_the_next_backup()
    {
        using var elsewhere = new TempFolder();
        var away = Path.Combine(elsewhere.Path, "away");
        await using var installation = await MadeAsync("Backups:OffsiteFolder", away);
        installation.Settings["Backups:KeepLocal"] = "1";
        await File.WriteAllTextAsync(away, "a file in the place of the folder: nothing can be written there");
        for (var i = 0; i < 3; i++)
        {
            var (_, warnings) = await installation.Desk().CreateAsync("manual", verify: false, default);
            Assert.Contains(warnings, static w => w.StartsWith("offsite: ", StringComparison.Ordinal));
        }

        Assert.Equal(["local", "local", "local"], (await installation.Desk().ListAsync(default)).Backups.Select(static b => b.Place));

        File.Delete(away);
        Directory.CreateDirectory(away);
        await installation.BackUpAsync(verify: false);
        var places = (await installation.Desk().ListAsync(default)).Backups.Select(static b => b.Place).ToList();
        Assert.Equal((1, 4), (places.Count(static p => p == "local"), places.Count(static p => p == "offsite")));

        // What would be cleared up there at once is not sent again and again.
        installation.Settings["Backups:Keep"] = "2";
        installation.Settings.Remove("Backups:KeepLocal");
        await installation.BackUpAsync(verify: false);
        var left = (await installation.Desk().ListAsync(default)).Backups.Where(static b => b.Place == "offsite").Select(static b => b.Id).ToList();
        await installation.BackUpAsync(verify: false);
        Assert.Equal(2, left.Count);
        Assert.Equal(left[0], (await installation.Desk().ListAsync(default)).Backups.Where(static b => b.Place == "offsite").Select(static b => b.Id).Last());
    }

    [Fact]
    public async Task An_off_site_folder_that_is_not_there_is_a_failed_copy_and_is_not_made_on_this_disk()
    {
        using var elsewhere = new TempFolder();
        var away = Path.Combine(elsewhere.Path, "mount", "backups");
        await using var installation = await MadeAsync("Backups:OffsiteFolder", away);
        using var cli = installation.Cli();
        Assert.Equal(1, await cli.RunAsync("backup", "create"));
        Assert.Single(cli.Notes.ToString().Split('\n'), l => l.StartsWith($"offsite: {away} is not there.", StringComparison.Ordinal));
        Assert.Contains(" in local.", cli.Output.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(elsewhere.Path, "mount")));
        await cli.RunAsync("doctor");
        Assert.Contains($"· off-site backups: {away} is not there", cli.Output.ToString(), StringComparison.Ordinal);

        // It is there, and on the disk that the data are on: what is mounted there was not.
        Directory.CreateDirectory(away);
        Assert.Contains(" in local, offsite.", await cli.DoAsync("backup", "create"), StringComparison.Ordinal);
        if (OperatingSystem.IsLinux())
        {
            await cli.RunAsync("doctor");
            Assert.Contains($"· off-site backups: {away} is on the same disk as {installation.Backups}:", cli.Output.ToString(), StringComparison.Ordinal);

            // What counts is where archives are, also before the first one.
            var archives = Path.Combine(elsewhere.Path, "archives");
            cli.Environment["ROOTMAS__Backups__Folder"] = archives;
            await cli.RunAsync("doctor");
            Assert.Contains($"· off-site backups: {away} is on the same disk as {archives}:", cli.Output.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_folder_of_archives_is_no_other_place()
    {
        await using var installation = await Installation.NewAsync();
        using (var cli = installation.Cli())
        {
            foreach (var inside in (string[])[installation.Backups, Path.Combine(installation.Backups, "copies") + "/"])
            {
                cli.Environment["ROOTMAS__Backups__OffsiteFolder"] = inside;
                Assert.Equal(2, await cli.RunAsync("config", "check"));
                Assert.Contains("Backups:OffsiteFolder: is ", cli.Notes.ToString(), StringComparison.Ordinal);
            }
        }

        installation.Settings["Backups:OffsiteFolder"] = installation.Backups + "-elsewhere";
        Assert.Equal(installation.Backups, installation.Setup().Folder);
    }

    [Fact]
    public async Task A_link_to_the_folder_of_archives_is_no_other_place_either()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using var elsewhere = new TempFolder();
        var link = Path.Combine(elsewhere.Path, "link");
        await using var installation = await MadeAsync("Backups:OffsiteFolder", link);
        installation.Settings["Backups:KeepLocal"] = "1";
        Directory.CreateDirectory(link);
        var desk = installation.Desk(); // of a server that runs: the folder becomes a link under it
        await desk.CreateAsync("manual", verify: false, default);
        Directory.Delete(link, recursive: true);
        Directory.CreateSymbolicLink(link, installation.Backups);
        for (var i = 0; i < 2; i++)
        {
            var (_, warnings) = await desk.CreateAsync("manual", verify: false, default);
            Assert.StartsWith($"offsite: {link} leads to {installation.Backups}", Assert.Single(warnings), StringComparison.Ordinal);
        }

        // Each is the only copy there is.
        Assert.Equal(3, Directory.GetFiles(installation.Backups, "*.tar.gz").Length);

        // And no start or command takes it, nor a folder in it.
        Directory.CreateDirectory(Path.Combine(installation.Backups, "copies"));
        using var cli = installation.Cli();
        foreach (var inside in (string[])[link, Path.Combine(link, "copies")])
        {
            cli.Environment["ROOTMAS__Backups__OffsiteFolder"] = inside;
            Assert.Equal(2, await cli.RunAsync("config", "check"));
            Assert.Contains("Backups:OffsiteFolder: is ", cli.Notes.ToString(), StringComparison.Ordinal);
        }

        var other = Path.Combine(elsewhere.Path, "other");
        Directory.CreateSymbolicLink(other, Path.Combine(installation.Backups, "copies"));
        cli.Environment["ROOTMAS__Backups__OffsiteFolder"] = other;
        Assert.Equal(2, await cli.RunAsync("config", "check"));
    }

    [Fact]
    public async Task What_is_made_and_checked_while_no_server_runs_counts_as_a_servers_does()
    {
        await using var installation = await MadeAsync("Backups:Keep", "9");
        using var cli = installation.Cli();
        await cli.DoAsync("backup", "create", "--no-verify");
        Assert.Equal(["last_success"], await installation.RowsAsync("SELECT name FROM backup_state"));
        await cli.DoAsync("backup", "verify");
        Assert.Equal(["last_success", "last_verified"], await installation.RowsAsync("SELECT name FROM backup_state ORDER BY name"));
        Assert.Single(await installation.RowsAsync("SELECT DISTINCT backup FROM backup_state"));

        // A check where no database is makes none.
        Directory.Move(installation.Backups, Path.Combine(installation.Root, "kept"));
        Directory.Delete(installation.Data, recursive: true);
        cli.Environment["ROOTMAS__Backups__Folder"] = Path.Combine(installation.Root, "kept");
        await cli.RunAsync("backup", "verify", "latest");
        Assert.False(File.Exists(Path.Combine(installation.Data, "rootmas.db")));
    }

    [Fact]
    public async Task An_archive_whose_record_cannot_be_read_is_told_and_stays_and_one_without_a_record_goes_by_age_alone()
    {
        await using var installation = await MadeAsync("Backups:Keep", "1");
        var good = await installation.BackUpAsync();
        var record = Path.Combine(installation.Backups, BackupNames.RecordOf(good.Id));
        var text = await File.ReadAllTextAsync(record);
        File.Delete(record);
        File.CreateSymbolicLink(record, record); // neither missing nor readable
        for (var i = 0; i < 2; i++)
        {
            var (_, warnings) = await installation.Desk().CreateAsync("manual", verify: false, default);
            Assert.Empty(warnings);
        }

        var (all, said) = await installation.Desk().ListAsync(default);
        Assert.Equal(2, all.Count);
        Assert.Equal(good.Id, all[^1].Id);
        Assert.Contains(good.Id, Assert.Single(said), StringComparison.Ordinal);

        File.Delete(record);
        await installation.BackUpAsync(verify: false);
        Assert.Equal(good.Id, (await installation.Desk().ListAsync(default)).Backups[^1].Id);
        await File.WriteAllTextAsync(record, text);
        await installation.BackUpAsync();
        Assert.Single((await installation.Desk().ListAsync(default)).Backups);
    }

    [Fact]
    public async Task A_name_whose_time_there_is_not_is_no_backup_and_harms_none()
    {
        await using var installation = await MadeAsync("Backups:Keep", "1");
        var odd = Path.Combine(installation.Backups, "rootmas-20261399T000000Z-000000.tar.gz");
        Directory.CreateDirectory(installation.Backups);
        await File.WriteAllTextAsync(odd, "x");
        var made = await installation.BackUpAsync();
        Assert.Equal(made.Id, Assert.Single((await installation.Desk().ListAsync(default)).Backups).Id);
        Assert.True(File.Exists(odd));
    }

    [Fact]
    public async Task An_archive_under_the_name_of_another_one_is_found_out_and_writes_no_record_but_its_own()
    {
        await using var installation = await MadeAsync("Backups:Keep", "9");
        var (a, b) = (await installation.BackUpAsync(verify: false), await installation.BackUpAsync(verify: false));
        var whole = await File.ReadAllBytesAsync(installation.ArchiveOf(b));
        await File.WriteAllBytesAsync(installation.ArchiveOf(a), whole);
        await File.WriteAllBytesAsync(installation.ArchiveOf(b), whole[..(whole.Length / 2)]);
        var (_, _, result) = await installation.Desk().VerifyAsync(a.Id, default);
        Assert.Contains(b.Id, Assert.Single(result.Problems), StringComparison.Ordinal);
        var stored = (await installation.Desk().ListAsync(default)).Backups;
        Assert.Null(stored.Single(s => s.Id == b.Id).Record!.Verification);
        Assert.False(stored.Single(s => s.Id == a.Id).Record!.Verification!.Ok);
        Assert.Equal(BackupFailure.Damaged, await installation.RefusalAsync(a.Id, force: true));

        // Named as a file, it is what it is, and that is said. A record of another one says nothing.
        var result2 = await installation.RestoreAsync(installation.ArchiveOf(a), force: true);
        Assert.Equal(b.Id, result2.Id);
        Assert.Contains($"holds {b.Id}", result2.Notes[0], StringComparison.Ordinal);
        File.Copy(Path.Combine(installation.Backups, BackupNames.RecordOf(b.Id)), Path.Combine(installation.Backups, BackupNames.RecordOf(a.Id)), overwrite: true);
        Assert.Null((await installation.Desk().ListAsync(default)).Backups.Single(s => s.Id == a.Id).Record);
    }

    [Fact]
    public async Task An_archive_whose_id_is_a_path_is_refused_and_nothing_is_deleted_or_written_there()
    {
        await using var installation = await MadeAsync("Backups:Keep", "9");
        var victim = Directory.CreateDirectory(Path.Combine(installation.Root, "victim")).FullName;
        await File.WriteAllTextAsync(Path.Combine(victim, "precious.txt"), "x");
        var made = await installation.BackUpAsync(verify: false);
        using var folder = new TempFolder();
        var content = Path.Combine(folder.Path, "content");
        var manifest = await ArchiveReader.ExtractAsync(installation.ArchiveOf(made), content, default) with { Id = "x/../../victim" };
        var archive = Path.Combine(folder.Path, "from-outside.tar.gz");
        await ArchiveWriter.WriteAsync(
            archive, JsonSerializer.SerializeToUtf8Bytes(manifest, BackupJson.Options), [.. manifest.Files.Select(f => new ArchiveFile(f.Name, Path.Combine(content, f.Name)))], manifest.CreatedAt, default);
        Directory.CreateDirectory(Path.Combine(installation.Data, "restore-x"));
        Assert.Equal(BackupFailure.Damaged, await installation.RefusalAsync(archive, force: true));
        Assert.True(File.Exists(Path.Combine(victim, "precious.txt")));

        File.Copy(archive, installation.ArchiveOf(made), overwrite: true);
        var (_, _, result) = await installation.Desk().VerifyAsync(made.Id, default);
        Assert.False(result.Ok);
        Assert.Equal(["precious.txt"], Directory.EnumerateFileSystemEntries(victim).Select(Path.GetFileName));
        Assert.Empty(Directory.EnumerateFiles(installation.Root, "*.json"));
    }

    [Fact]
    public async Task Installations_in_one_folder_clear_up_and_take_as_the_newest_only_their_own()
    {
        using var shared = new TempFolder();
        await using var one = await MadeAsync("Backups:Folder", shared.Path);
        await using var two = await MadeAsync("Backups:Folder", shared.Path);
        one.Settings["Backups:Keep"] = two.Settings["Backups:Keep"] = "1";
        var first = await one.BackUpAsync();
        await two.BackUpAsync();
        var last = await two.BackUpAsync();

        var stored = (await one.Desk().ListAsync(default)).Backups;
        Assert.Equal([(last.Id, false), (first.Id, true)], stored.Select(static b => (b.Id, b.Own)));
        using (var cli = one.Cli())
        {
            Assert.Contains(first.Id, await cli.DoAsync("backup", "verify"), StringComparison.Ordinal);
            Assert.Contains("another installation's", await cli.DoAsync("backup", "list"), StringComparison.Ordinal);
        }

        Assert.Equal(first.Id, (await one.RestoreAsync("latest", force: true)).Id);
        Assert.Equal(first.Id, (await one.RestoreAsync("latest", force: true)).Id); // it is the same installation as before

        // A machine that has nothing yet cannot know which is meant.
        Directory.Delete(one.Data, recursive: true);
        var refused = await Assert.ThrowsAsync<BackupException>(() => one.RestoreAsync("latest"));
        Assert.Equal(BackupFailure.Mismatch, refused.Failure);
        Assert.Equal(last.Id, (await one.RestoreAsync(last.Id)).Id);
    }

    private static async Task<Installation> MadeAsync(string setting, string value)
    {
        var installation = await Installation.NewAsync();
        installation.Settings[setting] = value;
        await using (await installation.StartAsync())
        {
            // Makes keys and a database.
        }

        return installation;
    }
}
