using System.Net;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Documents;

/// <summary>What one server deletes, the very next search of another does not find: each hit is looked up where it was deleted, however far the other's index has followed.</summary>
public sealed class DeletedElsewhereTests
{
    [PostgresFact]
    public async Task The_next_search_at_another_server_does_not_find_what_was_deleted()
    {
        await using var cluster = await TestCluster.StartAsync(configure: static o => o.Settings["Knowledge:Vectors:Index"] = "memory");
        using var here = await cluster[0].AsAsync("ann");
        using var there = await cluster[1].LogInAsync("ann", TestUsers.Password);
        await here.UploadAsync("other.md", "The canteen closes at three.");
        for (var i = 0; i < 5; i++)
        {
            var document = await here.UploadAsync($"handbook{i}.md", $"Everybody has {20 + i} days of leave in the year after next.");
            await TestCluster.UntilAsync(async () => (await FoundAsync(there)).Contains(document.Id()), "it is found by words and by meaning");
            Assert.NotEmpty(cluster[1].Get<MemoryVectors>().Loaded); // there is an index that has to follow
            Assert.Equal(HttpStatusCode.NoContent, await here.DeleteAsync($"/api/v1/documents/{document.Id()}"));
            Assert.DoesNotContain(document.Id(), await FoundAsync(there));
            using var read = await there.Client.GetAsync($"/api/v1/documents/{document.Id()}/text");
            Assert.Equal(HttpStatusCode.NotFound, read.StatusCode);
        }
    }

    private static async Task<List<string>> FoundAsync(TestUser user) =>
        [.. (await user.SearchAsync("How many days of leave does everybody have?")).Select(static p => p.GetProperty("document_id").GetString()!)];
}
