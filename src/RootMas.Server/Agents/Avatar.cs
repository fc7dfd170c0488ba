using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Agents;

/// <summary>A small picture of an agent: its emoji, or the first letter of its role, on a colour that follows from its name.</summary>
internal static class Avatar
{
    public static string Symbol(AgentDefinition agent) =>
        agent.Avatar is { Length: > 0 } emoji ? emoji : StringInfo.GetNextTextElement((agent.Role.Length > 0 ? agent.Role : agent.Name).ToUpperInvariant());

    public static string Svg(AgentDefinition agent)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(agent.Name));
        var hue = ((hash[0] << 8) | hash[1]) % 360;
        return string.Create(CultureInfo.InvariantCulture,
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" role="img" aria-label="{WebUtility.HtmlEncode(agent.Role)}"><circle cx="32" cy="32" r="32" fill="hsl({hue},45%,82%)"/><text x="32" y="34" font-family="system-ui,sans-serif" font-size="32" text-anchor="middle" dominant-baseline="middle" fill="hsl({hue},60%,22%)">{WebUtility.HtmlEncode(Symbol(agent))}</text></svg>
            """);
    }
}
