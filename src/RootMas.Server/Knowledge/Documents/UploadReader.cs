using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>A file as a request brings it.</summary>
/// <param name="Name">As the client named it, without folders; empty: it did not.</param>
/// <param name="CollectionId">Null: none was named.</param>
internal sealed record ReceivedFile(string Name, string? CollectionId, byte[] Content);

/// <summary>Memory for files on their way in, of all requests together. Taken as bytes arrive, whatever a request promises; one user has a quarter of it at most, or one file where that is less.</summary>
internal sealed class UploadBudget(DocumentsOptions options)
{
    private const int Share = 4;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _taken = new(StringComparer.Ordinal);
    private readonly long _mostOfOne = Math.Max(options.MaxFileBytes, options.UploadBytes / Share);
    private long _free = options.UploadBytes;

    /// <summary>What stands around a file in a body is little and does not count.</summary>
    internal long MostOfFile => options.MaxFileBytes;

    /// <summary>Nothing is taken yet. Disposing gives back what was.</summary>
    public UploadRoom Open(string userId) => new(this, userId);

    internal bool TryTake(string userId, long bytes)
    {
        lock (_lock)
        {
            var mine = _taken.GetValueOrDefault(userId);
            if (bytes > _free || mine + bytes > _mostOfOne)
            {
                return false;
            }

            (_taken[userId], _free) = (mine + bytes, _free - bytes);
            return true;
        }
    }

    internal void GiveBack(string userId, long bytes)
    {
        lock (_lock)
        {
            _free += bytes;
            if ((_taken[userId] -= bytes) == 0)
            {
                _taken.Remove(userId);
            }
        }
    }
}

/// <summary>What one upload has of it.</summary>
internal sealed class UploadRoom(UploadBudget budget, string userId) : IBodyRoom
{
    private const long Step = 1L << 20;

    private long _bytes;

    public Problem Refusal => Problems.Unavailable("uploads_busy", "Other uploads use all the memory that is set aside for them. Nothing was kept. Try again in a moment.");

    public bool Holds(long bytes)
    {
        var missing = ((Math.Min(bytes, budget.MostOfFile) - _bytes) + Step - 1) / Step * Step;
        if (missing > 0 && !budget.TryTake(userId, missing))
        {
            return false;
        }

        _bytes += Math.Max(0, missing);
        return true;
    }

    public void Dispose()
    {
        if (_bytes > 0)
        {
            budget.GiveBack(userId, _bytes);
            _bytes = 0;
        }
    }
}

/// <summary>Reads an upload: <c>multipart/form-data</c> with the parts <c>file</c> and perhaps <c>collection</c> and <c>name</c>, or the bare bytes with these in the query.</summary>
internal static class UploadReader
{
    private const int MaxParts = 10;
    private const int MaxFieldBytes = 4_096;
    private const int MaxBoundary = 200;

    /// <summary>Where the system has no other name for it.</summary>
    private const int MaxName = 200;

    public static async Task<(ReceivedFile? File, Problem? Refusal)> ReadAsync(HttpRequest request, long limit, IBodyRoom room, CancellationToken cancellationToken)
    {
        var (name, collection) = (request.Query["name"].ToString(), request.Query["collection"].ToString());
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || type.MediaType?.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase) != true)
        {
            var (bytes, refusal) = await ReadBytesAsync(request.Body, limit, room, cancellationToken);
            return bytes is null ? (null, refusal) : (new ReceivedFile(CleanName(name), Filled(collection), bytes), null);
        }

        var boundary = type.Parameters.FirstOrDefault(static p => p.Name.Equals("boundary", StringComparison.OrdinalIgnoreCase))?.Value?.Trim('"');
        if (boundary is null or { Length: 0 or > MaxBoundary })
        {
            return (null, Problems.Invalid("Content-Type", "multipart/form-data needs a boundary of 1 to 200 characters"));
        }

        try
        {
            return await ReadPartsAsync(new MultipartReader(boundary, request.Body), name, Filled(collection), (limit, room), cancellationToken);
        }
        catch (Exception e) when (e is InvalidDataException || (e is IOException and not BadHttpRequestException && !cancellationToken.IsCancellationRequested))
        {
            return (null, Problems.Invalid("$", "is no readable multipart/form-data body"));
        }
    }

    /// <summary>A name without folders, control characters and what turns text around; at most 200 characters.</summary>
    public static string CleanName(string name)
    {
        var last = name.AsSpan(name.LastIndexOfAny(['/', '\\']) + 1);
        var clean = Platform.Text.WebText.Clean(last.ToString()).ReplaceLineEndings(" ").Replace('\t', ' ').Trim();
        if (clean.Length <= MaxName)
        {
            return clean is "." or ".." ? "" : clean;
        }

        var ending = EndingOf(clean);
        return Fitted(clean[..(MaxName - ending.Length)], ending);
    }

    /// <summary>From the last dot on, as <c>.pdf</c>; empty: what stands there is too long to say what a file is.</summary>
    public static string EndingOf(string name) => Path.GetExtension(name) is { Length: <= 20 } ending ? ending : "";

    /// <summary>Beginning and ending of a name, the beginning as long as there is room for it.</summary>
    public static string Fitted(string beginning, string ending)
    {
        var keep = Math.Min(beginning.Length, MaxName - ending.Length);
        return beginning[..(keep > 0 && char.IsHighSurrogate(beginning[keep - 1]) ? keep - 1 : keep)] + ending;
    }

    private static async Task<(ReceivedFile? File, Problem? Refusal)> ReadPartsAsync(MultipartReader reader, string name, string? collection, (long Limit, IBodyRoom Room) most, CancellationToken cancellationToken)
    {
        (string Name, byte[] Content)? file = null;
        for (var parts = 0; await reader.ReadNextSectionAsync(cancellationToken) is { } section; parts++)
        {
            if (parts >= MaxParts || !ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition))
            {
                return (null, Problems.Invalid("$", "must have at most 10 parts, each with a Content-Disposition"));
            }

            var field = disposition.Name?.Trim('"') ?? "";
            var isFile = field == "file";
            var (bytes, refusal) = await ReadBytesAsync(section.Body, isFile ? most.Limit : MaxFieldBytes, isFile ? most.Room : null, cancellationToken);
            if (bytes is null)
            {
                return (null, isFile ? refusal : Problems.Invalid(field, "is too long"));
            }

            switch (field)
            {
                case "file" when file is null:
                    file = ((disposition.FileNameStar ?? disposition.FileName)?.Trim('"') ?? "", bytes);
                    break;
                case "collection":
                    collection = Filled(Encoding.UTF8.GetString(bytes));
                    break;
                case "name":
                    name = Encoding.UTF8.GetString(bytes);
                    break;
                default:
                    return (null, Problems.Invalid("$", "has a part that is not known, or a second file; there are: file, collection, name"));
            }
        }

        return file is { } found
            ? (new ReceivedFile(CleanName(name.Length > 0 ? name : found.Name), collection, found.Content), null)
            : (null, Problems.Invalid("file", "is missing"));
    }

    /// <summary>The bytes, or why not: there are more than <paramref name="limit"/>, or no room is left for them.</summary>
    private static async Task<(byte[]? Bytes, Problem? Refusal)> ReadBytesAsync(Stream from, long limit, IBodyRoom? room, CancellationToken cancellationToken)
    {
        using var content = new MemoryStream();
        var buffer = new byte[81_920];
        while (await from.ReadAsync(buffer, cancellationToken) is > 0 and var read)
        {
            if (content.Length + read > limit)
            {
                return (null, Problems.TooLarge(limit));
            }

            if (room is not null && !room.Holds(content.Length + read))
            {
                return (null, room.Refusal);
            }

            content.Write(buffer, 0, read);
        }

        return (content.ToArray(), null);
    }

    private static string? Filled(string text) => text.Length > 0 ? text : null;
}
