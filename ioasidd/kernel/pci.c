/* SPDX-License-Identifier: Apache-2.0
 *
 * pci.c - PCI addresses and configuration space
 */
#include "kernel/pci.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "kernel/kernel.h"

/**
 * hex() - Read hexadecimal digits
 * @s:		Where; moved behind them
 * @min:	So many at least
 * @max:	So many at most
 * @ret:	The number
 *
 * Return: false if there are fewer than @min.
 */
static bool hex(const char **s, int min, int max, unsigned long *ret)
{
	unsigned long value = 0;
	int n = 0;

	for (; n < max && isxdigit((unsigned char)**s); n++, (*s)++) {
		int c = tolower((unsigned char)**s);

		value = value << 4 |
			(unsigned long)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret = value;

	return n >= min;
}

/**
 * bdf_parse() - Read a PCI address as people write it
 *
 * The kernel writes a domain with four digits at least, and with more where
 * there are more: the domains of Intel VMD begin at 10000.
 */
int bdf_parse(const char *s, char ret[BDF_SIZE])
{
	unsigned long domain = 0, bus, slot, function;
	const char *colon = strchr(s, ':');

	if (colon && strchr(colon + 1, ':')) {
		if (!hex(&s, 1, 8, &domain) || *s++ != ':')
			return -EINVAL;
	}
	if (!hex(&s, 1, 2, &bus) || *s++ != ':')
		return -EINVAL;
	if (!hex(&s, 1, 2, &slot) || slot > 0x1f || *s++ != '.')
		return -EINVAL;
	if (!hex(&s, 1, 1, &function) || function > 7 || *s)
		return -EINVAL;

	if (!str_format(ret, BDF_SIZE, "%04lx:%02lx:%02lx.%lx", domain, bus,
			slot, function))
		return -EINVAL;

	return 0;
}

/**
 * pci_capability() - Find a capability
 *
 * The list is the device's, and a device may be broken: each step stays within
 * the space, and there are no more steps than there is room for capabilities.
 */
size_t pci_capability(const uint8_t config[PCI_CONFIG_SIZE], uint8_t id,
		      size_t size)
{
	size_t at;

	if (!(pci_u16(config + PCI_OFF_STATUS) & PCI_STATUS_CAPABILITIES_BIT))
		return 0;

	at = config[PCI_OFF_CAPABILITIES] & ~3U;
	for (int i = 0; i < (PCI_CONFIG_SIZE - 0x40) / 4 && at >= 0x40; i++) {
		if (config[at] == id)
			return at + size <= PCI_CONFIG_SIZE ? at : 0;
		at = config[at + 1] & ~3U;
	}

	return 0;
}

/* Flags in sysfs's "resource": <linux/ioport.h>. */
#define RESOURCE_IO 0x100ULL
#define RESOURCE_MEM 0x200ULL
#define RESOURCE_MEM_64 0x100000ULL
#define RESOURCE_UNSET 0x20000000ULL

/**
 * add_fix() - Note a register that is to be written
 * @bar:	Its number
 * @value:	What with
 */
static void add_fix(struct bar_fix *fix, int bar, uint32_t value)
{
	fix->at = PCI_OFF_BAR0 + 4 * (size_t)bar;
	for (int i = 0; i < 4; i++)
		fix->bytes[i] = (uint8_t)(value >> (8 * i));
}

/* pci_lost_bars() - Which BARs does a function not have any more? */
int pci_lost_bars(const uint8_t config[PCI_HEADER_SIZE], const char *resource,
		  struct bar_fix ret[PCI_BARS])
{
	bool out_of_reach = false;
	int n = 0;

	for (int bar = 0; bar < PCI_BARS; bar++) {
		unsigned long long start, last, flags;
		uint32_t now = pci_u32(config + PCI_OFF_BAR0 + 4 * bar);
		bool io;

		if (sscanf(resource, "%llx %llx %llx", &start, &last, &flags) !=
		    3)
			break;
		resource = strchr(resource, '\n');
		if (!resource)
			break;
		resource++;
		io = flags & RESOURCE_IO;
		if (!start || flags & RESOURCE_UNSET ||
		    !(flags & (RESOURCE_IO | RESOURCE_MEM)))
			continue;
		if (now & (io ? ~3U : ~15U))
			return 0;
		add_fix(&ret[n++], bar, (uint32_t)start);
		if (flags & RESOURCE_MEM_64 && bar + 1 < PCI_BARS) {
			if (pci_u32(config + PCI_OFF_BAR0 + 4 * (bar + 1)))
				return 0;
			add_fix(&ret[n++], bar + 1, (uint32_t)(start >> 32));
			/* sysfs has an empty line for the upper half. */
			resource = strchr(resource, '\n');
			bar++;
			if (!resource)
				break;
			resource++;
		} else if (start >> 32) {
			out_of_reach = true;
		}
	}

	return out_of_reach ? -ERANGE : n;
}
