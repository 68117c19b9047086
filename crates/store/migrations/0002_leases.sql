-- Who alone may do a thing. A row is never deleted: its fence only grows.
-- Times are milliseconds since 1970.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT, -- null: nobody's
    fence INTEGER NOT NULL CHECK (fence >= 1), -- counts the holders
    held_until INTEGER NOT NULL -- from then on anybody may take it
) STRICT;
