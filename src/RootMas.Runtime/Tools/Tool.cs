using System.Text.Json;

namespace RootMas.Runtime.Tools;

/// <summary>What a repeated call would do (DESIGN §4.4).</summary>
public enum ToolEffect
{
    /// <summary>Changes nothing; may be repeated freely.</summary>
    Read,

    /// <summary>Changes something, once per idempotency key.</summary>
    Idempotent,

    /// <summary>Changes something each time; never repeated by the system.</summary>
    Unsafe,
}

/// <summary>Who may approve a call.</summary>
public enum Approver
{
    Owner,

    /// <summary>For whatever changes what others get.</summary>
    Admin,
}

/// <summary>When a call needs a person's approval before it runs.</summary>
public enum ApprovalRule
{
    /// <summary>Never, not even in a tainted run: the call sends no bytes that the model composed anywhere.</summary>
    Never,

    /// <summary>Only in a tainted run, and unless <see cref="Tool.IsExempt"/> says that this call's bytes come from the user or a search.</summary>
    WhenTainted,

    Always,
}

/// <summary>The part of a tool that a run's snapshot keeps and a model sees.</summary>
/// <param name="Schema">JSON schema of the arguments, raw text, an object schema.</param>
/// <param name="Version">Changes when meaning or schema change.</param>
public sealed record ToolDefinition(string Name, string Description, string Schema, string Version);

/// <summary>A tool that agents can call. Implementations are thread-safe and hold no state per run.</summary>
public abstract class Tool
{
    public abstract ToolDefinition Definition { get; }

    public string Name => Definition.Name;

    public abstract ToolEffect Effect { get; }

    public virtual ApprovalRule Approval => ApprovalRule.Never;

    public virtual Approver Approver => Approver.Owner;

    /// <summary>What whoever approves is told about why they are asked; null: the usual words about requests that leave.</summary>
    public virtual string? ApprovalReason => null;

    /// <summary>The permission (<c>area:action</c>) that the run's user needs, for tools that read or change what this system keeps; null: none.</summary>
    public virtual string? Permission => null;

    /// <summary>The call is cut off after this; for an unsafe call that means in doubt. Default 30 s.</summary>
    public virtual TimeSpan Timeout => TimeSpan.FromSeconds(30);

    /// <summary>Characters of the result given to the model; the rest is cut with a note. Default 20,000.</summary>
    public virtual int OutputLimit => 20_000;

    /// <summary>The result carries text from outside (pages, files, other systems).</summary>
    public virtual bool Taints => false;

    /// <summary>
    /// Looks at nothing but its arguments and the clock, and is done at once: nobody else can see a call of it, so what asked for it, its beginning and its result are one commit (decision 65), and it shows no progress. Only of tools that read.
    /// </summary>
    public virtual bool IsLocal => false;

    /// <summary>False while the tool lacks configuration; <see cref="NotConfigured"/> then says what to set.</summary>
    public virtual bool IsConfigured => true;

    public virtual string? NotConfigured => null;

    /// <summary>In a tainted run: true when every byte this call would send was typed by the user or returned verbatim by a search.</summary>
    public virtual bool IsExempt(JsonElement arguments, IKnownUrls known) => false;

    /// <summary>Origin (scheme://host:port) the call would reach, for the approval; null: none.</summary>
    public virtual string? TargetOrigin(JsonElement arguments) => null;

    /// <summary>Name (never the value) of the credential the call would use; null: none.</summary>
    public virtual string? CredentialReference(JsonElement arguments) => null;

    /// <summary>Effect of this very call where it depends on the arguments (an HTTP method, say).</summary>
    public virtual ToolEffect EffectOf(JsonElement arguments) => Effect;

    /// <summary>Approval of this very call where it depends on the arguments; never laxer than the effect deserves.</summary>
    public virtual ApprovalRule ApprovalOf(JsonElement arguments) => Approval;

    /// <summary>Who may approve this very call where it depends on the arguments; never laxer than <see cref="Approver"/>.</summary>
    public virtual Approver ApproverOf(JsonElement arguments) => Approver;

    /// <summary>Runs the call. The arguments are the stored ones and already fit the schema.</summary>
    /// <exception cref="ToolException">The call failed in a way the model can be told.</exception>
    public abstract ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken);
}

/// <summary>URLs of a run that did not come from the model: typed by the user, or returned by a search.</summary>
public interface IKnownUrls
{
    bool Contains(string url);
}

/// <param name="Text">What the model reads.</param>
/// <param name="Tainted">Overrides <see cref="Tool.Taints"/> upward.</param>
/// <param name="Urls">URLs that a search returned; they become known to the run.</param>
public sealed record ToolResult(string Text, bool Tainted = false, IReadOnlyList<string>? Urls = null)
{
    /// <summary>Sources the answer may cite.</summary>
    public IReadOnlyList<Runs.Citation>? Citations { get; init; }

    /// <summary>Ids of what is remembered whose words are in the text: they are shown no more once it is forgotten.</summary>
    public IReadOnlyList<string>? Facts { get; init; }
}

/// <summary>What a call may know of the run it belongs to. Rights are those of <see cref="OwnerId"/>.</summary>
public sealed record ToolContext
{
    public required string RunId { get; init; }

    public required string RootRunId { get; init; }

    public string? ConversationId { get; init; }

    public required string OwnerId { get; init; }

    public required string Agent { get; init; }

    /// <summary>Text from outside is part of what the model saw when it asked for this call.</summary>
    public bool Tainted { get; init; }

    public required int Call { get; init; }

    /// <summary>run id + call number: the same for every repetition of this call, new only after a person chose "repeat".</summary>
    public required string IdempotencyKey { get; init; }

    /// <summary>Whether the run's user may do this at this moment, with the credential that started the run: for tools whose answer depends on more than <see cref="Tool.Permission"/>. Where nobody says so: no.</summary>
    public Func<string, CancellationToken, ValueTask<bool>> MayAsync { get; init; } = static (_, _) => new(false);

    public required TimeProvider Clock { get; init; }

    /// <summary>Shown live, never stored.</summary>
    public required Action<string> Progress { get; init; }
}

/// <summary>A failure whose message may be shown to the model and the user.</summary>
public sealed class ToolException : Exception
{
    public ToolException(string message, bool inDoubt = false, Exception? inner = null)
        : base(message, inner) => InDoubt = inDoubt;

    /// <summary>Sending began and the outcome is unknown: for an unsafe call a person must decide.</summary>
    public bool InDoubt { get; }
}

/// <summary>The tools of this process, by name.</summary>
public interface IToolCatalog
{
    Tool? Find(string name);

    IReadOnlyCollection<Tool> All { get; }

    /// <summary>How long after a call was last seen nobody can be waiting for its answer any more; 30 s for a tool that is gone.</summary>
    TimeSpan TimeoutOf(string name) => Find(name)?.Timeout ?? TimeSpan.FromSeconds(30);
}
