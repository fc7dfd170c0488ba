using RootMas.Server.Models;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models;

public sealed class ModelsFileTests
{
    private const string Good = """
        providers:
          mine: { base_url: "http://10.0.0.1:8080/v1", api_key_env: MINE_KEY }
        models:
          big: { provider: mine, id: org/big, context: 32000, price: { input: 0.1, output: 0.4 } }
          vec: { provider: mine, free: true, capabilities: [embeddings] }
        tiers:
          standard: [big]
        embedding: vec
        """;

    [Fact]
    public void A_valid_file_fills_all_tiers()
    {
        var catalog = Build(Good, new() { ["MINE_KEY"] = "k" });
        Assert.Equal(["big", "big", "big"], ModelCatalog.TierNames.Select(t => Assert.Single(catalog.Tiers[t]).Name));
        Assert.Equal((0.1m, 0.1m, 0.4m), (catalog.Models["big"].Price.Input, catalog.Models["big"].Price.Cached, catalog.Models["big"].Price.Output));
        Assert.Equal("k", catalog.Models["big"].Provider.Key);
        Assert.Equal("vec", catalog.Embedding?.Name);
        Assert.False(catalog.IsOffline);
    }

    [Fact]
    public void A_line_that_ends_the_document_is_no_second_one() => Assert.Empty(Problems(Shipped + "\n---\n"));

    [Fact]
    public void All_problems_come_at_once_with_key_line_and_legal_values()
    {
        var problems = Problems("""
            providers:
              p: { base_url: ftp://x, api_key_env: ABSENT }
            models:
              dear: { provider: p }
              lost: { provider: q, free: true }
              odd: { provider: p, price: { input: abc, output: 1 }, capabilities: [magic] }
            tiers:
              cheap: [nope]
              huge: [dear]
            surprise: 1
            """);
        string[] expected =
        [
            "providers: p: base_url (line 2)", "providers: p: api_key_env (line 2): the variable ABSENT is not set", "models: dear: price", "'free: true'",
            "models: lost: provider (line 5): 'q' is not a provider; legal: offline, p", "input (line 6): 'abc'", "'magic' is unknown; legal: tools",
            "tiers: cheap (line 8): 'nope' is not a model; legal: dear", "tiers: huge (line 9): unknown key; legal: cheap, premium, standard", "surprise (line 10): unknown key",
        ];
        Assert.All(expected, e => Assert.Contains(problems, p => p.Contains(e, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("4096", null)]
    [InlineData("64000", "models: big: max_output (line 4): '64000' is not a number from 16 to 32000")]
    [InlineData("many", "models: big: max_output (line 4): 'many' is not a number")]
    public void The_longest_answer_of_a_model_is_within_its_context(string longest, string? problem)
    {
        var text = $$"""
            providers:
              p: { base_url: "http://127.0.0.1:1/v1" }
            models:
              big: { provider: p, context: 32000, max_output: {{longest}}, free: true }
            """;
        if (problem is null)
        {
            Assert.Equal(4_096, Build(text, []).Models["big"].MaxOutput);
        }
        else
        {
            Assert.Contains(problem, Assert.Single(Problems(text)), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("a: [")]
    [InlineData("- 1")]
    [InlineData("models: 3")]
    [InlineData("models: { x: 1 }")]
    public void A_broken_file_is_a_problem_and_no_exception(string text) => Assert.NotEmpty(Problems(text));

    [Theory]
    [InlineData("OPENAI_API_KEY", "openai")]
    [InlineData("OPENROUTER_API_KEY", "openrouter")]
    public void The_shipped_file_uses_the_provider_whose_key_is_there(string variable, string provider)
    {
        var catalog = Build(Shipped, new() { [variable] = "k" });
        Assert.All(catalog.Tiers.Values, t => Assert.All(t, m => Assert.Equal(provider, m.Provider.Name)));
    }

    [Fact]
    public void The_shipped_file_without_any_key_is_offline_and_says_so()
    {
        var catalog = Build(Shipped, []);
        Assert.True(catalog.IsOffline);
        Assert.Contains(catalog.Notes, n => n.Contains("OPENAI_API_KEY", StringComparison.Ordinal));
    }

    [Fact]
    public void A_key_for_another_base_url_is_never_sent_to_OpenAI()
    {
        var variables = new Dictionary<string, string> { ["OPENAI_API_KEY"] = "k", ["OPENAI_BASE_URL"] = "http://127.0.0.1:1234/v1" };
        Assert.True(Build(Shipped, variables).IsOffline);
        var custom = new CatalogInputs("/nowhere", new ModelsOptions(), variables.GetValueOrDefault).Custom!;
        var catalog = Build(Shipped, variables, new DiscoveredServer(custom, ["e-embed", "llama"], Free: true));
        Assert.All(catalog.Tiers.Values, t => Assert.Equal(("llama", "http://127.0.0.1:1234/v1"), (Assert.Single(t).Name, t[0].Provider.BaseUrl!.OriginalString)));
        Assert.Equal("e-embed", catalog.Embedding?.Name);
    }

    [Theory]
    [InlineData("127.0.0.1:1234/v1")]
    [InlineData("localhost:1234/v1")]
    [InlineData("not an address")]
    [InlineData("http://user:word@127.0.0.1:1234/v1")]
    [InlineData("http://127.0.0.1:1234/v1?key=word")]
    public void A_base_url_that_is_none_stops_the_start_and_its_key_goes_nowhere(string baseUrl)
    {
        var variables = new Dictionary<string, string> { ["OPENAI_API_KEY"] = "k", ["OPENAI_BASE_URL"] = baseUrl };
        var inputs = new CatalogInputs("/nowhere", new ModelsOptions(), variables.GetValueOrDefault);
        Assert.StartsWith("OPENAI_BASE_URL: ", Assert.Single(inputs.Refusals), StringComparison.Ordinal);
        Assert.Null(inputs.Custom);
        Assert.True(Build(Shipped, variables).IsOffline);
        Assert.Empty(new CatalogInputs("/nowhere", new ModelsOptions(), static name => name == "OPENAI_BASE_URL" ? "" : null).Refusals);
    }

    [Theory]
    [InlineData("openai", "localhost")]
    [InlineData("offline", "localhost")]
    [InlineData("offline", "http://user:word@127.0.0.1/v1")]
    public void A_base_url_that_is_none_is_a_problem_whatever_the_kind(string kind, string url) =>
        Assert.Contains("off: base_url (line 1)", Assert.Single(Problems($$"""providers: { off: { kind: {{kind}}, base_url: "{{url}}" } }""")), StringComparison.Ordinal);

    [Fact]
    public void Names_of_settings_that_choose_nothing_are_told()
    {
        var file = new ModelsFileReader(static _ => "k", []).Read(Good, "models.yaml");
        var notes = CatalogBuilder.Build(file, new ModelsOptions { Cheap = "gone", Standard = "big", Embedding = "other" }, []).Notes;
        Assert.Equal(["Models:Cheap: 'gone' is not used", "Models:Embedding: 'other' is not used"], notes.Select(static n => n.Split(',')[0]));
        Assert.Empty(CatalogBuilder.Build(file, new ModelsOptions { Cheap = "big", Embedding = "vec" }, []).Notes);
    }

    [Fact]
    public void A_server_that_has_not_told_its_models_is_named_without_its_address()
    {
        var variables = new Dictionary<string, string> { ["OPENAI_BASE_URL"] = "http://127.0.0.1:1234/v1" };
        var custom = new CatalogInputs("/nowhere", new ModelsOptions(), variables.GetValueOrDefault).Custom!;
        Assert.StartsWith("The provider openai-compatible has not told", Assert.Single(Build(Shipped, variables, new DiscoveredServer(custom, [], Free: true)).Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void A_remote_server_of_unknown_price_stops_the_start_unless_the_price_is_said()
    {
        var remote = new ModelProvider { Name = "r", BaseUrl = new Uri("https://models.example/v1") };
        var file = new ModelsFile();
        Assert.Contains("Models:Free", Assert.Single(CatalogBuilder.Problems(file, new ModelsOptions(), remote)), StringComparison.Ordinal);
        Assert.Empty(CatalogBuilder.Problems(file, new ModelsOptions { Free = true }, remote));
        Assert.Empty(CatalogBuilder.Problems(file, new ModelsOptions { InputPrice = 1, OutputPrice = 2 }, remote));
    }

    [Fact]
    public void A_server_on_this_machine_is_free_until_somebody_says_what_it_costs()
    {
        var here = new ModelProvider { Name = "here", BaseUrl = new Uri("http://127.0.0.1:4000/v1") };
        var priced = new ModelsOptions { InputPrice = 1, OutputPrice = 2 };
        Assert.True(PriceAt(new ModelsOptions()).IsFree);
        Assert.True(PriceAt(new ModelsOptions { Free = true }).IsFree);
        Assert.Equal(new ModelPrice(1, 1, 2), PriceAt(priced));
        Assert.Empty(CatalogBuilder.Problems(new ModelsFile(), priced, here));
        Assert.Contains("Models:InputPrice and Models:OutputPrice", Assert.Single(CatalogBuilder.Problems(new ModelsFile(), new ModelsOptions { OutputPrice = 2 }, here)), StringComparison.Ordinal);
        Assert.StartsWith("Models:Free: ", Assert.Single(CatalogBuilder.Problems(new ModelsFile(), priced with { Free = true }, here)), StringComparison.Ordinal);

        ModelPrice PriceAt(ModelsOptions options) =>
            CatalogBuilder.Build(new ModelsFile(), options, [new DiscoveredServer(here, ["one"], CatalogBuilder.IsFree(here, options))]).Models["one"].Price;
    }

    [Fact]
    public void What_providers_want_of_reasoning_models_is_known_by_their_addresses()
    {
        Assert.Equal((false, false), Wants("https://api.openai.com/v1"));
        Assert.Equal((true, true), Wants("https://api.deepseek.com/v1"));
        Assert.Equal((true, false), Wants("https://api.openai.com.models.example/v1"));

        static (bool Sampling, bool Reasoning) Wants(string url)
        {
            var provider = Build($$"""
                providers: { p: { base_url: {{url}}, api_key_env: MINE_KEY } }
                models: { big: { provider: p, free: true } }
                tiers: { cheap: [big], standard: [big], premium: [big] }
                """, new() { ["MINE_KEY"] = "k" }).Models["big"].Provider;
            return (provider.ReasoningSampling, provider.ReturnReasoning);
        }
    }

    [Fact]
    public void A_reload_that_does_not_touch_an_endpoint_keeps_its_circuit()
    {
        var (first, second) = (Build(Good, new() { ["MINE_KEY"] = "k" }), Build(Good, new() { ["MINE_KEY"] = "k" }));
        Assert.Equal(first.Models["big"], second.Models["big"]);
        Assert.NotEqual(first.Models["big"], Build(Good, new() { ["MINE_KEY"] = "other" }).Models["big"]);
    }

    private static string Shipped => File.ReadAllText(Repository.PathOf("config", "models.yaml"));

    private static ModelCatalog Build(string text, Dictionary<string, string> variables, params DiscoveredServer[] found)
    {
        var problems = new List<string>();
        var file = new ModelsFileReader(variables.GetValueOrDefault, problems).Read(text, "models.yaml");
        Assert.Empty(problems);
        return CatalogBuilder.Build(file, new ModelsOptions(), found);
    }

    private static List<string> Problems(string text)
    {
        var problems = new List<string>();
        new ModelsFileReader(_ => null, problems).Read(text, "models.yaml");
        return problems;
    }
}
