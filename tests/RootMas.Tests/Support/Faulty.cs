using System.Reflection;
using Microsoft.Extensions.DependencyInjection;

namespace RootMas.Tests.Support;

/// <summary>Puts a service that fails at times in the place of the real one.</summary>
public static class Faulty
{
    /// <param name="fault">By the name of the method; null: it goes on.</param>
    public static void In<T>(IServiceCollection services, Func<string, Exception?> fault)
        where T : class
    {
        var real = services.Single(static s => s.ServiceType == typeof(T));
        services.Remove(real);
        services.AddSingleton(provider =>
        {
            var proxy = DispatchProxy.Create<T, FaultyProxy>();
            (((FaultyProxy)(object)proxy).Inner, ((FaultyProxy)(object)proxy).Fault) = (ActivatorUtilities.CreateInstance(provider, real.ImplementationType!), fault);
            return proxy;
        });
    }
}

/// <summary>A service as it is, but for what a test lets fail. Neither sealed nor abstract: the proxy is made from it.</summary>
public class FaultyProxy : DispatchProxy
{
    public object Inner { get; set; } = null!;

    public Func<string, Exception?> Fault { get; set; } = null!;

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        Fault(targetMethod!.Name) is { } fault ? throw fault : targetMethod.Invoke(Inner, BindingFlags.DoNotWrapExceptions, null, args, null);
}
