/* SPDX-License-Identifier: Apache-2.0
 *
 * edu.h - the device of the examples: QEMU's edu, which can move a page
 *
 * It has a buffer of 4096 bytes, and copies between that and the addresses that
 * it is given. Its registers are in QEMU's docs/specs/edu.rst. A driver of
 * another device has other registers and the same calls.
 */
#ifndef EDU_H
#define EDU_H

#include <endian.h>
#include <err.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#include <ioasid.h>

#define EDU_PAGE 4096

#define EDU_SOURCE 0x80
#define EDU_TARGET 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98
#define EDU_START 1
#define EDU_TO_MEMORY 2
#define EDU_BUFFER 0x40000

#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY 2
#define PCI_COMMAND_MASTER 4

/* Where a region of the device begins in its descriptor. */
static inline off_t edu_region(int device, uint32_t index)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = index,
	};

	if (ioasid_ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		err(1, "region %u", index);
	return (off_t)info.offset;
}

/* Its registers have the byte order of the machine that QEMU emulates, whatever
 * runs there: on POWER they are the wrong way round for a device of PCI.
 */
static inline bool edu_is_swapped(int device)
{
	off_t bar = edu_region(device, VFIO_PCI_BAR0_REGION_INDEX);
	uint32_t id;

	if (ioasid_pread(device, &id, 4, bar) != 4)
		err(1, "read register 0");
	return le32toh(id) >> 24 == 0xed;
}

/* Write to a register, or wait until the device has done what it was told. */
static inline void edu_write(int device, uint32_t at, uint64_t value)
{
	off_t bar = edu_region(device, VFIO_PCI_BAR0_REGION_INDEX);

	value = edu_is_swapped(device) ? htobe64(value) : htole64(value);
	if (ioasid_pwrite(device, &value, 8, bar + at) != 8)
		err(1, "write register 0x%x", at);
}

static inline void edu_wait(int device)
{
	off_t bar = edu_region(device, VFIO_PCI_BAR0_REGION_INDEX);
	uint32_t value;

	do {
		if (ioasid_pread(device, &value, 4, bar + EDU_COMMAND) != 4)
			err(1, "read register 0x%x", EDU_COMMAND);
		value = edu_is_swapped(device) ? be32toh(value) :
						 le32toh(value);
	} while (value & EDU_START);
}

/* Let the device answer, and begin transfers: both are off after a reset. */
static inline void edu_enable(int device)
{
	off_t config = edu_region(device, VFIO_PCI_CONFIG_REGION_INDEX);
	uint16_t on = htole16(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);

	if (ioasid_pwrite(device, &on, 2, config + PCI_COMMAND) != 2)
		err(1, "enable the device");
}

/* Have the device read a page at an address of its space into its buffer. */
static inline void edu_load(int device, uint64_t iova)
{
	edu_write(device, EDU_SOURCE, iova);
	edu_write(device, EDU_TARGET, EDU_BUFFER);
	edu_write(device, EDU_COUNT, EDU_PAGE);
	edu_write(device, EDU_COMMAND, EDU_START);
	edu_wait(device);
}

/* Have it write its buffer there. */
static inline void edu_store(int device, uint64_t iova)
{
	edu_write(device, EDU_SOURCE, EDU_BUFFER);
	edu_write(device, EDU_TARGET, iova);
	edu_write(device, EDU_COUNT, EDU_PAGE);
	edu_write(device, EDU_COMMAND, EDU_START | EDU_TO_MEMORY);
	edu_wait(device);
}

#endif
