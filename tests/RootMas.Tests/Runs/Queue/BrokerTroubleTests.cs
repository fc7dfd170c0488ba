using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Server.Cli.Doctor;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs.Queue;

/// <summary>What is said of a broker that cannot be used: a class for programs, a sentence for people, and nothing of our insides.</summary>
[Collection(RabbitCollection.Name)]
public sealed partial class BrokerTroubleTests(RabbitServer rabbit) : OnDatabase(DatabaseKind.Postgres)
{
    [RabbitTheory]
    [InlineData("password", "auth", "refuses the user or password of RabbitMq:Uri")]
    [InlineData("virtual host", "vhost", "does not open the virtual host of RabbitMq:Uri")]
    [InlineData("port", "refused", "nothing listens at the address of RabbitMq:Uri")]
    [InlineData("name", "dns", "the host name of RabbitMq:Uri is not known here")]
    public async Task Health_and_doctor_say_why_a_broker_cannot_be_used(string wrong, string expected, string why)
    {
        var uri = wrong switch
        {
            "password" => rabbit.Url.Replace("guest:guest", "guest:hush-word", StringComparison.Ordinal),
            "virtual host" => rabbit.Url + "/nowhere",
            "port" => $"amqp://guest:hush-word@127.0.0.1:{ServerProcess.FreePort()}",
            _ => "amqp://guest:hush-word@no-such-host.invalid",
        };
        await using var app = await TestApp.StartAsync(o => o.Settings["RabbitMq:Uri"] = uri);
        JsonElement check = default;
        await Wait.UntilAsync(
            async server => (check = (await server.GetJsonAsync("/health")).GetProperty("checks").GetProperty("rabbitmq")).GetProperty("last_error").GetString() == expected,
            app,
            $"/health did not say {expected}");
        Assert.Equal("degraded", check.GetProperty("status").GetString());
        IsPlain(check.GetProperty("detail").GetString()!, why);

        var finding = Assert.Single(await BrokerChecks.AllAsync(new BrokerOptions { Uri = uri, ConfirmTimeout = TimeSpan.FromMinutes(1) }, new DatabaseOptions(), CancellationToken.None));
        Assert.Equal("bad", finding.State);
        IsPlain(finding.Detail, why);
    }

    private static void IsPlain(string text, string why)
    {
        Assert.Contains(why, text, StringComparison.Ordinal);
        Assert.DoesNotContain("hush-word", text, StringComparison.Ordinal);
        Assert.DoesNotMatch(TypeName(), text);
    }

    [GeneratedRegex("""\w+Exception""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5_000)]
    private static partial Regex TypeName();
}
