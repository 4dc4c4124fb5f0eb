-- Page tables of leases whose descriptors are kept. As with spaces numbers of the
-- kernel mean something in the iommufd of the lease only; 0 is none. parent names
-- a space or an earlier page table of the same lease.
CREATE TABLE page_table (
	name TEXT PRIMARY KEY,
	lease TEXT NOT NULL REFERENCES lease (name) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	parent TEXT NOT NULL,
	device TEXT NOT NULL,
	nest_parent INTEGER NOT NULL,
	dirty_tracking INTEGER NOT NULL,
	pasid INTEGER NOT NULL,
	data_type INTEGER NOT NULL,
	data BLOB NOT NULL,
	registered INTEGER NOT NULL,
	faults INTEGER NOT NULL,
	dirty_on INTEGER NOT NULL,
	kernel_id INTEGER NOT NULL,
	fault_id INTEGER NOT NULL,
	created_us INTEGER NOT NULL,
	request_id TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	maker TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX page_table_lease ON page_table (lease);

-- Who is on it, with which PASID; 0 for none.
CREATE TABLE page_table_binding (
	page_table TEXT NOT NULL REFERENCES page_table (name) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	device TEXT NOT NULL,
	pasid INTEGER NOT NULL,
	PRIMARY KEY (page_table, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE page_table_label (
	page_table TEXT NOT NULL REFERENCES page_table (name) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (page_table, key)
) STRICT, WITHOUT ROWID;
