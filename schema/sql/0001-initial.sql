-- The state of one host. Forward only; PRAGMA user_version is the number of the
-- last file applied. Times are microseconds since 1970; names are resource
-- names as in schema/ioasid/v1. Numbers that need 64 bits without a sign (IOVA)
-- are 8-byte big-endian BLOBs, so that they sort.

-- One row: the revision of the newest change.
CREATE TABLE revision (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	value INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1, 0);

-- A device that ioasidd has, or had, to do with: which one it is, what it goes
-- back to, what is wrong with it, who had it last.
CREATE TABLE device (
	name TEXT PRIMARY KEY,
	revision INTEGER NOT NULL,
	vendor INTEGER NOT NULL,
	device INTEGER NOT NULL,
	subsystem_vendor INTEGER NOT NULL,
	subsystem_device INTEGER NOT NULL,
	class INTEGER NOT NULL,
	prepared INTEGER NOT NULL,
	vfio_driver TEXT NOT NULL,
	former_driver TEXT NOT NULL,
	former_override TEXT NOT NULL,
	no_reset INTEGER NOT NULL,
	unsafe_interrupts INTEGER NOT NULL,
	trouble TEXT NOT NULL CHECK (trouble IN ('none', 'quarantined', 'stuck')),
	reason TEXT NOT NULL,
	remedy TEXT NOT NULL,
	stuck_pid INTEGER NOT NULL,
	stuck_start_ticks INTEGER NOT NULL,
	stuck_boot_id TEXT NOT NULL,
	stuck_call TEXT NOT NULL,
	last_lease TEXT NOT NULL,
	last_uid INTEGER NOT NULL
) STRICT;

-- What the probe at prepare found; true for this driver and this boot only.
CREATE TABLE capability (
	device TEXT PRIMARY KEY REFERENCES device (name) ON DELETE CASCADE,
	driver TEXT NOT NULL,
	boot_id TEXT NOT NULL,
	probed_us INTEGER NOT NULL,
	alignment BLOB NOT NULL,
	hw_info_type INTEGER NOT NULL,
	hw_info BLOB NOT NULL,
	hw_capabilities BLOB NOT NULL,
	max_pasid_log2 INTEGER NOT NULL,
	nest_parent INTEGER NOT NULL,
	dirty_tracking INTEGER NOT NULL,
	pasid INTEGER NOT NULL,
	bind_us INTEGER NOT NULL,
	reset_set TEXT NOT NULL
) STRICT;

CREATE TABLE capability_range (
	device TEXT NOT NULL REFERENCES capability (device) ON DELETE CASCADE,
	start BLOB NOT NULL,
	last BLOB NOT NULL,
	PRIMARY KEY (device, start)
) STRICT, WITHOUT ROWID;

-- Every change to the host, written before it is begun.
CREATE TABLE operation (
	name TEXT PRIMARY KEY,
	revision INTEGER NOT NULL,
	request_id TEXT NOT NULL,
	principal TEXT NOT NULL,
	kind TEXT NOT NULL,
	target TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
	step TEXT NOT NULL,
	undo TEXT NOT NULL,
	error_id TEXT NOT NULL,
	error_message TEXT NOT NULL,
	error_object TEXT NOT NULL,
	error_remedy TEXT NOT NULL,
	error_causes TEXT NOT NULL,
	created_us INTEGER NOT NULL,
	ended_us INTEGER NOT NULL
) STRICT;
CREATE INDEX operation_state ON operation (state);

-- What an operation did, in order.
CREATE TABLE step (
	operation TEXT NOT NULL REFERENCES operation (name) ON DELETE CASCADE,
	number INTEGER NOT NULL,
	object TEXT NOT NULL,
	act TEXT NOT NULL,
	method TEXT NOT NULL,
	result TEXT NOT NULL,
	took_us INTEGER NOT NULL,
	at_us INTEGER NOT NULL,
	PRIMARY KEY (operation, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
	name TEXT PRIMARY KEY,
	revision INTEGER NOT NULL,
	request_id TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN
		('offered', 'claiming', 'held', 'reclaiming', 'ended')),
	mode TEXT NOT NULL CHECK (mode IN ('transfer')),
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
	end_reason TEXT NOT NULL
) STRICT;
CREATE INDEX lease_state ON lease (state);

CREATE TABLE lease_device (
	lease TEXT NOT NULL REFERENCES lease (name) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	device TEXT NOT NULL,
	PRIMARY KEY (lease, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease_label (
	lease TEXT NOT NULL REFERENCES lease (name) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (lease, key)
) STRICT, WITHOUT ROWID;

-- The processes that hold or held a lease, many for each.
CREATE TABLE holder (
	lease TEXT NOT NULL REFERENCES lease (name) ON DELETE CASCADE,
	number INTEGER NOT NULL,
	pid INTEGER NOT NULL,
	start_ticks INTEGER NOT NULL,
	boot_id TEXT NOT NULL,
	pidfd_inode INTEGER NOT NULL,
	cgroup TEXT NOT NULL,
	uid INTEGER NOT NULL,
	gid INTEGER NOT NULL,
	memlock_before BLOB NOT NULL,
	since_us INTEGER NOT NULL,
	until_us INTEGER NOT NULL,
	why TEXT NOT NULL,
	PRIMARY KEY (lease, number)
) STRICT, WITHOUT ROWID;
