/* SPDX-License-Identifier: Apache-2.0
 *
 * function.c - a PCI function: configuration space, BARs, resets
 */
#include "kernel/sim/function.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kernel/sim/rule.h"

/* Where addresses of BARs begin, below and above 4 GiB. */
#define BAR_LOW 0x80000000ULL
#define BAR_HIGH 0x2000000000ULL

/* A BAR from this size on is one of 64 bits, if the next register is free. */
#define BAR_64_FROM (256ULL << 20)

/* MSI-X is put into BARs from this size on: vectors in its upper half. */
#define MSIX_BAR_FROM 8192u
#define MSIX_VECTORS 16u

/* --- registers --- */

/**
 * put() - Set a register of a new function
 * @size:	Of it, bytes
 * @value:	After a reset
 * @writable:	Bits that take what is written
 */
static void put(struct sim_function *f, size_t at, size_t size, uint32_t value,
		uint32_t writable)
{
	for (size_t i = 0; i < size; i++) {
		f->initial[at + i] = (uint8_t)(value >> (8 * i));
		f->writable[at + i] = (uint8_t)(writable >> (8 * i));
	}
}

/**
 * add_capability() - Put one at the end of the list
 * @link:	Where its offset is to be written; moved on to its own link
 * @at:		Where it goes
 */
static void add_capability(struct sim_function *f, size_t *link, size_t at,
			   uint8_t id)
{
	put(f, *link, 1, (uint32_t)at, 0);
	put(f, at, 1, id, 0);
	*link = at + 1;
}

/**
 * make_capabilities() - Those of a function of its kind
 *
 * edu has MSI only. All others have MSI-X if there is a BAR for it, and are
 * PCI Express; VFs have no power management.
 */
static void make_capabilities(struct sim_function *f)
{
	const struct kernel_device *facts = &f->device->facts;
	size_t link = PCI_OFF_CAPABILITIES;

	put(f, PCI_OFF_STATUS, 2, PCI_STATUS_CAPABILITIES_BIT, 0);
	if (edu_is(f->device)) {
		f->msi = 0x40;
		add_capability(f, &link, f->msi, PCI_CAP_MSI_ID);
		put(f, f->msi + 2, 2, 0x0080, 0x0071); /* one, of 64 bits */
		put(f, f->msi + 4, 4, 0, 0xfffffffc);
		put(f, f->msi + 8, 4, 0, 0xffffffff);
		put(f, f->msi + 12, 2, 0, 0xffff);
		return;
	}
	if (!facts->physfn[0]) {
		f->power = 0x40;
		add_capability(f, &link, f->power, PCI_CAP_POWER);
		put(f, f->power + 2, 2, 0x0003, 0);
		put(f, f->power + PCI_POWER_PMCSR, 2, 0x0008, 0x0003);
	}
	for (unsigned int bar = 0; bar < SIM_BARS && !f->msix; bar++) {
		uint64_t half = f->bar_size[bar] / 2;

		if (half < MSIX_BAR_FROM / 2 || half > 1U << 30)
			continue;
		f->msix = 0x50;
		f->n_msix = MSIX_VECTORS;
		add_capability(f, &link, f->msix, PCI_CAP_MSIX_ID);
		put(f, f->msix + 2, 2, MSIX_VECTORS - 1, 0xc000);
		put(f, f->msix + PCI_MSIX_TABLE, 4, (uint32_t)half | bar, 0);
		put(f, f->msix + 8, 4, (uint32_t)(half + 2048) | bar, 0);
	}
	f->express = 0x70;
	f->config_size = FUNCTION_CONFIG_MAX;
	add_capability(f, &link, f->express, PCI_CAP_EXPRESS);
	put(f, f->express + 2, 2, 0x0002, 0);
	put(f, f->express + PCI_EXPRESS_DEVCAP, 4,
	    strstr(facts->reset_methods, "flr") ? PCI_EXPRESS_CAN_FLR : 0, 0);
	put(f, f->express + PCI_EXPRESS_DEVCTL, 2, 0x2810, 0x7fff);
}

/**
 * make_header() - What every function has
 *
 * VFs answer ones for their ids: it is the PF that has them.
 */
static void make_header(struct sim_function *f)
{
	const struct kernel_device *facts = &f->device->facts;
	bool vf = facts->physfn[0];

	put(f, PCI_OFF_VENDOR, 2, vf ? 0xffff : facts->vendor, 0);
	put(f, PCI_OFF_DEVICE, 2, vf ? 0xffff : facts->device, 0);
	put(f, PCI_OFF_COMMAND, 2, 0,
	    PCI_COMMAND_MASTER_BIT |
		    (vf ? 0 : PCI_COMMAND_IO_BIT | PCI_COMMAND_MEMORY_BIT |
				      PCI_COMMAND_INTX_OFF_BIT));
	put(f, PCI_OFF_REVISION, 4, facts->class << 8 | facts->revision, 0);
	put(f, PCI_OFF_HEADER, 1, facts->bridge && facts->class >> 8 == 0x0604,
	    0);
	put(f, PCI_OFF_SUBSYSTEM, 4,
	    facts->subsystem_vendor | (uint32_t)facts->subsystem_device << 16,
	    0);
	put(f, PCI_OFF_LINE, 1, 0, 0xff);
	put(f, PCI_OFF_PIN, 1, !vf, 0);
}

/**
 * power_of_two() - The next one that is not less
 * @size:	Not more than 2^63; 0 stays
 */
static uint64_t power_of_two(uint64_t size)
{
	uint64_t p = 16; /* no memory BAR is smaller */

	while (size && p < size && p < 1ULL << 63)
		p <<= 1;

	return size ? p : 0;
}

/**
 * make_bars() - Give each BAR an address, as the firmware does
 *
 * The registers of a VF's are in its PF: its own are 0.
 */
static void make_bars(struct sim_function *f)
{
	uint64_t low = BAR_LOW, high = BAR_HIGH;
	bool vf = f->device->facts.physfn[0];

	for (unsigned int i = 0; i < SIM_BARS; i++) {
		uint64_t size = power_of_two(f->device->bar_size[i]);
		bool wide = size >= BAR_64_FROM && i + 1 < SIM_BARS &&
			    !f->device->bar_size[i + 1];
		uint64_t *next = wide ? &high : &low;
		uint32_t kind = wide ? PCI_BAR_TYPE_64 | PCI_BAR_PREFETCH : 0;
		size_t at = PCI_OFF_BAR0 + 4 * (size_t)i;

		if (!size)
			continue;
		*next = (*next + size - 1) & ~(size - 1);
		f->bar_size[i] = size;
		f->bar_address[i] = *next;
		*next += size;
		if (vf)
			continue;
		put(f, at, 4, kind, (uint32_t)~(size - 1) & ~15U);
		if (wide)
			put(f, at + 4, 4, 0, (uint32_t)(~(size - 1) >> 32));
	}
}

/* function_new() - What answers for a device */
int function_new(struct sim_device *device)
{
	struct sim_function *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->device = device;
	f->config_size = PCI_CONFIG_SIZE;
	if (edu_is(device)) {
		f->edu = edu_new();
		if (!f->edu) {
			free(f);
			return -ENOMEM;
		}
	}
	make_header(f);
	make_bars(f);
	make_capabilities(f);
	memcpy(f->config, f->initial, sizeof(f->config));
	device->function = f;
	(void)function_write_bars(device); /* as the firmware has */

	return 0;
}

/* function_free() - NULL is allowed */
struct sim_function *function_free(struct sim_function *f)
{
	if (!f)
		return NULL;

	for (unsigned int i = 0; i < SIM_BARS; i++)
		free(f->bar[i]);
	free(f->edu);
	free(f->view);
	free(f);

	return NULL;
}

/* function_get() - A device's function */
struct sim_function *function_get(struct sim_device *device)
{
	if (!device->function)
		(void)function_new(device); /* NULL says it */

	return device->function;
}

/* function_answers() - Does anything answer on the bus? */
bool function_answers(const struct sim_function *f)
{
	return !sim_rule(SIM_RULE_DEAD_IS_ONES) ||
	       (f->device->present && !f->device->bus_dead);
}

/* function_read() - A read of configuration space */
void function_read(const struct sim_function *f, size_t at, void *buf,
		   size_t size)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < size; i++, at++)
		p[i] = !function_answers(f)	? 0xff
		       : at < PCI_CONFIG_SIZE	? f->config[at]
						: 0;
}

/* function_write() - A write to it */
void function_write(struct sim_function *f, size_t at, const void *buf,
		    size_t size)
{
	const uint8_t *p = buf;

	if (!function_answers(f))
		return;

	for (size_t i = 0; i < size && at < PCI_CONFIG_SIZE; i++, at++) {
		uint8_t mask = f->writable[at];

		if (!sim_rule(SIM_RULE_READ_ONLY_STAYS))
			mask = 0xff;
		f->config[at] = (uint8_t)((f->config[at] & ~mask) |
					  (p[i] & mask));
	}
}

/* function_command() - Read PCI_COMMAND */
uint16_t function_command(const struct sim_function *f)
{
	uint8_t bytes[2];

	function_read(f, PCI_OFF_COMMAND, bytes, 2);

	return pci_u16(bytes);
}

/* function_set_command() - Write PCI_COMMAND */
void function_set_command(struct sim_function *f, uint16_t clear, uint16_t set)
{
	uint16_t on = (uint16_t)((function_command(f) & ~clear) | set);
	uint8_t bytes[2] = { on & 0xff, on >> 8 };

	function_write(f, PCI_OFF_COMMAND, bytes, 2);
}

/* function_asleep() - Is it in D3? */
bool function_asleep(const struct sim_function *f)
{
	return f->power && (f->config[f->power + PCI_POWER_PMCSR] & 3) == 3;
}

/* --- BARs --- */

/**
 * bar_register() - The address that a BAR's registers hold
 */
static uint64_t bar_register(const struct sim_function *f, unsigned int bar)
{
	const uint8_t *p = f->config + PCI_OFF_BAR0 + 4 * (size_t)bar;
	uint64_t value = pci_u32(p) & ~15U;

	if ((pci_u32(p) & PCI_BAR_TYPE_MASK) == PCI_BAR_TYPE_64)
		value |= (uint64_t)pci_u32(p + 4) << 32;

	return value;
}

/**
 * bar_decodes() - Does an access to a BAR's address meet the function?
 *
 * Memory space and address of a VF are switched in its PF, and are on.
 */
static bool bar_decodes(const struct sim_function *f, unsigned int bar)
{
	if (!function_answers(f) || function_asleep(f))
		return false;
	if (f->device->facts.physfn[0])
		return true;

	return f->config[PCI_OFF_COMMAND] & PCI_COMMAND_MEMORY_BIT &&
	       bar_register(f, bar) == f->bar_address[bar];
}

/* function_bar() - One access to a BAR */
void function_bar(struct sim_function *f, unsigned int bar, uint64_t at,
		  void *buf, size_t size, bool write)
{
	if (!bar_decodes(f, bar)) {
		if (!write)
			memset(buf, 0xff, size);
		return;
	}
	if (f->edu && bar == 0) {
		edu_access(f, at, buf, size, write);
		return;
	}
	if (at >= FUNCTION_BACKING) {
		if (!write)
			memset(buf, 0xff, size);
		return;
	}
	if (write && !f->bar[bar])
		f->bar[bar] = calloc(1, FUNCTION_BACKING);
	if (write && f->bar[bar]) /* without memory the write is lost */
		memcpy(f->bar[bar] + at, buf, size);
	if (!write && f->bar[bar])
		memcpy(buf, f->bar[bar] + at, size);
	if (!write && !f->bar[bar])
		memset(buf, 0, size);
}

/* --- resets --- */

/* function_reset() - The kernel resets a function */
void function_reset(struct sim_function *f)
{
	bool reachable = f->device->present && !f->device->bus_dead;
	uint8_t saved[PCI_CONFIG_SIZE];

	memcpy(saved, f->config, sizeof(saved));
	f->n_resets++;
	memcpy(f->config, f->initial, sizeof(f->config));
	if (reachable) {
		memcpy(f->config, saved, sizeof(f->config));
		if (f->power) /* the kernel wakes it, to save */
			f->config[f->power + PCI_POWER_PMCSR] &= 0xfc;
	}
	if (!sim_rule(SIM_RULE_RESET_CLEARS))
		return;
	for (unsigned int i = 0; i < SIM_BARS; i++) {
		free(f->bar[i]);
		f->bar[i] = NULL;
	}
}

/* function_bars_lost() - Does it answer, without its BARs? */
bool function_bars_lost(struct sim_device *device)
{
	const struct sim_function *f = function_get(device);

	if (!f || !function_answers(f) || device->facts.physfn[0])
		return false;
	for (unsigned int i = 0; i < SIM_BARS; i++)
		if (f->bar_size[i] && bar_register(f, i) != f->bar_address[i])
			return true;

	return false;
}

/* function_write_bars() - Write what the firmware gave */
int function_write_bars(struct sim_device *device)
{
	struct sim_function *f = function_get(device);

	if (!f)
		return -ENOMEM;
	if (!function_answers(f))
		return -EIO;
	for (unsigned int i = 0; i < SIM_BARS; i++) {
		uint64_t to = f->bar_address[i];
		uint8_t bytes[8];
		bool wide = (f->initial[PCI_OFF_BAR0 + 4 * (size_t)i] &
			     PCI_BAR_TYPE_MASK) == PCI_BAR_TYPE_64;

		if (!f->bar_size[i])
			continue;
		for (size_t b = 0; b < 8; b++)
			bytes[b] = (uint8_t)(to >> (8 * b));
		function_write(f, PCI_OFF_BAR0 + 4 * (size_t)i, bytes,
			       wide ? 8 : 4);
	}

	return function_bars_lost(device) ? -EIO : 0;
}
