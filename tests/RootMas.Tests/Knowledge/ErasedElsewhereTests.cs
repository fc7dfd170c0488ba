using RootMas.Server.Knowledge.Memory;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge;

/// <summary>Who is erased at one server is not remembered by another, and neither is anybody for whom a bot of theirs spoke.</summary>
public sealed class ErasedElsewhereTests
{
    [PostgresFact]
    public async Task Facts_of_an_erased_user_and_of_their_external_subjects_leave_the_memory_of_other_servers()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var ann = await cluster[0].AsAsync("ann");
        using var bob = await cluster[0].AsAsync("bob");
        string[] owners = [ann.Id, ann.Id + "/guest-1", bob.Id + "/guest-1"];
        var (here, there) = (cluster[0].Get<MemoryStore>(), cluster[1].Get<MemoryStore>());
        foreach (var owner in owners)
        {
            // Known to be empty first: so what comes next was heard of, and nothing is heard late that would hide what is not.
            await TestCluster.UntilAsync(async () => await HeldAsync(owner) == 0, "the other server has it in memory that there is nothing");
            await here.KeepAsync(owner, new NewFact { Text = "I like tea", AuthorKind = FactWords.ByUser, Author = owner }, null, default);
            await TestCluster.UntilAsync(async () => await HeldAsync(owner) == 1, "the other server has it in memory");
        }

        using (var user = await cluster[0].Client.GetAsync($"/api/v1/users/{ann.Id}"))
        using (var gone = await cluster[0].SendAsync(HttpMethod.Delete, $"/api/v1/users/{ann.Id}", null, ("If-Match", user.Headers.ETag!.ToString())))
        {
            Assert.True(gone.IsSuccessStatusCode, await gone.Content.ReadAsStringAsync());
        }

        foreach (var owner in owners[..2])
        {
            await TestCluster.UntilAsync(async () => await HeldAsync(owner) == 0, $"the other server has forgotten {owner}");
        }

        Assert.Single(await there.ActiveAsync(owners[2], default));

        // Of what is in memory, and not read at each question, as while the changes of others cannot be followed.
        async Task<int?> HeldAsync(string owner) => await there.ActiveAsync(owner, default) is var facts && ReferenceEquals(facts, await there.ActiveAsync(owner, default)) ? facts.Count : null;
    }
}
