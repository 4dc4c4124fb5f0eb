-- Devices that were prepared although no IOMMU is in front of them.
ALTER TABLE device ADD COLUMN no_iommu INTEGER NOT NULL DEFAULT 0;
