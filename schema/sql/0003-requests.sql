-- What a request asked for, so that its id does not stand for something else:
-- SHA-256 of it in hexadecimal, as front/repeat.c makes it; empty for none.
ALTER TABLE lease ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
ALTER TABLE operation ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
