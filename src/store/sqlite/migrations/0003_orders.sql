-- Orders are a log of what became of them, and placed_order says where in it something is. No
-- references to accounts: who may place an order is judged before, and what was placed stays.

-- AUTOINCREMENT: a sequence number is never given twice, so a reader can go on from its last one.
CREATE TABLE order_change (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL,
  -- The whole order as it was then, in JSON.
  state TEXT NOT NULL
) STRICT;
-- Its entries end with the sequence, as those of every index of such a table do.
CREATE INDEX order_change_by_account ON order_change (account_id);

CREATE TABLE placed_order (
  id TEXT NOT NULL PRIMARY KEY,
  account_id TEXT NOT NULL,
  client_order_id TEXT NOT NULL,
  is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
  -- In order_change: when it was placed, and the newest.
  first_sequence INTEGER NOT NULL,
  newest_sequence INTEGER NOT NULL,
  UNIQUE (account_id, client_order_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX placed_order_by_account ON placed_order (account_id, is_open, newest_sequence);
-- Few orders are open at a time: this stays small however many there have been.
CREATE INDEX placed_order_open ON placed_order (first_sequence) WHERE is_open = 1;

CREATE TABLE trade (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL,
  -- The whole trade, in JSON.
  trade TEXT NOT NULL
) STRICT;
CREATE INDEX trade_by_account ON trade (account_id);
