using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Server.Platform.Data;

namespace RootMas.Tests.Support;

/// <summary>Stands before a database and passes everything on; a test overrides what it wants to see, to hold back or to lose.</summary>
internal abstract class WrappedDatabase(IDatabase inner) : IDatabase, IAsyncDisposable
{
    public DatabaseKind Kind => inner.Kind;

    public bool KeepsOrder => inner.KeepsOrder;

    protected IDatabase Inner => inner;

    public Task OpenAsync() => inner.OpenAsync();

    public virtual Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.WriteAsync(work, cancellationToken);

    /// <summary>As a write, unless a test tells them apart.</summary>
    public virtual Task<T> WriteSoonAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => WriteAsync(work, cancellationToken);

    public virtual Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.ReadAsync(work, cancellationToken);

    /// <summary>As a read.</summary>
    public Task<T> LookAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => ReadAsync(work, cancellationToken);

    // PostgreSQL's is the container's own.
    public ValueTask DisposeAsync() => Kind == DatabaseKind.Sqlite && inner is IAsyncDisposable owned ? owned.DisposeAsync() : ValueTask.CompletedTask;
}

internal static class WrappedDatabases
{
    /// <summary>For <see cref="TestAppOptions.Services"/>: the server's database stands behind that one.</summary>
    public static void Wrap(this IServiceCollection services, Func<IDatabase, WrappedDatabase> wrap)
    {
        var database = services.Last(static d => d.ServiceType == typeof(IDatabase));
        services.Remove(database);
        services.AddSingleton<IDatabase>(p => wrap((IDatabase)database.ImplementationFactory!(p)));
    }

    /// <summary>Looks at each request before the server does.</summary>
    public static void OnRequest(this IServiceCollection services, Action<HttpRequest> look) => services.AddSingleton<IStartupFilter>(new First(look));

    private sealed class First(Action<HttpRequest> look) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (context, rest) =>
            {
                look(context.Request);
                await rest(context);
            });
            next(app);
        };
    }
}
