using System.Text.Json;
using System.Threading.Channels;
using RootMas.Runtime.Runs;
using RootMas.Server.Agents;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat.Sockets;

/// <summary><c>/ws/visualization</c>: the caller's runs, shaped for drawing. New runs are shown by themselves; after <c>subscribe</c> only the named one.</summary>
internal sealed class VisualizationSocket(SocketChannel channel, SocketIdentity identity, IChatService chat, RequestLimiter limiter, ILogger logger, FlowSources sources)
    : SocketSession(channel, identity, limiter, logger)
{
    private const int LookedAt = 200;

    /// <summary>Of the route that gives the same profiles.</summary>
    private const string ReadsAgents = "agents:read";

    private readonly Lock _following = new();
    private volatile string? _only;

    /// <summary>Also what is at work already is shown, from its beginning: who only looks has missed nothing then. Who means to subscribe would get it twice.</summary>
    public bool ShowsWorking { get; init; }

    /// <summary>Serves the socket, and follows every run of the caller that starts meanwhile.</summary>
    protected override async Task ServeAsync()
    {
        var started = System.Threading.Channels.Channel.CreateBounded<string>(new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
        using (await sources.Feed.ListenAsync(Caller.UserId, runId => Note(started, runId), WorkingAsync, Channel.Closed))
        {
            var following = FollowNewAsync(started.Reader);
            try
            {
                await base.ServeAsync();
            }
            finally
            {
                started.Writer.TryComplete();
                await following;
            }
        }
    }

    protected override Task<Problem?> OnFrameAsync(string? type, JsonElement frame) => type switch
    {
        "subscribe" => SubscribeAsync(frame),
        "get_agent_profiles" => ProfilesAsync(),
        _ => Task.FromResult<Problem?>(Problems.BadRequest("unknown_frame", "The frame's type is not one of auth, subscribe, get_agent_profiles, ping.", "type", "must be one of auth, subscribe, get_agent_profiles, ping")),
    };

    /// <summary>Oldest first; where there are too many, those that wait for a person are left out first. Whoever has begun more runs since than are looked at here waits for one that hardly moves.</summary>
    private async Task<IEnumerable<string>> WorkingAsync() =>
        ShowsWorking
            ? (await chat.RecentAsync(Caller, LookedAt, Channel.Closed)).Where(static r => !r.Status.IsFinal()).OrderBy(static r => r.Status.IsWaitingForHuman()).Take(MaxStreams)
                .OrderBy(static r => r.CreatedAt).Select(static r => r.Id)
            : [];

    private void Note(Channel<string> started, string runId)
    {
        if (_only is null)
        {
            started.Writer.TryWrite(runId);
        }
    }

    private async Task FollowNewAsync(ChannelReader<string> started)
    {
        await foreach (var runId in started.ReadAllAsync())
        {
            var stop = Task.CompletedTask;
            lock (_following)
            {
                if (_only is null && Streams >= MaxStreams)
                {
                    stop = StopQuietestAsync(); // what waits may wait for days; what begins is what somebody looks for
                }
            }

            await stop;
            lock (_following)
            {
                if (_only is null && Streams < MaxStreams)
                {
                    Follow(runId, cancellation => ShowAsync(Caller, runId, cancellation));
                }
            }
        }
    }

    private async Task<Problem?> SubscribeAsync(JsonElement frame)
    {
        if (SocketFrames.Text(frame, "flow_id", out _) is not { Length: > 0 } flow)
        {
            return Problems.Invalid("flow_id", "must be a string");
        }

        var subject = await ReaderAsync(frame, flow);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal;
        }

        if (await chat.FindAsync(owner, flow, Channel.Closed) is null)
        {
            return ChatProblems.NoRun();
        }

        lock (_following)
        {
            _only = flow;
        }

        await StopStreamsAsync();
        await Channel.SendAsync(SocketFrames.Write(json =>
        {
            json.WriteString("type"u8, "subscribed"u8);
            json.WriteString("flow_id"u8, flow);
        }));
        Follow(flow, cancellation => ShowAsync(owner, flow, cancellation));
        return null;
    }

    private async Task ShowAsync(Caller owner, string runId, CancellationToken cancellation)
    {
        if (await chat.StreamTreeAsync(owner, runId, cancellation) is not { } items)
        {
            return;
        }

        var view = new FlowView(runId, owner.UserId);
        await foreach (var item in items.WithCancellation(cancellation))
        {
            var e = RunJson.DeserializeEvent(item.Json.Span);
            Heard(runId, waits: e is ApprovalRequested or InputRequested or RunNeedsReview);
            foreach (var frame in view.Show(e))
            {
                await Channel.SendAsync(frame);
            }
        }
    }

    private async Task<Problem?> ProfilesAsync()
    {
        if (!Caller.May(ReadsAgents))
        {
            return Problems.Forbidden("permission_missing", $"This needs the permission {ReadsAgents}, which you do not have.");
        }

        var profiles = await sources.ProfilesAsync(Channel.Closed);
        await Channel.SendAsync(SocketFrames.Write(json =>
        {
            json.WriteString("type"u8, "agent_profiles"u8);
            json.WritePropertyName("data"u8);
            json.WriteRawValue(profiles.Span, skipInputValidation: true);
        }));
        return null;
    }
}
