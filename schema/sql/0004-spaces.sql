-- Leases whose descriptors are kept (mode hold), and their spaces. A CHECK cannot
-- be altered, so the table of leases is made anew; what refers to it does so by
-- name. Numbers of the kernel (kernel_id) mean something in the iommufd of the
-- lease only, and nothing when that is gone; 0 is none.
CREATE TABLE lease_anew (
	name TEXT PRIMARY KEY,
	revision INTEGER NOT NULL,
	request_id TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN
		('offered', 'claiming', 'held', 'reclaiming', 'ended')),
	mode TEXT NOT NULL CHECK (mode IN ('transfer', 'hold')),
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
	grace_ms INTEGER NOT NULL
) STRICT;
INSERT INTO lease_anew SELECT name, revision, request_id, state, mode, owner_uid,
	claimant_uid, claimant_pid, memlock, memlock_unlimited, expires_us,
	incarnation, acknowledged, restore_after, reclaim, created_us, ended_us,
	end_reason, owner, claimant_unit, token_hash, token_expires_us,
	fingerprint, 0 FROM lease;
DROP TABLE lease;
ALTER TABLE lease_anew RENAME TO lease;
CREATE INDEX lease_state ON lease (state);

ALTER TABLE lease_device ADD COLUMN kernel_id INTEGER NOT NULL DEFAULT 0;

CREATE TABLE space (
	name TEXT PRIMARY KEY,
	lease TEXT NOT NULL REFERENCES lease (name) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	kernel_id INTEGER NOT NULL,
	alignment BLOB NOT NULL,
	created_us INTEGER NOT NULL,
	request_id TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	maker TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX space_lease ON space (lease);

-- What a space promises.
CREATE TABLE space_window (
	space TEXT NOT NULL REFERENCES space (name) ON DELETE CASCADE,
	start BLOB NOT NULL,
	last BLOB NOT NULL,
	page_sizes BLOB NOT NULL,
	purpose TEXT NOT NULL CHECK (purpose IN ('any', 'dma32', 'ram')),
	PRIMARY KEY (space, start)
) STRICT, WITHOUT ROWID;

-- What the kernel said last of where memory can be mapped.
CREATE TABLE space_range (
	space TEXT NOT NULL REFERENCES space (name) ON DELETE CASCADE,
	start BLOB NOT NULL,
	last BLOB NOT NULL,
	PRIMARY KEY (space, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE space_device (
	space TEXT NOT NULL REFERENCES space (name) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	device TEXT NOT NULL,
	PRIMARY KEY (space, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE space_label (
	space TEXT NOT NULL REFERENCES space (name) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID;
