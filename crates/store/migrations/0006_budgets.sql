-- A sixth kind of record: what a repository's re-runs cost lately. SQLite changes no check of a table that
-- is there, so a new one takes its place; what is in it stays as it was.
DROP VIEW instances;
DROP VIEW runs;
DROP VIEW claims;
DROP VIEW breakers;
DROP VIEW checks;

CREATE TABLE new_records (
    kind TEXT NOT NULL CHECK (kind IN ('instance', 'run', 'claim', 'breakers', 'check', 'budget')),
    key TEXT NOT NULL, -- instance: account/region/id, run and check: owner/name/run,
                       -- claim: owner/name/job, breakers: spot, and there is one,
                       -- budget: owner/name
    state TEXT NOT NULL, -- instance: known, unexplained, interrupted
                         -- run: awaiting, asked, settled; claim: wanted, launched, given-up
                         -- breakers: opened, closed
                         -- check: untold, in-progress, success, failure, neutral
                         -- budget: spent
    repository TEXT COLLATE NOCASE,
    run_id INTEGER,
    job_id INTEGER,
    instance_id TEXT,
    due_at INTEGER, -- null: nothing more to do
    expires_at INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1), -- counts the commits
    format INTEGER NOT NULL CHECK (format >= 1), -- how the body is to be read
    body TEXT NOT NULL, -- JSON
    ended_at INTEGER, -- runs: since when nothing is to be done any more
    PRIMARY KEY (kind, key)
) STRICT;

INSERT INTO new_records SELECT * FROM records;
DROP TABLE records;
ALTER TABLE new_records RENAME TO records;

CREATE INDEX records_due ON records (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX records_expiry ON records (expires_at);

CREATE VIEW instances AS
SELECT key AS instance, state, repository, run_id, job_id,
       strftime('%Y-%m-%dT%H:%M:%SZ', due_at / 1000, 'unixepoch') AS due,
       strftime('%Y-%m-%dT%H:%M:%SZ', expires_at / 1000, 'unixepoch') AS expires,
       version, format, body
FROM records WHERE kind = 'instance';

CREATE VIEW runs AS
SELECT repository, run_id, state,
       strftime('%Y-%m-%dT%H:%M:%SZ', due_at / 1000, 'unixepoch') AS due,
       strftime('%Y-%m-%dT%H:%M:%SZ', expires_at / 1000, 'unixepoch') AS expires,
       version, format, body
FROM records WHERE kind = 'run';

CREATE VIEW claims AS
SELECT repository, run_id, job_id, state, instance_id,
       strftime('%Y-%m-%dT%H:%M:%SZ', due_at / 1000, 'unixepoch') AS due,
       strftime('%Y-%m-%dT%H:%M:%SZ', expires_at / 1000, 'unixepoch') AS expires,
       version, format, body
FROM records WHERE kind = 'claim';

CREATE VIEW breakers AS
SELECT pools.key AS pool,
       json_extract(pools.value, '$.state.open.until') AS open_until,
       json_extract(pools.value, '$.state.closed.since') AS closed_since,
       json_extract(pools.value, '$.why') AS why,
       json_extract(pools.value, '$.openings') AS openings
FROM records, json_each(records.body, '$.pools') AS pools WHERE records.kind = 'breakers';

CREATE VIEW checks AS
SELECT repository, run_id, state,
       json_extract(body, '$.gate.workflow') AS gate_of,
       strftime('%Y-%m-%dT%H:%M:%SZ', due_at / 1000, 'unixepoch') AS due,
       strftime('%Y-%m-%dT%H:%M:%SZ', expires_at / 1000, 'unixepoch') AS expires,
       version, format, body
FROM records WHERE kind = 'check';

CREATE VIEW budgets AS
SELECT repository,
       strftime('%Y-%m-%dT%H:%M:%SZ', grants.value ->> '$.at') AS granted,
       grants.value ->> '$.run' AS run_id,
       grants.value ->> '$.jobs' AS jobs
FROM records, json_each(records.body, '$.granted') AS grants WHERE records.kind = 'budget';
