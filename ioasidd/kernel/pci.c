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

/* The ROM's line in that file comes after those of the BARs. */
#define RESOURCE_ROM PCI_BARS

/**
 * struct resource - Where the kernel has put a BAR, for the processor
 * @start:	Its first byte; 0: there is none
 * @last:	Its last
 * @flags:	RESOURCE_*
 */
struct resource {
	unsigned long long start, last, flags;
};

/**
 * read_resources() - Read sysfs's "resource", a line each
 * @text:	The text
 * @ret:	Those of the BARs and the ROM; empty where a line cannot be read
 */
static void read_resources(const char *text,
			   struct resource ret[RESOURCE_ROM + 1])
{
	for (int i = 0; i <= RESOURCE_ROM; i++) {
		struct resource *res = &ret[i];
		const char *end = text ? strchr(text, '\n') : NULL;

		if (!end || sscanf(text, "%llx %llx %llx", &res->start,
				   &res->last, &res->flags) != 3 ||
		    res->flags & RESOURCE_UNSET ||
		    !(res->flags & (RESOURCE_IO | RESOURCE_MEM)))
			*res = (struct resource){ .start = 0 };
		text = end ? end + 1 : NULL;
	}
}

/**
 * bar_value() - The address in a BAR
 * @config:	What the function answers
 * @bar:	Its number
 * @res:	Its resource
 */
static uint64_t bar_value(const uint8_t *config, int bar,
			  const struct resource *res)
{
	const uint8_t *at = config + PCI_OFF_BAR0 + 4 * bar;
	uint64_t value = pci_u32(at) & (res->flags & RESOURCE_IO ? ~3U : ~15U);

	if (res->flags & RESOURCE_MEM_64 && bar + 1 < PCI_BARS)
		value |= (uint64_t)pci_u32(at + 4) << 32;
	return value;
}

/**
 * is_lost() - Is it a value that nobody has given a BAR?
 * @value:	The address in it
 * @res:	Its resource
 *
 * Of ones that are written the function keeps those above its size. A function
 * that decodes ports may have the lower 16 bits of their addresses only.
 */
static bool is_lost(uint64_t value, const struct resource *res)
{
	uint64_t ones = ~(res->last - res->start);

	if (!(res->flags & RESOURCE_MEM_64))
		ones &= ~0U;
	if (value == res->start)
		return false;
	return value == 0 || value == ones ||
	       (res->flags & RESOURCE_IO && value == (ones & 0xffff));
}

/**
 * add_fix() - Note a register that is to be written
 * @fix:	Where it is noted
 * @at:		The register
 * @value:	What with
 */
static void add_fix(struct config_fix *fix, size_t at, uint64_t value)
{
	fix->at = at;
	for (int i = 0; i < 4; i++)
		fix->bytes[i] = (uint8_t)(value >> (8 * i));
}

/* pci_lost_bars() - What of its BARs does a function not have any more? */
int pci_lost_bars(const uint8_t config[PCI_HEADER_SIZE], const char *resource,
		  struct config_fix ret[PCI_FIXES])
{
	struct resource all[RESOURCE_ROM + 1];
	bool elsewhere = false;
	int n = 0;

	read_resources(resource, all);
	add_fix(&ret[n++], PCI_OFF_COMMAND, 0);
	for (int bar = 0; bar < PCI_BARS; bar++) {
		const struct resource *res = &all[bar];
		size_t at = PCI_OFF_BAR0 + 4 * (size_t)bar;
		bool wide = res->flags & RESOURCE_MEM_64 && bar + 1 < PCI_BARS;
		uint64_t value = bar_value(config, bar, res);

		if (!res->start)
			continue;
		if (is_lost(value, res)) {
			add_fix(&ret[n++], at, res->start);
			if (wide)
				add_fix(&ret[n++], at + 4, res->start >> 32);
			else if (res->start >> 32)
				elsewhere = true;
		} else if (value != res->start) {
			elsewhere = true;
		}
		bar += wide; /* the upper half is no BAR */
	}
	if (n == 1)
		return 0;
	add_fix(&ret[n++], PCI_OFF_ROM, all[RESOURCE_ROM].start);

	return elsewhere ? -ERANGE : n;
}

/* pci_payload() - How large packets does a function or a port send and take? */
unsigned int pci_payload(const uint8_t config[PCI_CONFIG_SIZE])
{
	size_t at = pci_capability(config, PCI_CAP_EXPRESS, PCI_EXPRESS_SIZE);

	return at ? pci_u16(config + at + PCI_EXPRESS_DEVCTL) >>
			    PCI_DEVCTL_PAYLOAD_SHIFT & 7U : 0;
}

/* pci_lost_express() - What else has a function lost that has lost its BARs? */
int pci_lost_express(const uint8_t config[PCI_CONFIG_SIZE],
		     unsigned int payload,
		     struct config_fix ret[PCI_EXPRESS_FIXES])
{
	size_t at = pci_capability(config, PCI_CAP_EXPRESS, PCI_EXPRESS_SIZE);
	unsigned int most;
	int n = 0;

	if (!at)
		return 0;
	most = config[at + PCI_EXPRESS_DEVCAP] & 7U;
	if (payload > most)
		payload = most;
	/* The upper half of each is status, which a 0 leaves as it is. */
	add_fix(&ret[n++], at + PCI_EXPRESS_DEVCTL,
		PCI_DEVCTL_RELAXED | payload << PCI_DEVCTL_PAYLOAD_SHIFT |
		PCI_DEVCTL_NO_SNOOP | PCI_DEVCTL_READ_512);
	add_fix(&ret[n++], at + PCI_EXPRESS_LINKCTL, 0);
	if ((config[at + PCI_EXPRESS_FLAGS] & 15U) < 2 ||
	    at + PCI_EXPRESS_SIZE2 > PCI_CONFIG_SIZE)
		return n;
	add_fix(&ret[n++], at + PCI_EXPRESS_DEVCTL2, 0);
	add_fix(&ret[n++], at + PCI_EXPRESS_LINKCTL2,
		config[at + PCI_EXPRESS_LINKCAP] & 15U);

	return n;
}
