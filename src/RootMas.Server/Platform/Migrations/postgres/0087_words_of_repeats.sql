-- usable from 0048
-- Answers that were kept for repeats hold what people said, also after that was deleted, or is not theirs to read any more. Searches keep none; what has a name is shown from what is there; of the rest a repeat does what changes nothing twice.
delete from idempotency_keys where scope in ('POST /api/v1/knowledge/search', 'POST /api/v1/graph/query');
delete from idempotency_keys where status is not null and resource_id is null
    and (scope like 'POST /api/v1/memory/%/decision' or scope like 'POST /api/v1/messages/%/feedback' or scope like 'POST /api/v1/runs/%/cancel' or scope like 'POST /api/v1/runs/%/share');
update idempotency_keys set answer = null where answer is not null and resource_id is not null
    and (scope in ('POST /api/v1/memory', 'POST /api/v1/memory/team', 'POST /api/v1/conversations', 'POST /api/v1/collections', 'POST /api/v1/documents', 'POST /api/v1/users', 'POST /api/v1/agents', 'POST /api/v1/teams') or scope like 'POST /api/v1/runs/%' or scope like 'POST /api/v1/approvals/%');
