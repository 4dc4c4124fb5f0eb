/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sim-function.c - functions of the simulated machine: their registers,
 *			 what vfio-pci shows of them, what a reset leaves
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "kernel/pci.h"
#include "kernel/sim/function.h"
#include "kernel/sim/rule.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

/* A GPU: a 32-bit BAR, a 64-bit one, and a small one with its vectors. */
static const struct sim_device gpu = {
	.facts = {
		.bdf = "0000:41:00.0",
		.vendor = 0x10de,
		.device = 0x2330,
		.subsystem_vendor = 0x10de,
		.subsystem_device = 0x16c1,
		.class = 0x030200,
		.revision = 0xa1,
		.reset_methods = "flr bus",
	},
	.bar_size = { 16 * MIB, 128 * GIB, 0, 0, 4096 },
	.present = true,
};

static const struct sim_device edu = {
	.facts = {
		.bdf = "0000:01:00.0",
		.vendor = 0x1234,
		.device = 0x11e8,
		.class = 0x00ff00,
		.revision = 0x10,
		.reset_methods = "bus",
	},
	.bar_size = { MIB },
	.present = true,
};

static const struct sim_device vf = {
	.facts = {
		.bdf = "0000:3b:02.0",
		.vendor = 0x8086,
		.device = 0x1889,
		.class = 0x020000,
		.physfn = "0000:3b:00.0",
		.reset_methods = "flr",
	},
	.bar_size = { 64 * 1024, 0, 0, 16 * 1024 },
	.present = true,
};

/* make() - A device of a kind, with its function; ended by end() */
static struct sim_device *make(const struct sim_device *kind)
{
	struct sim_device *device = malloc(sizeof(*device));

	*device = *kind;
	assert_int_equal(function_new(device), 0);
	return device;
}

static void end(struct sim_device *device)
{
	function_free(device->function);
	free(device);
}

/* raw32() - Configuration space as the bus shows it */
static uint32_t raw32(const struct sim_device *device, size_t at)
{
	uint8_t bytes[4];

	function_read(device->function, at, bytes, 4);
	return pci_u32(bytes);
}

/* shown() - As vfio-pci shows it */
static uint32_t shown(const struct sim_device *device, size_t at, size_t size)
{
	uint8_t bytes[4] = { 0 };

	assert_false(function_view_access(device->function, at, bytes, size,
					  false));
	return pci_u32(bytes);
}

/* change() - Write through vfio-pci; true if that asks for a reset */
static bool change(const struct sim_device *device, size_t at, size_t size,
		   uint32_t value)
{
	uint8_t bytes[4] = { value & 0xff, value >> 8 & 0xff,
			     value >> 16 & 0xff, value >> 24 };

	return function_view_access(device->function, at, bytes, size, true);
}

/* bar32() - Read a word of a BAR */
static uint32_t bar32(const struct sim_device *device, unsigned int bar,
		      uint64_t at)
{
	uint8_t bytes[4];

	function_bar(device->function, bar, at, bytes, 4, false);
	return pci_u32(bytes);
}

static void set_bar32(const struct sim_device *device, unsigned int bar,
		      uint64_t at, uint32_t value)
{
	uint8_t bytes[4] = { value & 0xff, value >> 8 & 0xff,
			     value >> 16 & 0xff, value >> 24 };

	function_bar(device->function, bar, at, bytes, 4, true);
}

/* on() - Memory space on, as BIND leaves it, and a view opened */
static void on(const struct sim_device *device)
{
	function_set_command(device->function, 0, PCI_COMMAND_MEMORY_BIT);
	assert_int_equal(function_view_open(device->function), 0);
}

/* --- registers --- */

static void the_header_is_what_sysfs_says(void **state)
{
	struct sim_device *device = make(&gpu);

	assert_int_equal(raw32(device, 0), 0x233010de);
	assert_int_equal(raw32(device, 8), 0x030200a1);
	assert_int_equal(raw32(device, 0x2c), 0x16c110de);
	assert_int_equal(raw32(device, 4), 0x00100000);
	assert_int_equal(device->function->config_size, 4096);
	end(device);

	device = make(&edu);
	assert_int_equal(raw32(device, 0), 0x11e81234);
	assert_int_equal(device->function->config_size, 256);
	end(device);
}

static void ids_and_status_take_no_writes(void **state)
{
	struct sim_device *device = make(&gpu);
	uint8_t ones[PCI_CONFIG_SIZE];
	uint32_t before[4] = { raw32(device, 0), raw32(device, 8),
			       raw32(device, 0x2c), raw32(device, 0x34) };

	memset(ones, 0xff, sizeof(ones));
	function_write(device->function, 0, ones, sizeof(ones));
	assert_int_equal(raw32(device, 0), before[0]);
	assert_int_equal(raw32(device, 8), before[1]);
	assert_int_equal(raw32(device, 0x2c), before[2]);
	assert_int_equal(raw32(device, 0x34), before[3]);
	assert_int_equal(function_command(device->function), 0x0407);
	assert_int_equal(raw32(device, 4) >> 16, 0x0010);
	end(device);
}

static void capabilities_are_found_by_the_daemon(void **state)
{
	struct sim_device *device = make(&gpu);
	uint8_t config[PCI_CONFIG_SIZE];
	size_t at;

	function_read(device->function, 0, config, sizeof(config));
	assert_int_not_equal(pci_capability(config, PCI_CAP_POWER, 8), 0);
	at = pci_capability(config, PCI_CAP_EXPRESS, FUNCTION_EXPRESS_SIZE);
	assert_int_not_equal(at, 0);
	assert_true(pci_u32(config + at + PCI_EXPRESS_DEVCAP) &
		    PCI_EXPRESS_CAN_FLR);
	at = pci_capability(config, PCI_CAP_MSIX_ID, 12);
	assert_int_not_equal(at, 0);
	/* In the upper half of the first BAR: registers begin it. */
	assert_int_equal(pci_u32(config + at + PCI_MSIX_TABLE), 8 * MIB);
	end(device);
}

static void without_flr_the_capability_says_so(void **state)
{
	struct sim_device kind = gpu, *device;

	(void)str_copy(kind.facts.reset_methods, 64, "bus");
	device = make(&kind);
	assert_int_equal(raw32(device, device->function->express +
				       PCI_EXPRESS_DEVCAP), 0);
	end(device);
}

static void an_edu_has_msi_and_nothing_else(void **state)
{
	struct sim_device *device = make(&edu);
	uint8_t config[PCI_CONFIG_SIZE];

	function_read(device->function, 0, config, sizeof(config));
	assert_int_not_equal(pci_capability(config, PCI_CAP_MSI_ID, 14), 0);
	assert_int_equal(pci_capability(config, PCI_CAP_POWER, 8), 0);
	assert_int_equal(pci_capability(config, PCI_CAP_MSIX_ID, 12), 0);
	assert_int_equal(pci_capability(config, PCI_CAP_EXPRESS, 4), 0);
	end(device);
}

static void a_small_bar_has_no_vectors(void **state)
{
	static const uint64_t sizes[] = { 0, 16, 4096, 4097, 8192, 16384 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct sim_device kind = gpu, *device;

		memset(kind.bar_size, 0, sizeof(kind.bar_size));
		kind.bar_size[0] = sizes[i];
		device = make(&kind);
		/* 4097 is a BAR of 8192. */
		assert_int_equal(device->function->msix != 0, sizes[i] > 4096);
		end(device);
	}
}

static void a_dead_bus_answers_ones_and_swallows_writes(void **state)
{
	struct sim_device *device = make(&gpu);

	device->bus_dead = true;
	assert_false(function_answers(device->function));
	assert_int_equal(raw32(device, 0), UINT32_MAX);
	assert_int_equal(raw32(device, 4092), UINT32_MAX);
	function_set_command(device->function, 0, PCI_COMMAND_MEMORY_BIT);
	device->bus_dead = false;
	assert_int_equal(function_command(device->function), 0);

	device->present = false;
	assert_int_equal(raw32(device, 0), UINT32_MAX);
	end(device);
}

/* --- BARs --- */

static void bars_have_addresses_and_kinds(void **state)
{
	struct sim_device *device = make(&gpu);
	const struct sim_function *f = device->function;

	assert_int_equal(raw32(device, 0x10) & 15, 0);
	assert_int_equal(raw32(device, 0x10), f->bar_address[0]);
	/* 128 GiB: a BAR of 64 bits, in two registers. */
	assert_int_equal(raw32(device, 0x14), 0x0c);
	assert_int_equal(raw32(device, 0x18), f->bar_address[1] >> 32);
	assert_int_equal(f->bar_address[1] % (128 * GIB), 0);
	assert_int_equal(f->bar_size[2], 0);
	assert_int_equal(raw32(device, 0x24), 0);
	end(device);
}

static void a_bar_answers_only_with_memory_space_on(void **state)
{
	struct sim_device *device = make(&gpu);

	set_bar32(device, 0, 0, 1);
	assert_int_equal(bar32(device, 0, 0), UINT32_MAX);
	function_set_command(device->function, 0, PCI_COMMAND_MEMORY_BIT);
	assert_int_equal(bar32(device, 0, 0), 0);
	end(device);
}

static void a_bar_keeps_what_is_written_until_a_reset(void **state)
{
	struct sim_device *device = make(&gpu);

	function_set_command(device->function, 0, PCI_COMMAND_MEMORY_BIT);
	set_bar32(device, 0, 0x14, 0x00460000);
	set_bar32(device, 4, 0x14, 7);
	assert_int_equal(bar32(device, 0, 0x14), 0x00460000);
	assert_int_equal(bar32(device, 4, 0x14), 7);
	function_reset(device->function);
	assert_int_equal(bar32(device, 0, 0x14), 0);
	assert_int_equal(bar32(device, 4, 0x14), 0);
	/* The kernel has put the configuration back. */
	assert_int_equal(function_command(device->function),
			 PCI_COMMAND_MEMORY_BIT);
	assert_int_equal(device->function->n_resets, 1);
	end(device);
}

static void behind_its_backing_a_bar_is_ones(void **state)
{
	struct sim_device *device = make(&gpu);

	function_set_command(device->function, 0, PCI_COMMAND_MEMORY_BIT);
	set_bar32(device, 0, FUNCTION_BACKING - 4, 1);
	set_bar32(device, 0, FUNCTION_BACKING, 1);
	assert_int_equal(bar32(device, 0, FUNCTION_BACKING - 4), 1);
	assert_int_equal(bar32(device, 0, FUNCTION_BACKING), UINT32_MAX);
	assert_int_equal(bar32(device, 0, 16 * MIB - 4), UINT32_MAX);
	assert_int_equal(bar32(device, 1, 128 * GIB - 4), UINT32_MAX);
	end(device);
}

static void a_reset_while_the_bus_is_dead_loses_the_bars(void **state)
{
	struct sim_device *device = make(&gpu);
	uint32_t before = raw32(device, 0x18);

	function_set_command(device->function, 0, PCI_COMMAND_MEMORY_BIT);
	device->bus_dead = true;
	function_reset(device->function);
	/* What cannot be asked has not lost any. */
	assert_false(function_bars_lost(device));
	assert_int_equal(function_write_bars(device), -EIO);
	device->bus_dead = false;

	assert_true(function_bars_lost(device));
	assert_int_equal(raw32(device, 0x10), 0);
	assert_int_equal(raw32(device, 0x18), 0);
	function_set_command(device->function, 0, PCI_COMMAND_MEMORY_BIT);
	assert_int_equal(bar32(device, 0, 0), UINT32_MAX);

	assert_int_equal(function_write_bars(device), 0);
	assert_false(function_bars_lost(device));
	assert_int_equal(raw32(device, 0x18), before);
	assert_int_equal(bar32(device, 0, 0), 0);
	end(device);
}

/* --- VFs --- */

static void a_vf_answers_ones_and_shows_its_ids(void **state)
{
	struct sim_device *device = make(&vf);

	assert_int_equal(raw32(device, 0), UINT32_MAX);
	assert_int_equal(raw32(device, 0x10), 0);
	assert_true(function_answers(device->function));
	assert_int_equal(function_view_open(device->function), 0);
	assert_int_equal(shown(device, 0, 4), 0x18898086);
	assert_int_equal(shown(device, 0, 2), 0x8086);
	assert_int_equal(shown(device, 2, 2), 0x1889);
	assert_int_equal(shown(device, PCI_OFF_PIN, 1), 0);
	end(device);
}

static void memory_space_of_a_vf_is_its_pfs(void **state)
{
	struct sim_device *device = make(&vf);

	assert_int_equal(function_view_open(device->function), 0);
	assert_int_equal(function_command(device->function), 0);
	assert_int_equal(shown(device, PCI_OFF_COMMAND, 2),
			 PCI_COMMAND_MEMORY_BIT);
	change(device, PCI_OFF_COMMAND, 2, 0);
	assert_int_equal(shown(device, PCI_OFF_COMMAND, 2), 0);
	assert_true(function_memory_on(device->function));
	set_bar32(device, 0, 0, 5);
	assert_int_equal(bar32(device, 0, 0), 5);
	assert_false(function_bars_lost(device));
	end(device);
}

/* --- what vfio-pci shows --- */

static void bars_show_their_sizes(void **state)
{
	struct sim_device *device = make(&gpu);

	on(device);
	assert_int_equal(shown(device, 0x10, 4),
			 device->function->bar_address[0]);
	for (size_t at = 0x10; at < 0x28; at += 4)
		change(device, at, 4, UINT32_MAX);
	change(device, 0x30, 4, UINT32_MAX);
	assert_int_equal(shown(device, 0x10, 4), 0xff000000);
	assert_int_equal(shown(device, 0x14, 4), 0x0000000c);
	assert_int_equal(shown(device, 0x18, 4), 0xffffffe0);
	assert_int_equal(shown(device, 0x1c, 4), 0);
	assert_int_equal(shown(device, 0x20, 4), 0xfffff000);
	assert_int_equal(shown(device, 0x24, 4), 0);
	/* The function has not moved. */
	assert_int_equal(raw32(device, 0x10),
			 device->function->bar_address[0]);
	assert_int_equal(bar32(device, 0, 0), 0);
	end(device);
}

static void memory_space_is_switched(void **state)
{
	struct sim_device *device = make(&gpu);

	on(device);
	assert_true(function_memory_on(device->function));
	change(device, PCI_OFF_COMMAND, 2, PCI_COMMAND_MASTER_BIT);
	assert_false(function_memory_on(device->function));
	assert_int_equal(function_command(device->function),
			 PCI_COMMAND_MASTER_BIT);
	/* Four bytes are as good, and so is one. */
	change(device, PCI_OFF_COMMAND, 4, PCI_COMMAND_MEMORY_BIT);
	assert_true(function_memory_on(device->function));
	change(device, PCI_OFF_COMMAND, 1, 0);
	assert_false(function_memory_on(device->function));
	/* The second byte alone changes no spaces. */
	change(device, PCI_OFF_COMMAND, 1, PCI_COMMAND_MEMORY_BIT);
	change(device, PCI_OFF_COMMAND + 1, 1, 0);
	assert_true(function_memory_on(device->function));
	end(device);
}

static void interrupts_off_is_only_shown(void **state)
{
	struct sim_device *device = make(&gpu);

	on(device);
	change(device, PCI_OFF_COMMAND, 2, PCI_COMMAND_INTX_OFF_BIT | 2);
	assert_int_equal(shown(device, PCI_OFF_COMMAND, 2), 0x0402);
	assert_int_equal(function_command(device->function), 2);
	end(device);
}

static void in_d3_no_bar_can_be_reached(void **state)
{
	struct sim_device *device = make(&gpu);
	size_t pmcsr = device->function->power + PCI_POWER_PMCSR;

	on(device);
	set_bar32(device, 0, 0, 9);
	for (uint32_t state_bits = 1; state_bits < 3; state_bits++) {
		change(device, pmcsr, 2, state_bits); /* not supported */
		assert_int_equal(shown(device, pmcsr, 1) & 3, 0);
	}
	change(device, pmcsr, 2, 3);
	assert_int_equal(shown(device, pmcsr, 1) & 3, 3);
	assert_true(function_asleep(device->function));
	assert_false(function_memory_on(device->function));
	change(device, pmcsr, 2, 0);
	assert_true(function_memory_on(device->function));
	assert_int_equal(bar32(device, 0, 0), 9); /* no soft reset */
	change(device, pmcsr, 2, 3);
	function_reset(device->function);
	assert_false(function_asleep(device->function));
	end(device);
}

static void flr_is_asked_for_by_its_bit(void **state)
{
	struct sim_device *device = make(&gpu), kind = gpu;
	size_t at = device->function->express + PCI_EXPRESS_DEVCTL;

	on(device);
	assert_false(change(device, at, 2, 0x2810));
	assert_true(change(device, at, 2, 0x2810 | PCI_EXPRESS_FLR_BIT));
	assert_int_equal(shown(device, at, 2) & PCI_EXPRESS_FLR_BIT, 0);
	assert_true(change(device, at + 1, 1, PCI_EXPRESS_FLR_BIT >> 8));
	device->bus_dead = true;
	assert_false(change(device, at, 2, PCI_EXPRESS_FLR_BIT));
	end(device);

	(void)str_copy(kind.facts.reset_methods, 64, "pm");
	device = make(&kind);
	on(device);
	assert_false(change(device, at, 2, PCI_EXPRESS_FLR_BIT));
	assert_int_equal(shown(device, at, 2) & PCI_EXPRESS_FLR_BIT, 0);
	end(device);
}

static void vectors_are_not_switched_by_writes(void **state)
{
	struct sim_device *device = make(&gpu);
	size_t at = device->function->msix;
	uint32_t before;

	on(device);
	before = shown(device, at, 4);
	change(device, at + 2, 2, 0xc000);
	change(device, at + 4, 4, UINT32_MAX);
	assert_int_equal(shown(device, at, 4), before);
	assert_int_equal(shown(device, at + 4, 4), 8 * MIB);
	end(device);
}

static void there_are_no_extended_capabilities(void **state)
{
	struct sim_device *device = make(&gpu);

	on(device);
	change(device, 0x100, 4, UINT32_MAX);
	assert_int_equal(shown(device, 0x100, 4), 0);
	assert_int_equal(shown(device, 0xffc, 4), 0);
	device->bus_dead = true;
	assert_int_equal(shown(device, 0x100, 4), UINT32_MAX);
	end(device);
}

static void lost_bars_come_back_with_the_command(void **state)
{
	struct sim_device *device = make(&gpu);

	on(device);
	memcpy(device->function->config, device->function->initial,
	       PCI_CONFIG_SIZE);
	assert_true(function_bars_lost(device));
	change(device, PCI_OFF_COMMAND, 2, PCI_COMMAND_MEMORY_BIT);
	assert_false(function_bars_lost(device));
	end(device);
}

static void what_bind_finds_lost_stays_lost(void **state)
{
	struct sim_device *device = make(&gpu);

	memcpy(device->function->config, device->function->initial,
	       PCI_CONFIG_SIZE);
	on(device);
	change(device, PCI_OFF_COMMAND, 2, PCI_COMMAND_MEMORY_BIT);
	assert_true(function_bars_lost(device));
	assert_int_equal(bar32(device, 0, 0), UINT32_MAX);
	end(device);
}

/* --- edu --- */

static void edu_has_its_registers(void **state)
{
	struct sim_device *device = make(&edu);

	on(device);
	assert_int_equal(bar32(device, 0, 0), 0x010000ed);
	set_bar32(device, 0, 0x04, 0x12345678);
	assert_int_equal(bar32(device, 0, 0x04), ~0x12345678U);
	set_bar32(device, 0, 0x60, 0x5);
	set_bar32(device, 0, 0x64, 0x4);
	assert_int_equal(bar32(device, 0, 0x24), 0x1);
	set_bar32(device, 0, 0x20, 0xff);
	assert_int_equal(bar32(device, 0, 0x20), 0x80);
	assert_int_equal(bar32(device, 0, 0x40), UINT32_MAX);
	/* QEMU's has no reset of its own. */
	function_reset(device->function);
	assert_int_equal(bar32(device, 0, 0x04), ~0x12345678U);
	assert_int_equal(bar32(device, 0, 0x24), 0x1);
	end(device);
}

static void edu_counts_factorials_in_32_bits(void **state)
{
	static const struct {
		uint32_t of, is;
	} factorials[] = {
		{ 0, 1 },
		{ 1, 1 },
		{ 5, 120 },
		{ 12, 479001600 },
		{ 13, 1932053504 },
		{ 33, 0x80000000 },
		{ 34, 0 },
		{ UINT32_MAX, 0 },
	};
	struct sim_device *device = make(&edu);

	on(device);
	for (size_t i = 0; i < ARRAY_SIZE(factorials); i++) {
		set_bar32(device, 0, 0x08, factorials[i].of);
		assert_int_equal(bar32(device, 0, 0x08), factorials[i].is);
	}
	assert_int_equal(bar32(device, 0, 0x24), 0);
	set_bar32(device, 0, 0x20, 0x80);
	set_bar32(device, 0, 0x08, 3);
	assert_int_equal(bar32(device, 0, 0x24), 1);
	end(device);
}

static void edu_is_reached_by_4_bytes_or_8(void **state)
{
	struct sim_device *device = make(&edu);
	uint64_t value = UINT64_MAX;

	on(device);
	function_bar(device->function, 0, 0x80, &value, 8, true);
	value = 0;
	function_bar(device->function, 0, 0x80, &value, 8, false);
	assert_int_equal(value, UINT64_MAX);
	set_bar32(device, 0, 0x80, 16);
	function_bar(device->function, 0, 0x80, &value, 8, false);
	assert_int_equal(value, 16);
	value = 0;
	function_bar(device->function, 0, 0x00, &value, 8, false);
	assert_int_equal(value, UINT64_MAX);
	value = 0xffff;
	function_bar(device->function, 0, 0x00, &value, 2, false);
	assert_int_equal(value, 0);
	end(device);
}

static void an_edu_that_is_not_bound_reaches_nothing(void **state)
{
	struct sim_device *device = make(&edu);

	on(device);
	function_set_command(device->function, 0, PCI_COMMAND_MASTER_BIT);
	set_bar32(device, 0, 0x88, 0x40000);
	set_bar32(device, 0, 0x90, 64);
	set_bar32(device, 0, 0x98, 1);
	assert_int_equal(bar32(device, 0, 0x98), 0);
	/* Without the start bit nothing is taken. */
	set_bar32(device, 0, 0x98, 2);
	assert_int_equal(bar32(device, 0, 0x98), 0);
	end(device);
}

static void the_rules_have_words(void **state)
{
	unsigned int n = 0;

	for (unsigned int i = sim_rule_next(69); i && i < 100;
	     i = sim_rule_next(i), n++)
		assert_non_null(sim_rule_words(i));
	assert_int_equal(n, 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_is_what_sysfs_says),
		cmocka_unit_test(ids_and_status_take_no_writes),
		cmocka_unit_test(capabilities_are_found_by_the_daemon),
		cmocka_unit_test(without_flr_the_capability_says_so),
		cmocka_unit_test(an_edu_has_msi_and_nothing_else),
		cmocka_unit_test(a_small_bar_has_no_vectors),
		cmocka_unit_test(a_dead_bus_answers_ones_and_swallows_writes),
		cmocka_unit_test(bars_have_addresses_and_kinds),
		cmocka_unit_test(a_bar_answers_only_with_memory_space_on),
		cmocka_unit_test(a_bar_keeps_what_is_written_until_a_reset),
		cmocka_unit_test(behind_its_backing_a_bar_is_ones),
		cmocka_unit_test(a_reset_while_the_bus_is_dead_loses_the_bars),
		cmocka_unit_test(a_vf_answers_ones_and_shows_its_ids),
		cmocka_unit_test(memory_space_of_a_vf_is_its_pfs),
		cmocka_unit_test(bars_show_their_sizes),
		cmocka_unit_test(memory_space_is_switched),
		cmocka_unit_test(interrupts_off_is_only_shown),
		cmocka_unit_test(in_d3_no_bar_can_be_reached),
		cmocka_unit_test(flr_is_asked_for_by_its_bit),
		cmocka_unit_test(vectors_are_not_switched_by_writes),
		cmocka_unit_test(there_are_no_extended_capabilities),
		cmocka_unit_test(lost_bars_come_back_with_the_command),
		cmocka_unit_test(what_bind_finds_lost_stays_lost),
		cmocka_unit_test(edu_has_its_registers),
		cmocka_unit_test(edu_counts_factorials_in_32_bits),
		cmocka_unit_test(edu_is_reached_by_4_bytes_or_8),
		cmocka_unit_test(an_edu_that_is_not_bound_reaches_nothing),
		cmocka_unit_test(the_rules_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
