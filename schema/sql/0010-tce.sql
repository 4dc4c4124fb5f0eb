-- Which windows a container of SPAPR TCE can have, of devices with backend spapr.
CREATE TABLE capability_tce (
	device TEXT PRIMARY KEY REFERENCES capability (device) ON DELETE CASCADE,
	dma32_start BLOB NOT NULL,
	dma32_size BLOB NOT NULL,
	page_sizes BLOB NOT NULL,
	max_windows INTEGER NOT NULL,
	levels INTEGER NOT NULL,
	kernel_page BLOB NOT NULL
) STRICT, WITHOUT ROWID;
