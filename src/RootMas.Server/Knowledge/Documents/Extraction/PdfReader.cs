using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using RootMas.Server.Platform.Text;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>
/// Text of a PDF by poppler's <c>pdftotext</c>, in a process of its own that can do little harm: limited in time, processor time, memory and output, without a file to write to, without our environment.
/// The file goes in and the text comes out by pipes.
/// </summary>
internal static class PdfReader
{
    private const int MemoryKilobytes = 1_500_000;
    private const int MostErrorText = 500;

    /// <summary>Sets the limits and becomes the program, whose path is the first argument.</summary>
    private const string Limiter = "ulimit -c 0; ulimit -f 0; ulimit -t \"$1\"; ulimit -v \"$2\"; shift 2; exec \"$@\"";

    /// <exception cref="ExtractionException">There is no pdftotext, or it cannot read the file within the limits.</exception>
    public static async Task<ExtractedText> ReadAsync(byte[] content, ExtractionLimits limits, CancellationToken cancellationToken)
    {
        var program = Find(limits.PdfProgram) ?? throw new ExtractionException("pdf_reader_missing",
            "This server cannot read PDF files: the program pdftotext is not installed. Nothing was indexed. An administrator can install poppler-utils (apt-get install poppler-utils), or name the program in Knowledge:Documents:PdfProgram; upload the file again then.");
        using var deadline = new CancellationTokenSource(limits.Timeout, limits.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        using var process = Start(program, limits);
        try
        {
            var errors = ErrorsAsync(process.StandardError, either.Token);
            var feeding = FeedAsync(process, content, either.Token);
            var text = await OutputAsync(process.StandardOutput, limits.MaxCharacters, either.Token);
            await feeding;
            var said = await errors;
            await process.WaitForExitAsync(either.Token);
            return process.ExitCode == 0 ? Pages(text, limits.MaxPages) : throw Refusal(said);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ExtractionException("document_takes_too_long",
                string.Create(CultureInfo.InvariantCulture, $"Reading the PDF took longer than {limits.Timeout.TotalSeconds:0} s. Nothing was indexed. Split it, or print it to a new PDF, and upload that."));
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    /// <summary>Where the program is; null: nowhere.</summary>
    public static string? Find(string program)
    {
        if (program.Length > 0)
        {
            return File.Exists(program) ? program : null;
        }

        return Array.Find(["/usr/bin/pdftotext", "/usr/local/bin/pdftotext", "/opt/homebrew/bin/pdftotext"], File.Exists);
    }

    private static Process Start(string program, ExtractionLimits limits)
    {
        var pages = (limits.MaxPages + 1).ToString(CultureInfo.InvariantCulture); // one too many tells that there are more
        var seconds = Math.Ceiling(limits.Timeout.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo("/bin/sh", ["-c", Limiter, "sh", seconds, MemoryKilobytes.ToString(CultureInfo.InvariantCulture), program, "-enc", "UTF-8", "-l", pages, "-", "-"])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, StandardOutputEncoding = Encoding.UTF8, WorkingDirectory = "/",
        };
        start.Environment.Clear(); // none of our secrets
        start.Environment["LC_ALL"] = "C.UTF-8";
        try
        {
            return Process.Start(start) ?? throw new InvalidOperationException("The process was not started.");
        }
        catch (Win32Exception e)
        {
            throw new ExtractionException("pdf_reader_missing", "This server cannot read PDF files: it cannot start the program that does. Nothing was indexed. An administrator finds the reason in the server's log.", e);
        }
    }

    private static async Task FeedAsync(Process process, byte[] content, CancellationToken cancellationToken)
    {
        try
        {
            await using var to = process.StandardInput.BaseStream;
            await to.WriteAsync(content, cancellationToken);
        }
        catch (IOException)
        {
            // It has read enough to give up; its exit code says so.
        }
    }

    private static async Task<string> OutputAsync(StreamReader from, int maxCharacters, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        var buffer = new char[16_384];
        while (await from.ReadAsync(buffer, cancellationToken) is > 0 and var read)
        {
            text.Append(buffer, 0, read);
            if (text.Length > maxCharacters)
            {
                throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The PDF has more than {maxCharacters} characters of text."));
            }
        }

        return text.ToString();
    }

    private static async Task<string> ErrorsAsync(StreamReader from, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        while (await from.ReadLineAsync(cancellationToken) is { } line)
        {
            text.Append(text.Length < MostErrorText ? line + " " : "");
        }

        return text.ToString();
    }

    private static ExtractionException Refusal(string said) =>
        said.Contains("assword", StringComparison.Ordinal) || said.Contains("ncrypt", StringComparison.Ordinal)
            ? new ExtractionException("document_encrypted", "The PDF is protected by a password. Nothing was indexed. Remove the protection, and upload it again.")
            : ExtractionException.Unreadable("The PDF is damaged, or needs more memory than reading it may take.");

    private static ExtractedText Pages(string raw, int maxPages)
    {
        if (raw.AsSpan().Count('\f') > maxPages)
        {
            throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The PDF has more than {maxPages} pages."));
        }

        var text = new StringBuilder(raw.Length);
        var pages = new List<int>();
        foreach (var page in raw.TrimEnd('\f', '\n').Split('\f'))
        {
            pages.Add(text.Length);
            text.Append(WebText.Clean(page.ReplaceLineEndings("\n")).Trim()).Append("\n\n");
        }

        return new ExtractedText("pdf", text.ToString(), pages);
    }
}
