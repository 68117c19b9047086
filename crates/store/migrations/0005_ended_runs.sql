-- Since when nothing is to be done about a run any more, in milliseconds since 1970: operators list
-- runs by it. Null while something is due, for other kinds, and for runs that were written before.
ALTER TABLE records ADD COLUMN ended_at INTEGER;
