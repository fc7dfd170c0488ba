using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>Tests of commands against a server whose models are the simulator.</summary>
/// <param name="script">What the simulator answers at first.</param>
public abstract class SimulatedTests(string script) : IAsyncLifetime
{
    protected Simulator Sim { get; private set; } = null!;

    protected TestApp App { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Sim = await Simulator.StartAsync(script);
        App = await TestApp.StartAsync(o =>
        {
            o.Environment["OPENAI_BASE_URL"] = Sim.OpenAiUrl;
            o.Environment["OPENAI_API_KEY"] = "sk-simulator";
            o.Settings["Outbound:Allow:0"] = new Uri(Sim.BaseUrl).Authority;
        });
    }

    public async Task DisposeAsync()
    {
        await App.DisposeAsync();
        await Sim.DisposeAsync();
    }
}
