using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>Runs where node is, and the packages of a folder under Conformance; is skipped by name elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NodeFactAttribute : FactAttribute
{
    public NodeFactAttribute(string packages = "")
    {
        Packages = packages;
        if (InstalledFactAttribute.Find("node") is null)
        {
            Skip = "node is not installed";
        }
        else if (packages.Length > 0 && !Directory.Exists(Path.Combine(FolderOf(packages), "node_modules")))
        {
            Skip = $"the packages of {packages} are not installed: ./rootmas test installs them with npm, unless it is called with --no-setup";
        }
    }

    public string Packages { get; }

    internal static string FolderOf(string packages) => Repository.PathOf("tests", "RootMas.Tests", "Conformance", packages);

    internal static Task<Shell> RunAsync(string packages, string script, params string[] arguments) =>
        Shell.RunAsync("node", [Path.Combine(FolderOf(packages), script), .. arguments]);
}
