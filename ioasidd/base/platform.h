/* SPDX-License-Identifier: Apache-2.0
 *
 * platform.h - what is known of the families of IOMMUs, in one table
 *
 * What an IOMMU can do is asked of the kernel; here is what it does not say, or
 * says in a way of its own for each family. Apertures are what was seen with Linux
 * 7.3 (SPAPR: 7.2) and may be other ones: nothing that is handed out is decided by
 * them.
 */
#ifndef IOASIDD_BASE_PLATFORM_H
#define IOASIDD_BASE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct platform - A family of IOMMUs
 * @family:	Its name in the contract
 * @folder:	Folder of its own in that of the IOMMU in /sys/class/iommu; NULL if
 *		it has none
 * @registers:	Files there, registers as hexadecimal; ended with NULL
 * @prefix:	How its IOMMUs' names begin; NULL if they do not say
 * @carrier:	Part of the path of the device that carries it, if its name does not
 *		tell: a PCI address as any other; NULL for no such
 * @aperture_last: Last address that it mostly translates
 * @guest_table: enum iommu_hwpt_data_type of a guest's page table; 0 for none
 * @spapr:	Its backend is spapr: windows are made by the platform, `type` of its
 *		groups reads "unknown" and reserved_regions is empty. Of the others it
 *		is iommufd or type1, whichever the kernel has
 */
struct platform {
	const char *family;
	const char *folder;
	const char *const *registers;
	const char *prefix, *carrier;
	uint64_t aperture_last;
	uint32_t guest_table;
	bool spapr;
};

/* platform_all() - The table; the last one is "other". Return: how many. */
size_t platform_all(const struct platform **ret);

/* platform_of() - The family of that name; that of "other" if there is none. */
const struct platform *platform_of(const char *family);

#endif
