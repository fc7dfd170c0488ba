namespace RootMas.Server.Platform.Cluster;

/// <summary>This process among those that share a database.</summary>
/// <param name="Name">Of this start; never used again.</param>
/// <param name="Role"><c>serve</c> or <c>worker</c>.</param>
public sealed record Instance(string Name, string Role)
{
    public static Instance New(string role) => new($"{Environment.MachineName}:{Environment.ProcessId}:{Guid.NewGuid().ToString("N")[..8]}", role);
}
