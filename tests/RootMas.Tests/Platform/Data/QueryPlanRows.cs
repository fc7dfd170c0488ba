using System.Globalization;

namespace RootMas.Tests.Platform.Data;

/// <summary>Fills PostgreSQL's tables, so that its planner takes them for large.</summary>
internal static class QueryPlanRows
{
    /// <summary>Many users with a long past: most runs are over.</summary>
    public static string OfChats(int rows) => $$"""
        INSERT INTO runs (id, owner_id, root_run_id, parent_run_id, conversation_id, input_message_id, branch_id, team, entry_agent, snapshot_hash, status, worker, lease_until, wake_at, last_seq, answer_seq, created_at, started_at, ended_at)
            SELECT 'r' || lpad(i::text, 8, '0'), 'u' || i % 500, CASE WHEN i % 4 = 0 THEN 'r' || lpad((i + 1)::text, 8, '0') ELSE 'r' || lpad(i::text, 8, '0') END,
                CASE WHEN i % 4 = 0 THEN 'r' || lpad((i + 1)::text, 8, '0') END, 'c' || i % 5000, 'm' || i, 'b' || i % 5000, 'solo', 'a', 'h', CASE WHEN i % 100 = 0 THEN 'waiting_timer' WHEN i % 500 = 1 THEN 'waiting_input' ELSE 'completed' END,
                NULL, NULL, CASE WHEN i % 100 = 0 THEN 9000000000000000 + i END, 5, 4, i, i, CASE WHEN i % 100 <> 0 AND i % 500 <> 1 THEN i END FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO run_events (run_id, seq, type, json, created_at) SELECT 'r' || lpad(i::text, 8, '0'), s, 'model.requested', '\x7b7d', i FROM generate_series(1, {{Text(rows)}}) i, generate_series(1, 5) s;
        INSERT INTO run_inbox (run_id, key, payload, created_at) SELECT 'r' || lpad(i::text, 8, '0'), 'k', '{}', i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO run_contexts (run_id, options) SELECT 'r' || lpad(i::text, 8, '0'), '{}' FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO approvals (id, run_id, owner_id, agent, call, tool, arguments, arguments_hash, approver, reason, status, created_at, expires_at)
            SELECT 'a' || i, 'r' || lpad(i::text, 8, '0'), 'u' || i % 500, 'a', 1, 't', '{}', 'h', 'owner', 'r', CASE WHEN i % 50 = 0 THEN 'pending' ELSE 'approved' END, i, i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO conversations (id, owner_id, title, created_at, updated_at) SELECT 'c' || i, 'u' || i % 500, 't', i, i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO messages (id, conversation_id, owner_id, parent_id, branch_id, depth, role, content, run_id, status, created_at)
            SELECT 'm' || i, 'c' || 1 + i % 5000, 'u' || i % 500, 'm' || i - 5000, 'b' || i % 5000, 1 + i / 5000, CASE WHEN i % 2 = 0 THEN 'user' ELSE 'assistant' END, repeat('x', 200), 'r' || i, 'complete', i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO usage_ledger (id, run_id, owner_id, purpose, provider, model, tier, input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost_micro_usd, outcome, estimated, latency_us, created_at)
            SELECT 'l' || i, 'r' || i, 'u' || i % 500, 'answer', 'p', 'm', 'cheap', 1, 1, 1, 1, 1, 'ok', 0, 1, i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO idempotency_keys (owner_id, scope, key, body_hash, instance, created_at) SELECT 'u' || i % 500, 's', 'k' || i, 'h', 'i', 9000000000000000 + i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO outbox (topic, payload, created_at) SELECT 't' || i % 50, '{}', i FROM generate_series(1, {{Text(rows)}}) i;
        """;

    /// <summary>As many people with their sessions, keys and acts, and what they know. A key of the audit log is not needed: nothing here verifies the chain.</summary>
    public static string OfPeopleAndKnowledge(int rows) => $$"""
        INSERT INTO users (id, username, role, password_hash, created_at) SELECT 'u' || i, 'user' || i, 'user', 'h', i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO sessions (id, user_id, kind, secret_hash, created_at, last_used_at, expires_at)
            SELECT 's' || i, 'u' || 1 + i % 500, 'login', sha256(('s' || i)::bytea), i, i, 9000000000000000 + i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO refresh_tokens (hash, session_id, created_at, expires_at) SELECT sha256(('t' || i)::bytea), 's' || i, i, 9000000000000000 + i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO api_keys (id, user_id, name, hint, hash, created_at) SELECT 'k' || i, 'u' || 1 + i % 500, 'k', 'rm', sha256(('k' || i)::bytea), i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO audit (id, at, action, outcome, actor_id, actor_name, target_id, form, key_id, mac)
            SELECT 100000 + i, i, 'auth.login', 'done', 'u' || i % 500, 'user' || i % 500, 't' || i, 1, 'k', '\x00' FROM generate_series(1, {{Text(rows)}}) i;
        UPDATE audit_head SET last_id = 100000 + {{Text(rows)}};
        INSERT INTO collections (id, owner_id, name, created_at, updated_at) SELECT 'c' || i, 'u' || i % 500, 'c' || i, i, i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO documents (id, collection_id, owner_id, name, kind, bytes, hash, status, generation, next, created_at, updated_at)
            SELECT 'd' || i, 'c' || i, 'u' || i % 500, 'd' || i, 'text', 1, 'h' || i, 'ready', 1, 2, i, i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO document_texts (document_id, text) SELECT 'd' || i, repeat('x', 200) FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO chunks (id, uid, document_id, generation, ordinal, start_at, end_at, text) SELECT 1000000 + i, 'x' || i, 'd' || i, 1, 0, 0, 200, repeat('x', 200) FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO fts_chunks (rowid, words) SELECT 1000000 + i, to_tsvector('simple', 'word' || i) FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO vectors (space, model, id, partition, vector, stamp, created_at)
            SELECT CASE WHEN i % 2 = 0 THEN 'chunks' ELSE 'memory' END, 'other/1/4', 'x' || i, 'c' || i, '\x00', i, 9000000000000000 FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO memory_owners (owner_id, version, updated_at) SELECT 'u' || i, 1, i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO memory_facts (id, owner_id, thread_id, text, norm, status, author_kind, author, confidence, sensitivity, valid_from, embedded, created_at, updated_at)
            SELECT 'f' || i, 'u' || i % 500, 'f' || i, repeat('x', 100), 'n' || i, 'active', 'user', 'u', 90, 'normal', i, 1, i, i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO graph_entities (id, realm, name, norm, type, embedded, created_at, updated_at) SELECT 'e' || i, 'u' || i % 500, 'n', 'n' || i, 'person', 1, i, i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO graph_names (realm, norm, type, entity_id, name) SELECT 'u' || i % 500, 'n' || i, 'person', 'e' || i, 'n' FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO graph_name_uses (source_kind, source_id, realm, norm, type, document_id) SELECT 'document', 'x' || i, 'u' || i % 500, 'n' || i, 'person', 'd' || i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO graph_words (realm, word, entity_id) SELECT 'u' || i % 500, 'n' || i, 'e' || i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO graph_relations (id, realm, from_id, to_id, type, weight, valid_from, created_at, updated_at)
            SELECT 'l' || i, 'u' || i % 500, 'e' || i, 'e' || i + 1, 'knows', 1, i, i, i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO graph_evidence (relation_id, source_kind, source_id, document_id, excerpt, confidence, created_at)
            SELECT 'l' || i, 'document', 'x' || i, 'd' || i, 'x', 90, i FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO cached_answers (id, owner_id, agent, prompt_version, documents, body, cost_micro_usd, created_at, expires_at)
            SELECT 'a' || i, 'u' || i % 500, 'a', 'p', '', '\x7b7d', 1, i, 9000000000000000 FROM generate_series(1, {{Text(rows)}}) i;
        INSERT INTO cached_questions (id, answer_id, owner_id, partition, request, question, marks, embedder, created_at)
            SELECT 'q' || i, 'a' || i, 'u' || i % 500, 'p', 'r', 'q', '', 'e', i FROM generate_series(1, {{Text(rows)}}) i;
        """;

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
