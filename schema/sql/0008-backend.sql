-- By which of the kernel's interfaces a probe was made, and how many mappings a
-- container takes; 0 if nothing says so.
ALTER TABLE capability ADD COLUMN backend TEXT NOT NULL DEFAULT 'iommufd';
ALTER TABLE capability ADD COLUMN dma_entries INTEGER NOT NULL DEFAULT 0;
