-- Instants are whole milliseconds since 1970 and are named *_at_ms; booleans are 0 and 1.
-- Tables with a text key have no rowid: a look-up by key, or through one of their indexes, then
-- reads one tree instead of two.

-- Facts about the database itself.
CREATE TABLE meta (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE client (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
  id TEXT NOT NULL PRIMARY KEY,
  client_id TEXT NOT NULL REFERENCES client (id),
  readonly INTEGER NOT NULL CHECK (readonly IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX account_by_client ON account (client_id);

CREATE TABLE plan (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Permissions keep the order in which the plan lists them.
CREATE TABLE plan_permission (
  plan_id TEXT NOT NULL REFERENCES plan (id),
  position INTEGER NOT NULL,
  quote_level INTEGER NOT NULL CHECK (quote_level BETWEEN 0 AND 5),
  delay_minutes INTEGER NOT NULL CHECK (delay_minutes >= 0),
  condition_kind TEXT NOT NULL
    CHECK (condition_kind IN ('mic', 'country', 'continent', 'worldwide')),
  condition_value TEXT NOT NULL,
  PRIMARY KEY (plan_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscription (
  id TEXT NOT NULL PRIMARY KEY,
  client_id TEXT NOT NULL REFERENCES client (id),
  plan_id TEXT NOT NULL REFERENCES plan (id),
  starts_at_ms INTEGER NOT NULL,
  ends_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_by_client ON subscription (client_id);
CREATE INDEX subscription_by_plan ON subscription (plan_id, client_id);

CREATE TABLE api_key (
  id TEXT NOT NULL PRIMARY KEY,
  client_id TEXT NOT NULL REFERENCES client (id),
  label TEXT NOT NULL,
  secret_mac TEXT NOT NULL UNIQUE,
  all_accounts INTEGER NOT NULL CHECK (all_accounts IN (0, 1)),
  readonly INTEGER NOT NULL CHECK (readonly IN (0, 1)),
  expires_at_ms INTEGER,
  revoked_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_by_client ON api_key (client_id);

CREATE TABLE api_key_account (
  key_id TEXT NOT NULL REFERENCES api_key (id),
  account_id TEXT NOT NULL REFERENCES account (id),
  PRIMARY KEY (key_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_account_by_account ON api_key_account (account_id);

-- The client is a note of whom the token named; what holds is the key's client. No reference to
-- it: that would need an index of all sessions which no query uses.
CREATE TABLE session (
  id TEXT NOT NULL PRIMARY KEY,
  key_id TEXT NOT NULL REFERENCES api_key (id),
  client_id TEXT NOT NULL,
  source_app_id TEXT NOT NULL,
  remote_address TEXT NOT NULL,
  issued_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_key ON session (key_id);
-- Few sessions are ever revoked: this stays small however many sessions there are.
CREATE INDEX session_revoked ON session (expires_at_ms) WHERE revoked_at_ms IS NOT NULL;

-- AUTOINCREMENT: a sequence number is never given twice, so a reader can go on from its last one.
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  remote_address TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;

CREATE TABLE signing_key (
  id TEXT NOT NULL PRIMARY KEY,
  sealed TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX signing_key_by_age ON signing_key (created_at_ms, id);
