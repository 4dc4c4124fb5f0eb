-- Leases on hosts without iommufd: the holder opens the nodes of its groups. before
-- is the access control list that a node had, put back when "open" ends.
CREATE TABLE lease_node (
	lease TEXT NOT NULL REFERENCES lease (name) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	path TEXT NOT NULL,
	device_number INTEGER NOT NULL,
	"group" TEXT NOT NULL,
	open INTEGER NOT NULL,
	before BLOB NOT NULL,
	PRIMARY KEY (lease, position)
) STRICT, WITHOUT ROWID;

ALTER TABLE lease ADD COLUMN shared_uid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lease ADD COLUMN released_us INTEGER NOT NULL DEFAULT 0;

-- The hard limit of locked memory that a holder had. Of holders from before it is
-- not known: zero, and then it is left alone.
ALTER TABLE holder ADD COLUMN memlock_hard_before BLOB NOT NULL DEFAULT x'0000000000000000';
