using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas documents …</c>: put documents in, see them, search them, take them out.</summary>
internal static class DocumentsCommand
{
    private static readonly Argument<string> Id = new("id") { Description = "The document." };
    private static readonly Option<string?> InCollection = new("--collection") { Description = "A collection, by id or name (default: one's own default one)." };

    public static Command Create() => new("documents", "Upload, list, search and delete documents.") { Upload(), List(), Show(), Search(), Delete(), Collections() };

    private static Command Upload()
    {
        var files = new Argument<string[]>("files") { Description = "Files, and folders whose files are taken (- reads stdin; then give --name).", Arity = ArgumentArity.OneOrMore };
        var name = new Option<string?>("--name") { Description = "The document's name, for one file (default: the file's; below a folder, where two would have the same, with the folders between)." };
        var command = new Command("upload", "Upload files; each is ready to be found when it is listed.") { files, InCollection, name, CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) =>
        {
            var named = parsed.GetValue(files)!;
            Array.ForEach(named, Check);
            var sent = UploadFiles.Of(named, parsed.GetValue(name), Terminal.Of(parsed));
            return WithAsync(parsed, async (connection, terminal) =>
            {
                var collection = await CollectionIdAsync(connection, parsed.GetValue(InCollection), cancellationToken);
                var failures = 0;
                foreach (var file in sent)
                {
                    failures += await UploadOneAsync(connection, terminal, (file, collection, parsed.GetValue(CliOptions.JsonOption)), cancellationToken) ? 0 : 1;
                }

                return failures == 0 ? ExitCodes.Ok : ExitCodes.Failed;
            }, cancellationToken);
        });
        return command;
    }

    /// <exception cref="CliException">There is no such file. What else was named is not uploaded either.</exception>
    private static void Check(string file)
    {
        if (string.IsNullOrWhiteSpace(file))
        {
            throw new CliException(ExitCodes.Usage, $"Name the file: '{file}' is no name. Nothing was uploaded.");
        }

        if (file != UploadFiles.StandardInput && !File.Exists(file) && !Directory.Exists(file))
        {
            throw new CliException(ExitCodes.NotFound, $"There is no file {file}. Nothing was uploaded.");
        }
    }

    private static Command List()
    {
        var limit = new Option<int>("--limit") { Description = "How many (1–200).", DefaultValueFactory = static _ => 50 };
        var command = new Command("list", "List documents, newest first.") { InCollection, limit, CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            var collection = await CollectionIdAsync(connection, parsed.GetValue(InCollection), cancellationToken);
            var answer = await connection.Api.ListAsync($"/api/v1/documents?limit={parsed.GetValue(limit)}{(collection is null ? "" : "&collection=" + Uri.EscapeDataString(collection))}", cancellationToken);
            Show(parsed, terminal, answer, ["Id", "Name", "Kind", "Status", "Chunks", "Updated"], static d => [d.Text("id")!, d.Text("name")!, d.Text("kind")!, d.Text("status")!, d.Text("chunks")!, d.Text("updated_at")!]);
            return ExitCodes.Ok;
        }, cancellationToken));
        return command;
    }

    private static Command Show()
    {
        var text = new Option<bool>("--text") { Description = "Print the text that was read." };
        var command = new Command("show", "Show one document.") { Id, text, CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            var path = PathOf(parsed.GetValue(Id)!);
            if (parsed.GetValue(text))
            {
                await PrintTextAsync(connection, terminal, path, cancellationToken);
                return ExitCodes.Ok;
            }

            var document = await connection.Api.GetAsync(path, cancellationToken, "id");
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(document);
                return ExitCodes.Ok;
            }

            terminal.WriteLine($"{document.Text("name")} ({document.Text("kind")}, {document.Text("bytes")} bytes, {ChunksOf(document)}): {document.Text("status")}");
            SayWhy(terminal, document);
            return ExitCodes.Ok;
        }, cancellationToken));
        return command;
    }

    private static Command Search()
    {
        var query = new Argument<string>("query") { Description = "A question, or words." };
        var limit = new Option<int>("--limit") { Description = "How many passages (1–50).", DefaultValueFactory = static _ => 5 };
        var command = new Command("search", "Search the documents by words and by meaning.") { query, InCollection, limit, CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            var collection = await CollectionIdAsync(connection, parsed.GetValue(InCollection), cancellationToken);
            var answer = await connection.Api.PostAsync(
                "/api/v1/knowledge/search", new { query = parsed.GetValue(query), limit = parsed.GetValue(limit), collections = collection is null ? null : new[] { collection } }, cancellationToken, JsonText.List);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(answer);
                return ExitCodes.Ok;
            }

            foreach (var passage in answer.Items())
            {
                var page = passage.Text("page") is { } number ? $", page {number}" : "";
                terminal.WriteLine($"[{passage.Text("citation_id")}] {passage.Text("title")}{page} ({passage.Text("document_id")}, {passage.Text("start")}-{passage.Text("end")})");
                terminal.WriteLine(passage.Text("text")! + "\n");
            }

            return ExitCodes.Ok;
        }, cancellationToken));
        return command;
    }

    private static Command Delete()
    {
        var command = new Command("delete", "Delete a document with its text, chunks and vectors.") { Id };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            await connection.Api.DeleteAsync(PathOf(parsed.GetValue(Id)!), cancellationToken);
            terminal.Note("Deleted.");
            return ExitCodes.Ok;
        }, cancellationToken));
        return command;
    }

    private static Command Collections()
    {
        var command = new Command("collections", "List collections.") { CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => WithAsync(parsed, async (connection, terminal) =>
        {
            var answer = await connection.Api.ListAsync("/api/v1/collections?limit=200", cancellationToken);
            Show(parsed, terminal, answer, ["Id", "Name", "Documents", "May write"], static c => [c.Text("id")!, c.Text("name")!, c.Text("documents")!, c.Text("may_write")!]);
            return ExitCodes.Ok;
        }, cancellationToken));
        return command;
    }

    /// <summary>A collection by id or name; null: none was named.</summary>
    internal static async Task<string?> CollectionIdAsync(ServerConnection connection, string? named, CancellationToken cancellationToken)
    {
        if (named is null)
        {
            return null;
        }

        var answer = await connection.Api.ListAsync("/api/v1/collections?limit=200", cancellationToken);
        var found = answer.Items().FirstOrDefault(c => c.Text("id") == named || c.Text("name") == named);
        return found.Text("id") ?? throw new CliException(ExitCodes.NotFound, $"There is no collection '{named}'. 'rootmas documents collections' lists those that there are.");
    }

    private static string ChunksOf(JsonElement document) => document.Text("chunks") is var count && count == "1" ? "1 chunk" : $"{count} chunks";

    /// <summary>Of a document that failed.</summary>
    private static void SayWhy(Terminal terminal, JsonElement document)
    {
        if (document.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object)
        {
            terminal.Warn(error.Text("detail") ?? "");
        }
    }

    private static async Task<bool> UploadOneAsync(ServerConnection connection, Terminal terminal, (UploadFile File, string? Collection, bool Json) what, CancellationToken cancellationToken)
    {
        var (path, name) = what.File;
        try
        {
            await using var content = path == UploadFiles.StandardInput ? Console.OpenStandardInput() : File.OpenRead(path);
            var document = await connection.Api.UploadAsync($"/api/v1/documents?name={Uri.EscapeDataString(name)}{(what.Collection is null ? "" : "&collection=" + what.Collection)}", content, cancellationToken);
            document = await FollowAsync(connection, terminal, document, cancellationToken);
            if (what.Json)
            {
                terminal.WriteJson(document);
            }
            else
            {
                terminal.WriteLine($"{document.Text("id")} {document.Text("name")}: {document.Text("status")}, {ChunksOf(document)}");
                SayWhy(terminal, document);
            }

            return document.Text("status") == "ready";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            terminal.Error($"{path}: {e.Message}");
        }
        catch (CliException e) when (e.ExitCode is not (ExitCodes.Unreachable or ExitCodes.NotAllowed))
        {
            terminal.Error($"{name}: {e.Message}");
        }

        return false;
    }

    /// <summary>A document that takes longer than one answer waits.</summary>
    private static async Task<JsonElement> FollowAsync(ServerConnection connection, Terminal terminal, JsonElement document, CancellationToken cancellationToken)
    {
        while (document.Text("status") is "queued" or "working")
        {
            if (document.TryGetProperty("progress", out var progress) && progress.ValueKind == JsonValueKind.Object)
            {
                terminal.Note($"{document.Text("name")}: {progress.Text("stage")} {progress.Text("done")}/{progress.Text("total")}");
            }

            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, cancellationToken);
            document = await connection.Api.GetAsync(PathOf(document.Text("id")!), cancellationToken);
        }

        return document;
    }

    private static async Task PrintTextAsync(ServerConnection connection, Terminal terminal, string path, CancellationToken cancellationToken)
    {
        for (var start = 0; ;)
        {
            var part = await connection.Api.GetAsync($"{path}/text?start={start.ToString(CultureInfo.InvariantCulture)}", cancellationToken, "text", "end", "characters");
            terminal.Write(part.Text("text")!);
            start = part.GetProperty("end").GetInt32();
            if (start >= part.GetProperty("characters").GetInt32())
            {
                terminal.WriteLine();
                return;
            }
        }
    }

    private static void Show(ParseResult parsed, Terminal terminal, JsonElement answer, IReadOnlyList<string> heads, Func<JsonElement, IReadOnlyList<string>> row)
    {
        if (parsed.GetValue(CliOptions.JsonOption))
        {
            terminal.WriteJson(answer);
        }
        else
        {
            terminal.Table(heads, answer.Items().Select(row));
        }
    }

    private static string PathOf(string id) => "/api/v1/documents/" + Segment.Of(id, "document");

    private static async Task<int> WithAsync(ParseResult parsed, Func<ServerConnection, Terminal, Task<int>> work, CancellationToken cancellationToken)
    {
        await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
        return await work(connection, Terminal.Of(parsed));
    }
}
