/* SPDX-License-Identifier: Apache-2.0
 *
 * pci.h - what the PCI specification says of configuration space
 *
 * Offsets and bits are those of the PCI Local Bus Specification 3.0, chapter 6,
 * and of the PCI Bus Power Management Interface Specification 1.2.
 */
#ifndef IOASIDD_KERNEL_PCI_H
#define IOASIDD_KERNEL_PCI_H

#include <stddef.h>
#include <stdint.h>

#define PCI_CONFIG_SIZE 256 /* what a capability of PCI 3.0 can be in */

#define PCI_HEADER_SIZE 64  /* what every function has */
#define PCI_BARS 6

#define PCI_OFF_VENDOR 0x00
#define PCI_OFF_DEVICE 0x02
#define PCI_OFF_COMMAND 0x04
#define PCI_OFF_STATUS 0x06
#define PCI_OFF_BAR0 0x10
#define PCI_OFF_CAPABILITIES 0x34

#define PCI_COMMAND_IO_BIT 0x0001
#define PCI_COMMAND_MEMORY_BIT 0x0002
#define PCI_COMMAND_MASTER_BIT 0x0004
#define PCI_STATUS_CAPABILITIES_BIT 0x0010

#define PCI_BAR_IS_IO 0x01
#define PCI_BAR_TYPE_MASK 0x06
#define PCI_BAR_TYPE_64 0x04

#define PCI_CAP_POWER 0x01
#define PCI_CAP_MSIX_ID 0x11

#define PCI_POWER_PMCSR 4	/* from the capability */
#define PCI_MSIX_TABLE 4	/* likewise: BAR in bits 0-2, then offset */

/* pci_u16() - Read a little-endian number of 16 bits at @p. */
static inline uint16_t pci_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/* pci_u32() - Read a little-endian number of 32 bits at @p. */
static inline uint32_t pci_u32(const uint8_t *p)
{
	return pci_u16(p) | (uint32_t)pci_u16(p + 2) << 16;
}

/**
 * pci_capability() - Find a capability
 * @config:	PCI_CONFIG_SIZE bytes of configuration space
 * @id:		PCI_CAP_*
 * @size:	How many bytes of it are wanted
 *
 * Return: its offset; 0 if there is none, or if the list is broken before it.
 */
size_t pci_capability(const uint8_t config[PCI_CONFIG_SIZE], uint8_t id,
		      size_t size);

/**
 * struct bar_fix - A register that has lost its BAR
 * @at:		Where in configuration space
 * @bytes:	What is to be written there
 */
struct bar_fix {
	size_t at;
	uint8_t bytes[4];
};

/**
 * pci_lost_bars() - Which BARs does a function not have that the kernel gave it?
 * @config:	What it answers
 * @resource:	The text of its file "resource" in sysfs
 * @ret:	What is to be written
 *
 * A reset clears them all, so a function that has one of them has not lost any;
 * where it has another value than the kernel's, its bus counts addresses from
 * elsewhere.
 *
 * Return: how many registers; 0: none is lost; -ERANGE: they are, and are not
 * where the processor sees them.
 */
int pci_lost_bars(const uint8_t config[PCI_HEADER_SIZE], const char *resource,
		  struct bar_fix ret[PCI_BARS]);

#endif
