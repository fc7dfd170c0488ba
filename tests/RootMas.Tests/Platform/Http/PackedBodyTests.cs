using System.Net;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Http;

/// <summary>Bodies that say they are packed: nothing here unpacks.</summary>
public sealed class PackedBodyTests(ConventionsApp fixture) : IClassFixture<ConventionsApp>
{
    [Theory]
    [InlineData("gzip", false)]
    [InlineData("br", false)]
    [InlineData("identity, gzip", false)]
    [InlineData("identity", true)]
    public async Task A_packed_body_is_415_wherever_it_is_sent(string coding, bool isTaken)
    {
        foreach (var path in (string[])["/api/v1/probe", "/api/v1/empty", "/api/v1/documents?name=a.txt"])
        {
            using var content = new ByteArrayContent("{\"message_text\":\"a\"}"u8.ToArray()) { Headers = { ContentType = new("application/json") } };
            content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
            using var response = await fixture.App.Client.PostAsync(path, content);
            if (isTaken)
            {
                Assert.NotEqual((path, HttpStatusCode.UnsupportedMediaType), (path, response.StatusCode));
                continue;
            }

            var problem = await ProblemAssert.IsProblemAsync(response, 415, "unsupported_media_type");
            Assert.Contains("Content-Encoding", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
            Assert.Equal("identity", Assert.Single(response.Headers.GetValues("Accept-Encoding")));
        }
    }
}
