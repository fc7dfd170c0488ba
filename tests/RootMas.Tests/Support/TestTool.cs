using System.Text.Json;
using RootMas.Runtime.Tools;

namespace RootMas.Tests.Support;

/// <summary>A tool made of a callback.</summary>
public sealed class TestTool(string name, Func<ToolContext, JsonElement, CancellationToken, Task<ToolResult>> invoke) : Tool
{
    private ToolEffect _effect = ToolEffect.Read;
    private ApprovalRule _approval = ApprovalRule.Never;
    private Approver _approver = Approver.Owner;
    private TimeSpan _timeout = TimeSpan.FromSeconds(30);
    private bool _taints;
    private string? _permission;
    private bool _isLocal;

    public TestTool(string name, Func<string, string> invoke)
        : this(name, (_, a, _) => Task.FromResult(new ToolResult(invoke(a.TryGetProperty("text", out var t) ? t.GetString()! : ""))))
    {
    }

    public List<string> Keys { get; } = [];

    public override ToolDefinition Definition { get; } =
        new(name, "A tool for tests.", """{"type":"object","properties":{"text":{"type":"string"}},"additionalProperties":false}""", "1");

    public override ToolEffect Effect => _effect;

    public override ApprovalRule Approval => _approval;

    public override Approver Approver => _approver;

    public override TimeSpan Timeout => _timeout;

    public override bool Taints => _taints;

    public override string? Permission => _permission;

    public override bool IsLocal => _isLocal;

    public TestTool Local()
    {
        _isLocal = true;
        return this;
    }

    public TestTool With(ToolEffect effect = ToolEffect.Read, ApprovalRule approval = ApprovalRule.Never, TimeSpan? timeout = null, bool taints = false, string? permission = null, Approver approver = Approver.Owner)
    {
        (_effect, _approval, _timeout, _taints, _permission, _approver) = (effect, approval, timeout ?? _timeout, taints, permission, approver);
        return this;
    }

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        lock (Keys)
        {
            Keys.Add(context.IdempotencyKey);
        }

        return await invoke(context, arguments, cancellationToken);
    }
}
