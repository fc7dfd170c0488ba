using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using RootMas.Server.Identity.Tokens;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity;

/// <summary>Tokens that are not ours, or not good: each is made by hand, byte for byte, beside one that is good, so that it is the one difference that is refused.</summary>
public sealed class JwtTests
{
    [Fact]
    public async Task Every_token_that_is_not_one_of_ours_is_refused()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        var good = new Forge(app, alice.AccessToken);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(app, good.Make()));

        var offences = new List<string>();
        foreach (var (name, token) in Bad(good, alice))
        {
            var status = await StatusAsync(app, token);
            if (status != HttpStatusCode.Unauthorized)
            {
                offences.Add($"{name}: {(int)status}");
            }
        }

        Assert.True(offences.Count == 0, string.Join('\n', offences));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(app, alice.AccessToken));
    }

    [Fact]
    public async Task A_token_of_another_server_is_refused()
    {
        await using var app = await TestApp.StartAsync();
        await using var other = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        using var foreign = await other.AsAsync("alice");
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(app, foreign.AccessToken));

        // Even if the other server names our user and our session.
        var forged = other.Get<AccessTokens>().Issue(alice.Id, new Forge(app, alice.AccessToken).SessionId);
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(app, forged));
    }

    [Fact]
    public async Task A_token_is_good_for_its_lifetime_and_a_little_for_clocks_that_differ()
    {
        var clock = new SteppedClock();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        using var alice = await app.AsAsync("alice");
        clock.Advance(TimeSpan.FromMinutes(15));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(app, alice.AccessToken));
        clock.Advance(AccessTokens.ClockSkew + TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(app, alice.AccessToken));
    }

    private static IEnumerable<(string Name, string Token)> Bad(Forge good, TestUser alice)
    {
        yield return ("none", good.Make(header: h => h["alg"] = "none", sign: static (_, _) => []));
        yield return ("None", good.Make(header: h => h["alg"] = "None", sign: static (_, _) => []));
        yield return ("none with the good signature", good.Make(header: h => h["alg"] = "none"));
        yield return ("HS384", good.Make(header: h => h["alg"] = "HS384", sign: static (key, data) => HMACSHA384.HashData(key, data)));
        yield return ("HS512", good.Make(header: h => h["alg"] = "HS512", sign: static (key, data) => HMACSHA512.HashData(key, data)));
        yield return ("RS256", good.Make(header: h => h["alg"] = "RS256"));
        yield return ("ES256", good.Make(header: h => h["alg"] = "ES256"));
        yield return ("no alg", good.Make(header: h => h.Remove("alg")));
        yield return ("type JWT", good.Make(header: h => h["typ"] = "JWT"));
        yield return ("no type", good.Make(header: h => h.Remove("typ")));
        yield return ("kid ../", good.Make(header: h => h["kid"] = "../../../dev/null", sign: static (_, data) => HMACSHA256.HashData(Array.Empty<byte>(), data)));
        yield return ("kid with SQL", good.Make(header: h => h["kid"] = "x' union select 'k", sign: static (_, data) => HMACSHA256.HashData("k"u8, data)));
        yield return ("unknown kid", good.Make(header: h => h["kid"] = "0123456789ab"));
        yield return ("no kid", good.Make(header: h => h.Remove("kid")));
        yield return ("kid that is a number", good.Make(header: h => h["kid"] = 1));
        yield return ("own key in the header", good.Make(header: h => h["jwk"] = new JsonObject { ["kty"] = "oct", ["k"] = "AAAA" }, sign: static (_, data) => HMACSHA256.HashData(new byte[3], data)));
        yield return ("crit", good.Make(header: h => h["crit"] = new JsonArray("exp"), sign: static (_, data) => HMACSHA256.HashData("x"u8, data)));
        yield return ("wrong audience", good.Make(payload: p => p["aud"] = "somebody-else"));
        yield return ("no audience", good.Make(payload: p => p.Remove("aud")));
        yield return ("wrong issuer", good.Make(payload: p => p["iss"] = "somebody-else"));
        yield return ("no issuer", good.Make(payload: p => p.Remove("iss")));
        yield return ("expired", good.Make(payload: p => p["exp"] = p["iat"]!.GetValue<long>() - 3_600));
        yield return ("no expiry", good.Make(payload: p => p.Remove("exp")));
        yield return ("expiry that is text", good.Make(payload: p => p["exp"] = "tomorrow"));
        yield return ("not yet", good.Make(payload: p => p["nbf"] = p["iat"]!.GetValue<long>() + 300));
        yield return ("another user", good.Make(payload: p => p["sub"] = Guid.CreateVersion7().ToString()));
        yield return ("no user", good.Make(payload: p => p.Remove("sub")));
        yield return ("another session", good.Make(payload: p => p["sid"] = Guid.CreateVersion7().ToString()));
        yield return ("no session", good.Make(payload: p => p.Remove("sid")));
        yield return ("100 KB", good.Make(payload: p => p["x"] = new string('x', 100_000)));
        yield return ("3 KB", good.Make(payload: p => p["x"] = new string('x', 3_000)));
        yield return ("a changed payload", good.Make(payload: p => p["role"] = "admin", sign: static (_, _) => new byte[32]));
        yield return ("no signature", good.Make()[..(good.Make().LastIndexOf('.') + 1)]);
        yield return ("four parts", good.Make() + ".x");
        yield return ("not base64", "a.b.c");
        yield return ("empty", "");
        yield return ("dots", "..");
        yield return ("a refresh token", alice.RefreshToken);
        yield return ("a session id", good.SessionId);
        yield return ("the password", alice.Password.Replace(" ", "", StringComparison.Ordinal));
    }

    private static async Task<HttpStatusCode> StatusAsync(TestApp app, string token)
    {
        using var nobody = app.NewClient(null);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/auth/me");
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        using var response = await nobody.SendAsync(request);

        // What is longer than all headers may be is refused by the web server itself.
        return token.Length > 32_000 && response.StatusCode == HttpStatusCode.RequestHeaderFieldsTooLarge ? HttpStatusCode.Unauthorized : response.StatusCode;
    }

    /// <summary>Makes tokens like a good one, signed with the server's own key.</summary>
    private sealed class Forge(TestApp app, string good)
    {
        private readonly byte[] _key = app.Get<SigningKeys>().Current.Key;
        private readonly string[] _parts = good.Split('.');

        public string SessionId => Part(1)["sid"]!.GetValue<string>();

        public string Make(Action<JsonObject>? header = null, Action<JsonObject>? payload = null, Func<byte[], byte[], byte[]>? sign = null)
        {
            var (head, body) = (Part(0), Part(1));
            header?.Invoke(head);
            payload?.Invoke(body);
            var data = $"{Encode(head)}.{Encode(body)}";
            return $"{data}.{Base64Url.EncodeToString((sign ?? HMACSHA256.HashData)(_key, Encoding.ASCII.GetBytes(data)))}";
        }

        private JsonObject Part(int index) => JsonNode.Parse(Base64Url.DecodeFromChars(_parts[index]))!.AsObject();

        private static string Encode(JsonObject part) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(part.ToJsonString()));
    }
}
