-- Every record of the ledger. The columns before `body` are copies of what is in it, for the
-- indexes and for whoever looks in with the sqlite3 shell; the body alone is believed.
-- All times are milliseconds since 1970; the views below show them as text.
CREATE TABLE records (
    kind TEXT NOT NULL CHECK (kind IN ('instance', 'run', 'claim')),
    key TEXT NOT NULL, -- instance: account/region/id, run: owner/name/run, claim: owner/name/job
    state TEXT NOT NULL, -- instance: known, unexplained, interrupted
                         -- run: awaiting, asked, settled; claim: wanted, launched, given-up
    repository TEXT COLLATE NOCASE,
    run_id INTEGER,
    job_id INTEGER,
    instance_id TEXT,
    due_at INTEGER, -- null: nothing more to do
    expires_at INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1), -- counts the commits
    format INTEGER NOT NULL CHECK (format >= 1), -- how the body is to be read
    body TEXT NOT NULL, -- JSON
    PRIMARY KEY (kind, key)
) STRICT;

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
