using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;

namespace RootMas.Tests.Support;

/// <summary>The changes of a process that nobody listens to.</summary>
public static class TestChanges
{
    public static ChangeFeed Of(IDatabase database) => new(database, new LocalBus(), Instance.New("serve"), TimeProvider.System, NullLogger<ChangeFeed>.Instance);
}
