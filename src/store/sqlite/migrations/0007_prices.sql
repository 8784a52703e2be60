-- The prices of the paper venue. The one that was set last has the greatest number.
CREATE TABLE last_price (
  symbol TEXT NOT NULL PRIMARY KEY,
  price TEXT NOT NULL,
  sequence INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;
