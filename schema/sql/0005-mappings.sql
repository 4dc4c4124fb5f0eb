-- Leases of mode guarded: what is mapped for them, and which memfds were made for
-- that. A CHECK cannot be altered, so the table of leases is made anew once more.
-- Mappings refer to their lease and space by name alone: a row that is replaced
-- must not take them along.
CREATE TABLE lease_anew (
	name TEXT PRIMARY KEY,
	revision INTEGER NOT NULL,
	request_id TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN
		('offered', 'claiming', 'held', 'reclaiming', 'ended')),
	mode TEXT NOT NULL CHECK (mode IN ('transfer', 'hold', 'guarded')),
	owner_uid INTEGER NOT NULL,
	claimant_uid INTEGER NOT NULL,
	claimant_pid INTEGER NOT NULL,
	memlock BLOB NOT NULL,
	memlock_unlimited INTEGER NOT NULL,
	expires_us INTEGER NOT NULL,
	incarnation INTEGER NOT NULL,
	acknowledged INTEGER NOT NULL,
	restore_after INTEGER NOT NULL,
	reclaim TEXT NOT NULL,
	created_us INTEGER NOT NULL,
	ended_us INTEGER NOT NULL,
	end_reason TEXT NOT NULL,
	owner TEXT NOT NULL,
	claimant_unit TEXT NOT NULL,
	token_hash BLOB NOT NULL,
	token_expires_us INTEGER NOT NULL,
	fingerprint TEXT NOT NULL,
	grace_ms INTEGER NOT NULL,
	volatile INTEGER NOT NULL
) STRICT;
INSERT INTO lease_anew SELECT *, 0 FROM lease;
DROP TABLE lease;
ALTER TABLE lease_anew RENAME TO lease;
CREATE INDEX lease_state ON lease (state);

-- A memfd, by its inode in this boot; page_size 0 if it is none of hugetlbfs.
CREATE TABLE memory (
	lease TEXT NOT NULL,
	inode BLOB NOT NULL,
	size BLOB NOT NULL,
	page_size BLOB NOT NULL,
	PRIMARY KEY (lease, inode)
) STRICT, WITHOUT ROWID;

-- Here before the kernel has it, and until the kernel has it no more.
CREATE TABLE mapping (
	lease TEXT NOT NULL,
	space TEXT NOT NULL,
	iova BLOB NOT NULL,
	length BLOB NOT NULL,
	memory BLOB NOT NULL,
	offset BLOB NOT NULL,
	writable INTEGER NOT NULL,
	PRIMARY KEY (lease, space, iova)
) STRICT, WITHOUT ROWID;
