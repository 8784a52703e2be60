-- Whatever operators administer has a version, the audit entry that made it so, and times. What was
-- there before is as old as this migration, as far as anybody knows.
ALTER TABLE client ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE client ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE client ADD COLUMN updated_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE account ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN updated_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plan ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE plan ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plan ADD COLUMN updated_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscription ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE subscription ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscription ADD COLUMN updated_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE api_key ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN updated_at_ms INTEGER NOT NULL DEFAULT 0;
UPDATE client SET created_at_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER);
UPDATE account SET created_at_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER);
UPDATE plan SET created_at_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER);
UPDATE subscription SET created_at_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER);
UPDATE api_key SET created_at_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER);
UPDATE client SET updated_at_ms = created_at_ms;
UPDATE account SET updated_at_ms = created_at_ms;
UPDATE plan SET updated_at_ms = created_at_ms;
UPDATE subscription SET updated_at_ms = created_at_ms;
UPDATE api_key SET updated_at_ms = created_at_ms;

-- A page of a plan's subscriptions, in the order of their ids.
CREATE INDEX subscription_of_plan ON subscription (plan_id);

-- In JSON: an array of networks.
ALTER TABLE api_key ADD COLUMN source_networks TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_key ADD COLUMN previous_secret_mac TEXT;
ALTER TABLE api_key ADD COLUMN previous_secret_ends_at_ms INTEGER;
CREATE UNIQUE INDEX api_key_by_previous_secret ON api_key (previous_secret_mac)
WHERE previous_secret_mac IS NOT NULL;

CREATE TABLE operator (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'owner', 'service')),
  token_mac TEXT NOT NULL UNIQUE,
  expires_at_ms INTEGER,
  revoked_at_ms INTEGER,
  version INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Requests of operators that are known again, for a day. No reference to the operator: what is
-- remembered may outlive it.
CREATE TABLE request (
  operator_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (operator_id, request_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_by_age ON request (at_ms);

-- Sessions anew, without a reference to their key: a key that is deleted leaves its sessions behind,
-- revoked, so that none of its tokens lives again with a new key of the same id.
CREATE TABLE session_anew (
  id TEXT NOT NULL PRIMARY KEY,
  key_id TEXT NOT NULL,
  client_id TEXT NOT NULL,
  source_app_id TEXT NOT NULL,
  remote_address TEXT NOT NULL,
  issued_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO session_anew SELECT id, key_id, client_id, source_app_id, remote_address, issued_at_ms,
  expires_at_ms, revoked_at_ms FROM session ORDER BY id;
DROP TABLE session;
ALTER TABLE session_anew RENAME TO session;
-- A key's active sessions, without those that are over.
CREATE INDEX session_by_key ON session (key_id, expires_at_ms);
-- Few sessions are ever revoked: this stays small however many sessions there are.
CREATE INDEX session_revoked ON session (expires_at_ms) WHERE revoked_at_ms IS NOT NULL;

-- The HMAC of the entry and of the one before it; those from before the log was chained have none.
ALTER TABLE audit ADD COLUMN mac TEXT;
-- Where the log begins (checkpoint: what came before is pruned, or was never chained) and ends
-- (head). An empty writer: the chain begins with the next entry.
CREATE TABLE audit_point (
  name TEXT NOT NULL PRIMARY KEY CHECK (name IN ('head', 'checkpoint')),
  writer TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  hash TEXT NOT NULL,
  mac TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO audit_point (name, writer, sequence, hash, mac)
SELECT 'head', '', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0), '', '';
