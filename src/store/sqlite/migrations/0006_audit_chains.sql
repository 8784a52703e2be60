-- The log may have several chains, numbered from 1 on; what is there is the first.
ALTER TABLE audit ADD COLUMN chain INTEGER NOT NULL DEFAULT 1;

-- Where each chain begins (checkpoint: what came before is pruned, or was never chained) and ends
-- (head), and, as chain 0, which chains there are (register). An empty writer: the chain begins with
-- the next entry.
CREATE TABLE audit_point_anew (
  chain INTEGER NOT NULL DEFAULT 1,
  name TEXT NOT NULL CHECK (name IN ('head', 'checkpoint', 'register')),
  writer TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  hash TEXT NOT NULL,
  mac TEXT NOT NULL,
  PRIMARY KEY (chain, name)
) STRICT, WITHOUT ROWID;
INSERT INTO audit_point_anew (name, writer, sequence, hash, mac)
SELECT name, writer, sequence, hash, mac FROM audit_point;
DROP TABLE audit_point;
ALTER TABLE audit_point_anew RENAME TO audit_point;
