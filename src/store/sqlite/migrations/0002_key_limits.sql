-- Calls that a key may make in any window, by method; the others have the method's own limit.
CREATE TABLE api_key_limit (
  key_id TEXT NOT NULL REFERENCES api_key (id),
  method TEXT NOT NULL,
  calls_max INTEGER NOT NULL CHECK (calls_max > 0),
  PRIMARY KEY (key_id, method)
) STRICT, WITHOUT ROWID;
