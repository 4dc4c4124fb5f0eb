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
/* What may have to be written: command register, BARs, and that of the ROM; what
 * there is of PCI Express.
 */
#define PCI_FIXES (PCI_BARS + 2)
#define PCI_EXPRESS_FIXES 4

#define PCI_OFF_VENDOR 0x00
#define PCI_OFF_DEVICE 0x02
#define PCI_OFF_COMMAND 0x04
#define PCI_OFF_STATUS 0x06
#define PCI_OFF_BAR0 0x10
#define PCI_OFF_ROM 0x30
#define PCI_OFF_CAPABILITIES 0x34

#define PCI_COMMAND_IO_BIT 0x0001
#define PCI_COMMAND_MEMORY_BIT 0x0002
#define PCI_COMMAND_MASTER_BIT 0x0004
#define PCI_STATUS_CAPABILITIES_BIT 0x0010

#define PCI_BAR_IS_IO 0x01
#define PCI_BAR_TYPE_MASK 0x06
#define PCI_BAR_TYPE_64 0x04

#define PCI_CAP_POWER 0x01
#define PCI_CAP_EXPRESS 0x10
#define PCI_CAP_MSIX_ID 0x11

#define PCI_POWER_PMCSR 4	/* from the capability */
#define PCI_MSIX_TABLE 4	/* likewise: BAR in bits 0-2, then offset */

/* Registers of the PCI Express capability, from it: PCI Express Base
 * Specification 3.0, 7.8. DEVCTL2 and LINKCTL2 are there from version 2 of the
 * capability on.
 */
#define PCI_EXPRESS_FLAGS 2	/* version in bits 0-3 */
#define PCI_EXPRESS_DEVCAP 4	/* largest payload in bits 0-2 */
#define PCI_EXPRESS_DEVCTL 8
#define PCI_EXPRESS_LINKCAP 12	/* highest speed in bits 0-3 */
#define PCI_EXPRESS_LINKCTL 16
#define PCI_EXPRESS_DEVCTL2 40
#define PCI_EXPRESS_LINKCTL2 48
#define PCI_EXPRESS_SIZE 20	/* of version 1, as far as it is used here */
#define PCI_EXPRESS_SIZE2 52	/* of version 2, likewise */

#define PCI_DEVCTL_RELAXED 0x0010
#define PCI_DEVCTL_PAYLOAD_SHIFT 5	/* 3 bits: 128 bytes << n */
#define PCI_DEVCTL_NO_SNOOP 0x0800
#define PCI_DEVCTL_READ_512 0x2000

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
 * struct config_fix - A register that is to be written
 * @at:		Where in configuration space
 * @bytes:	What is to be written there
 */
struct config_fix {
	size_t at;
	uint8_t bytes[4];
};

/**
 * pci_lost_bars() - What of its BARs does a function not have any more?
 * @config:	What it answers
 * @resource:	The text of its file "resource" in sysfs
 * @ret:	What is to be written, in this order
 *
 * A BAR is lost that reads 0, as after a reset, or as if ones had been written
 * to it. One that has another value than the kernel's is not: its bus counts
 * addresses from elsewhere.
 *
 * If any is lost, so is what else was in the header: the function is switched
 * off, for the kernel to switch on, and its ROM, which may share a decoder with
 * a BAR.
 *
 * Return: how many registers; 0: none is lost; -ERANGE: some are, and are not
 * where the processor sees them.
 */
int pci_lost_bars(const uint8_t config[PCI_HEADER_SIZE], const char *resource,
		  struct config_fix ret[PCI_FIXES]);

/**
 * pci_payload() - How large packets does a function or a port send and take?
 * @config:	What it answers
 *
 * Return: n for 128 bytes << n; 0 too if it is not of PCI Express.
 */
unsigned int pci_payload(const uint8_t config[PCI_CONFIG_SIZE]);

/**
 * pci_lost_express() - What else has a function lost that has lost its BARs?
 * @config:	What it answers
 * @payload:	Of the port above it
 * @ret:	What is to be written
 *
 * What PCI Express says that it is after a reset, and a payload that suits the
 * port: Linux makes all of a path agree on it. Of registers to which ones were
 * restored, some have values then that nobody may write to them.
 *
 * Return: how many registers; 0 if it is not of PCI Express.
 */
int pci_lost_express(const uint8_t config[PCI_CONFIG_SIZE],
		     unsigned int payload,
		     struct config_fix ret[PCI_EXPRESS_FIXES]);

#endif
