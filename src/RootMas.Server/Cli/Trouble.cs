using System.Text.Json;
using Microsoft.Data.Sqlite;
using RootMas.Server.Backups;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary>Why a command could not go on, for people, and its exit code.</summary>
internal sealed record Trouble(int ExitCode, string Message)
{
    /// <summary>The message ends with what to do next.</summary>
    public bool SaysWhatToDo { get; init; }

    /// <summary>Null: a mistake of the program.</summary>
    public static Trouble? Of(Exception error) => error switch
    {
        CliException e => new(e.ExitCode, e.Message) { SaysWhatToDo = e.SaysWhatToDo },
        BackupException e => new(BackupCommand.ExitCodeOf(e.Failure), e.Message),
        SettingsException e => new(ExitCodes.Usage, e.Message),
        StartupRefusedException e => new(e.ExitCode, e.Message),
        StorageUnavailableException e => new(ExitCodes.Failed, e.Message),
        SqliteException e => new(ExitCodes.Failed, OfDatabase(e)),
        OutputException e => new(ExitCodes.Failed, $"{e.Message} What was asked for may be done all the same: look before you ask again."),
        UnauthorizedAccessException e => new(ExitCodes.Failed, $"{e.Message} Run this as the user whose it is ('ls -ld' says who that is), or give this one the right to it."),
        IOException e => new(ExitCodes.Failed, $"{e.Message.TrimEnd('.')}. What was saved before is kept. Look at free space and rights; 'rootmas doctor' does too."),
        JsonException e => new(ExitCodes.Failed, $"What was read is not the JSON that it should be ({e.Message.TrimEnd('.')}). Nothing was changed by that. 'rootmas doctor' looks at the server and its files."),
        _ => null,
    };

    private static string OfDatabase(SqliteException error) => SqliteErrors.Translate(error) is StorageUnavailableException known
        ? known.Message
        : $"The embedded database could not do it (SQLite error {error.SqliteErrorCode}/{error.SqliteExtendedErrorCode}). What was saved before is kept. See 'rootmas doctor', and docs/backups.md if the file is damaged.";
}
