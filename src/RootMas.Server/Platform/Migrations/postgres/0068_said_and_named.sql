-- usable from 0048
-- When a fact was last said, which is not when it was read: what was said before does not take the place of what was said since. NULL: as author and dates of the fact have it.
ALTER TABLE memory_facts ADD COLUMN said_at BIGINT;

-- What uses a name of the graph: with the last of it the name goes.
CREATE TABLE graph_name_uses (
    source_kind TEXT COLLATE "C" NOT NULL, -- fact | document
    source_id   TEXT COLLATE "C" NOT NULL, -- the fact, or the chunk
    realm       TEXT COLLATE "C" NOT NULL,
    norm        TEXT COLLATE "C" NOT NULL,
    type        TEXT COLLATE "C" NOT NULL,
    document_id TEXT COLLATE "C",
    PRIMARY KEY (source_kind, source_id, realm, norm, type)
);

CREATE INDEX graph_name_uses_by_name ON graph_name_uses (realm, norm, type);

CREATE INDEX graph_name_uses_by_document ON graph_name_uses (document_id) WHERE document_id IS NOT NULL;

-- Which source used which name nobody noted until now: each may have used any name of what it speaks of.
INSERT INTO graph_name_uses (source_kind, source_id, realm, norm, type, document_id)
    SELECT e.source_kind, e.source_id, n.realm, n.norm, n.type, e.document_id
        FROM graph_evidence e JOIN graph_relations r ON r.id = e.relation_id JOIN graph_names n ON n.entity_id = r.from_id
    UNION
    SELECT e.source_kind, e.source_id, n.realm, n.norm, n.type, e.document_id
        FROM graph_evidence e JOIN graph_relations r ON r.id = e.relation_id JOIN graph_names n ON n.entity_id = r.to_id;
