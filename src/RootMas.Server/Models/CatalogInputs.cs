using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Models;

/// <summary>models.yaml as it was read.</summary>
/// <param name="Name">For messages.</param>
/// <param name="IsOwn">The operator's own; false: the built-in one.</param>
internal sealed record ModelsText(string Text, string Name, bool IsOwn)
{
    /// <summary>Of the text, whoever's it is.</summary>
    public string Fingerprint { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)));
}

/// <summary>What the catalog is made from.</summary>
/// <param name="Path">Of models.yaml; if it is not there, the built-in one counts.</param>
/// <param name="Variables">The environment, by name.</param>
internal sealed record CatalogInputs(string Path, ModelsOptions Options, Func<string, string?> Variables)
{
    private const string Wanted = "is not an absolute address of http or https, without user, password and query; for example";

    /// <summary>The server that <c>OPENAI_BASE_URL</c> names, unless models.yaml already speaks of that variable's server itself.</summary>
    public ModelProvider? Custom { get; } = BaseUrl(Variables) is { } uri && uri.Host != "api.openai.com"
        ? At(uri, Variables("OPENAI_API_KEY"))
        : null;

    /// <summary>Without an address if the setting is none, which stops the start.</summary>
    public ModelProvider Ollama { get; } = new()
    {
        Name = "ollama",
        BaseUrl = ModelsFileReader.IsBaseUrl(Options.OllamaUrl) ? new Uri(Options.OllamaUrl.TrimEnd('/') + "/v1") : null,
        KeySource = "nothing: Ollama needs no key",
    };

    /// <summary>As <see cref="Ollama"/>, for what it answers beside its imitation of OpenAI.</summary>
    public ModelProvider OllamaItself => Ollama with { BaseUrl = Ollama.BaseUrl is null ? null : new Uri(Options.OllamaUrl.TrimEnd('/')) };

    /// <summary>Addresses that are none. A base URL that is none would leave the key, and with it every message, to another server than the one that was meant.</summary>
    public IEnumerable<string> Refusals
    {
        get
        {
            if (Variables("OPENAI_BASE_URL") is { Length: > 0 } && BaseUrl(Variables) is null)
            {
                yield return $"OPENAI_BASE_URL: {Wanted} http://127.0.0.1:8080/v1";
            }

            if (Options is { ProbeOllama: true, OllamaUrl.Length: > 0 } && Ollama.BaseUrl is null)
            {
                yield return $"Models:OllamaUrl: {Wanted} http://127.0.0.1:11434";
            }
        }
    }

    /// <summary>The file as it is now. Null, and a problem: it is there and cannot be read.</summary>
    public ModelsText? Load(ICollection<string> problems)
    {
        try
        {
            if (File.Exists(Path))
            {
                return new ModelsText(File.ReadAllText(Path), Path, IsOwn: true);
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // A link that leads nowhere, or a file that goes at this moment: there is none.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add($"{Path}: {(e is UnauthorizedAccessException ? "may not be read by the account of this process" : "cannot be read at the moment")}");
            return null;
        }

        return new ModelsText(BuiltIn(), "models.yaml (built in)", IsOwn: false);
    }

    /// <param name="secrets">Values of secrets by name; null: none can be read yet.</param>
    public ModelsFile Parse(ModelsText text, ICollection<string> problems, Func<string, string?>? secrets = null)
    {
        try
        {
            return new ModelsFileReader(Variables, problems, secrets).Read(text.Text, text.Name);
        }
        catch (SettingsException e)
        {
            problems.Add($"{text.Name}: {string.Join("; ", e.Problems)}"); // a variable that it names has a file that cannot be read
            return new ModelsFile();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whatever the reader did not expect of a file is the file's problem, and ends neither a start nor a request.
            problems.Add($"{text.Name}: cannot be understood ({e.GetType().Name}: {e.Message})");
            return new ModelsFile();
        }
    }

    private static ModelProvider At(Uri address, string? key)
    {
        var (limit, sampling, reasoning) = ModelProvider.UsualAt(address);
        return new() { Name = "openai-compatible", BaseUrl = address, Key = key, KeySource = "OPENAI_API_KEY", MaxTokensField = limit, ReasoningSampling = sampling, ReturnReasoning = reasoning };
    }

    private static Uri? BaseUrl(Func<string, string?> variables) =>
        variables("OPENAI_BASE_URL") is { } url && ModelsFileReader.IsBaseUrl(url) ? new Uri(url) : null;

    private static string BuiltIn()
    {
        using var stream = typeof(CatalogInputs).Assembly.GetManifestResourceStream("models.yaml") ?? throw new InvalidOperationException("The program lacks its models.yaml.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
