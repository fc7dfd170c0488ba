using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Models;

/// <summary>Models beyond <c>models.yaml</c>: what is used when that file names no provider, and how the built-in parts behave.</summary>
public sealed record ModelsOptions
{
    internal const int LeastContext = 512;
    internal const int MostContext = 100_000_000;

    /// <summary>Look for an Ollama on this machine at start, and every 15 s while there is none, and use it if nothing else is configured.</summary>
    public bool ProbeOllama { get; init; } = true;

    /// <summary>Where Ollama is looked for.</summary>
    [Required]
    public string OllamaUrl { get; init; } = "http://127.0.0.1:11434";

    /// <summary>Longest that the search at start may take; the start does not wait longer.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:05")]
    public TimeSpan ProbeTimeout { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>Model for the tier cheap: its id at <c>OPENAI_BASE_URL</c> or Ollama, or its name in models.yaml where that file fills the tiers (keys of OpenAI or OpenRouter, providers of one's own); empty: what the provider offers, or the file says.</summary>
    public string Cheap { get; init; } = "";

    /// <summary>Model for the tier standard, as for <see cref="Cheap"/>.</summary>
    public string Standard { get; init; } = "";

    /// <summary>Model for the tier premium, as for <see cref="Cheap"/>.</summary>
    public string Premium { get; init; } = "";

    /// <summary>Id of the model for embeddings at <c>OPENAI_BASE_URL</c> or Ollama; empty: what the provider offers. Where models.yaml fills the tiers, that file names it.</summary>
    public string Embedding { get; init; } = "";

    /// <summary>Tokens that the models at <c>OPENAI_BASE_URL</c> or Ollama read at once, the answer included; empty: what Ollama says (4,096 where it does not), and 128,000 at <c>OPENAI_BASE_URL</c>. More than the server really gives has beginnings of conversations cut off or refused. Models of models.yaml say it there (<c>context</c>).</summary>
    [Range(LeastContext, MostContext)]
    public int? Context { get; init; }

    /// <summary>The models at <c>OPENAI_BASE_URL</c> cost nothing. Implied for an address on this machine, unless a price is set.</summary>
    public bool Free { get; init; }

    /// <summary>US dollars per million input tokens of the models named above, where models.yaml does not know them.</summary>
    [Range(0, 10_000)]
    public double? InputPrice { get; init; }

    /// <summary>US dollars per million output tokens of the models named above.</summary>
    [Range(0, 10_000)]
    public double? OutputPrice { get; init; }

    /// <summary>Reach providers through the system's proxy (<c>HTTPS_PROXY</c>).</summary>
    public bool UseProxy { get; init; }

    /// <summary>Pause between the words of the offline model. Zero: none.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:05")]
    public TimeSpan OfflinePace { get; init; }

    /// <summary>How often <c>models.yaml</c> is looked at for changes. Zero: never.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan ReloadInterval { get; init; } = TimeSpan.FromSeconds(2);
}
