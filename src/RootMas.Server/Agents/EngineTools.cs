namespace RootMas.Server.Agents;

/// <summary>Tools that the engine itself carries out: they are there although no catalog of tools lists them.</summary>
internal static class EngineTools
{
    public const string Delegate = "delegate";
    public const string Handoff = "handoff";
    public const string AskUser = "ask_user";

    public static bool IsBuiltIn(string name) => name is Delegate or Handoff or AskUser;
}
