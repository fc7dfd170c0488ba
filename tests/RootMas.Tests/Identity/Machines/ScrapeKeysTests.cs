using Microsoft.AspNetCore.Routing;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Machines;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Machines;

/// <summary>Which API keys read metrics while the database is away; with a real one that goes away: PostgresFaultTests.</summary>
public sealed class ScrapeKeysTests
{
    private static readonly CallerKey Key = CallerKey.Of('b', "rmk_x");

    private readonly SteppedClock _clock = new();
    private readonly LiveSessions _live = new(null!);
    private readonly ScrapeKeys _keys;

    public ScrapeKeysTests() => _keys = new ScrapeKeys(_live, _clock);

    [Fact]
    public async Task A_key_that_was_verified_reads_metrics_and_nothing_else_for_a_day()
    {
        await RefusedAsync(Key);
        _keys.Verified(Key, Found("k", "metrics:read", "chat:read"));
        _clock.Advance(TimeSpan.FromHours(23));
        var known = await AwayAsync(Key);
        Assert.Equal("metrics:read", Assert.Single(known.Caller!.Permissions));
        await RefusedAsync(CallerKey.Of('b', "rmk_y"));
        _live.EndAll(); // nothing is known of this key by that
        Assert.NotNull((await AwayAsync(Key)).Caller);
        _clock.Advance(TimeSpan.FromHours(1));
        await RefusedAsync(Key);
    }

    [Fact]
    public async Task A_key_that_is_over_or_of_a_user_who_changed_is_forgotten()
    {
        _keys.Verified(Key, Found("k", "metrics:read"));
        _live.EndSession("other");
        _live.EndUser("other");
        Assert.NotNull((await AwayAsync(Key)).Caller);
        _live.EndSession("k");
        await RefusedAsync(Key);

        _keys.Verified(Key, Found("k", "metrics:read"));
        _live.End("user u "); // what another instance says
        await RefusedAsync(Key);

        _keys.Verified(Key, Found("k", "metrics:read"));
        _keys.Verified(Key, Found("k", "chat:read"));
        await RefusedAsync(Key);

        _keys.Verified(Key, Found("k", "metrics:read"));
        _keys.Verified(Key, new SessionCaller(null, default, SessionCallers.NotGood()));
        await RefusedAsync(Key);

        _keys.Verified(Key, Found("k", "metrics:read") with { ExpiresAt = _clock.GetUtcNow().AddMinutes(1) });
        Assert.NotNull((await AwayAsync(Key)).Caller);
        _clock.Advance(TimeSpan.FromMinutes(1));
        await RefusedAsync(Key);

        var late = Found("k", "metrics:read");
        _live.EndSession("k"); // between the look and the note of it
        _keys.Verified(Key, late);
        await RefusedAsync(Key);
    }

    [Fact]
    public async Task A_database_that_hangs_is_not_waited_for_and_one_that_answers_has_the_last_word()
    {
        _keys.Verified(Key, Found("k", "metrics:read"));
        var never = new TaskCompletionSource<Authentication>();
        Assert.NotNull((await _keys.LookAsync(Key, () => never.Task, default)).Caller);
        Assert.NotNull((await _keys.LookAsync(Key, static () => Task.FromResult<Authentication>(SessionCallers.NotGood()), default)).Refusal);
    }

    [Fact]
    public async Task No_more_keys_are_remembered_than_anybody_needs()
    {
        for (var i = 0; i < 3 * ScrapeKeys.Most; i++)
        {
            _keys.Verified(CallerKey.Of('b', $"rmk_{i}"), Found($"k{i}", "metrics:read"));
            _clock.Advance(TimeSpan.FromMilliseconds(1));
            Assert.InRange(_keys.Count, 1, ScrapeKeys.Most);
        }

        await RefusedAsync(CallerKey.Of('b', "rmk_0"));
        Assert.NotNull((await AwayAsync(CallerKey.Of('b', $"rmk_{(3 * ScrapeKeys.Most) - 1}"))).Caller);
    }

    [Fact]
    public async Task No_other_route_is_served_like_this()
    {
        await using var app = await TestApp.StartAsync();
        var routes = ((IEndpointRouteBuilder)app.App).DataSources.SelectMany(static s => s.Endpoints).OfType<RouteEndpoint>().Where(static e => e.Metadata.GetMetadata<OutlivesStorage>() is not null);
        Assert.Equal("/metrics", Assert.Single(routes).RoutePattern.RawText);
    }

    private Task<Authentication> AwayAsync(CallerKey key) =>
        _keys.LookAsync(key, static () => Task.FromException<Authentication>(new StorageUnavailableException("The database is away.")), default).AsTask();

    private Task<StorageUnavailableException> RefusedAsync(CallerKey key) => Assert.ThrowsAsync<StorageUnavailableException>(() => AwayAsync(key));

    private SessionCaller Found(string id, params string[] scopes) => new(
        new Caller
        {
            UserId = "u",
            Username = "ann",
            Role = "user",
            Permissions = Permissions.Of("user", scopes),
            Credential = CredentialKind.ApiKey,
            SessionId = id,
            Ended = _live.Token("u", id),
        },
        DateTimeOffset.MaxValue,
        null);
}
