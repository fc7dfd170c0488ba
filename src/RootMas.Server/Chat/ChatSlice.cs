using RootMas.Server.Chat.OpenAi;
using RootMas.Server.Chat.Sockets;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Users;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Outbox;
using RootMas.Server.Platform.Retention;
using RootMas.Server.Platform.Telemetry;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>Conversations and the channels that lead to them: REST, WebSockets, the OpenAI-compatible API.</summary>
public static class ChatSlice
{
    public static WebApplicationBuilder AddChat(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        ChatMetrics.Create();
        services.AddSingleton<ChatMetrics>();
        services.AddSingleton<IDashboardSource>(provider => provider.GetRequiredService<ChatMetrics>());
        services.AddSingleton<IUserData, UserChatData>();
        services.AddSingleton(static p => ConversationRetention.Archived(
            p.GetRequiredService<RetentionOptions>().ArchivedConversations, p.GetRequiredService<IAnswerCache>(), p.GetRequiredService<AuditLog>(), p.GetRequiredService<Outbox>()));
        services.AddOutboxHandler<DeletedDocuments>(DocumentEvents.Deleted);
        services.AddOutboxHandler<DeletedConversations>(DeletedConversations.Topic);
        services.AddSingleton<FlowFeed>();
        services.AddSingleton<FlowSources>();
        services.AddSingleton<ConversationStore>();
        services.AddSingleton<MessageSearch>();
        services.AddSingleton<ConversationSearch>();
        services.AddSingleton<ConversationTotals>();
        services.AddSingleton<MessagePages>();
        services.AddSingleton<MessageKeys>();
        services.AddSingleton<IRunTransactionParticipant, ChatParticipant>();
        services.AddSingleton<ChatMemory>();
        services.AddSingleton<IRunTransactionParticipant>(static p => p.GetRequiredService<ChatMemory>());
        services.AddSingleton<IMemorySources>(static p => p.GetRequiredService<ChatMemory>());
        services.AddSingleton<IRunHistory, ChatHistory>();
        services.AddSingleton<IChatService, ChatService>();
        services.AddSingleton<SocketServer>();
        services.AddSingleton(provider => new ServerStart(provider.GetRequiredService<TimeProvider>().GetUtcNow().ToUnixTimeSeconds()));
        return builder;
    }

    public static IEndpointRouteBuilder MapChat(this IEndpointRouteBuilder routes)
    {
        _ = routes.ServiceProvider.GetRequiredService<ChatMetrics>(); // listed before the first message
        _ = routes.ServiceProvider.GetRequiredService<ServerStart>(); // and this is now, not the first request
        ChatApi.Map(routes);
        ConversationsApi.Map(routes);
        MessageSearchApi.Map(routes);
        MessagePagesApi.Map(routes);
        ConversationTotalsApi.Map(routes);
        VisualizationApi.Map(routes);
        SocketsApi.Map(routes);
        OpenAiApi.Map(routes);
        return routes;
    }
}
