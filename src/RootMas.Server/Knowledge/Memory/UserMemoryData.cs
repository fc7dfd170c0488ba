using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>What is remembered about a user and their external subjects, and their part of the graph; the vectors follow by <see cref="FactVectors"/>.</summary>
internal sealed class UserMemoryData : IUserData
{
    /// <summary>The user and their external subjects: '0' follows '/' in ASCII.</summary>
    private const string Owner = "(owner_id = @user or (owner_id >= @user || '/' and owner_id < @user || '0'))";

    private const string Realm = "(realm = @user or (realm >= @user || '/' and realm < @user || '0'))";

    /// <summary>Jobs first: a reading that is about to write has taken its own already and is waited for here, any other finds it gone. What either leaves is there for the statements after.</summary>
    private static readonly string[] Statements =
    [
        $"delete from memory_jobs where {Owner}",
        $"delete from graph_jobs where {Realm}",
        $"insert into memory_gone (id, space, created_at) select id, 'memory', @now from memory_facts where {Owner} on conflict (id) do nothing",
        $"insert into memory_gone (id, space, created_at) select id, 'entities', @now from graph_entities where {Realm} on conflict (id) do nothing",
        $"delete from graph_evidence where relation_id in (select id from graph_relations where {Realm})",
    ];

    private static readonly string[] Removals =
    [
        $"delete from graph_relations where {Realm}", $"delete from graph_words where {Realm}", $"delete from graph_names where {Realm}", $"delete from graph_name_uses where {Realm}",
        $"delete from graph_entities where {Realm}", $"delete from memory_calls where {Owner}", $"delete from memory_facts where {Owner}", $"delete from memory_owners where {Owner}",
    ];

    private readonly MemoryStore _store;

    public UserMemoryData(MemoryStore store) => _store = store;

    /// <summary>Readings are waited for by nobody: they find their job gone, and write nothing.</summary>
    public ValueTask<bool> IsBusyAsync(DbSession session, string userId) => ValueTask.FromResult(false);

    public async ValueTask EraseAsync(DbSession session, string userId)
    {
        await _store.DropAsync(session, userId);
        foreach (var statement in Statements)
        {
            var command = session.Prepared(statement).Set("user", userId);
            await (statement.StartsWith("insert", StringComparison.Ordinal) ? command.Set("now", session.Now) : command).RunAsync();
        }

        foreach (var statement in Removals)
        {
            await session.Prepared(statement).Set("user", userId).RunAsync();
        }
    }
}
