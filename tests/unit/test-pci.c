/* SPDX-License-Identifier: Apache-2.0
 *
 * test-pci.c - PCI addresses as people write them, and capability lists as
 *		broken devices show them
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "kernel/kernel.h"
#include "kernel/pci.h"

/* What people write, and what the kernel writes; NULL if it is no address. */
static const struct {
	const char *in, *out;
} addresses[] = {
	{ "0000:3b:00.0", "0000:3b:00.0" },
	{ "3b:00.0", "0000:3b:00.0" },
	{ "3B:0A.7", "0000:3b:0a.7" },
	{ "0:0:0.0", "0000:00:00.0" },
	{ "1:2.3", "0000:01:02.3" },
	{ "ffff:ff:1f.7", "ffff:ff:1f.7" },
	{ "10000:e1:00.0", "10000:e1:00.0" },
	{ "00010000:e1:00.0", "10000:e1:00.0" },
	{ "ffffffff:e1:00.0", "ffffffff:e1:00.0" },
	{ "fffffffff:e1:00.0", NULL },
	{ "", NULL },
	{ ":", NULL },
	{ "::", NULL },
	{ "00:00", NULL },
	{ "0000:00:00", NULL },
	{ "0000:00:00.", NULL },
	{ "0000:00:00.8", NULL },
	{ "0000:00:20.0", NULL },
	{ "0000:100:00.0", NULL },
	{ "0000:00:00.0 ", NULL },
	{ " 0000:00:00.0", NULL },
	{ "0000:00:00.00", NULL },
	{ "0000:00:00.0/..", NULL },
	{ "../0000:00:00.0", NULL },
	{ "-1:00:00.0", NULL },
	{ "0x00:00:00.0", NULL },
	{ ":00:00.0", NULL },
	{ "0000:0000:00:00.0", NULL },
};

static void addresses_read_as_the_kernel_writes_them(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		char bdf[BDF_SIZE] = "untouched";
		int r = bdf_parse(addresses[i].in, bdf);

		if (addresses[i].out) {
			assert_int_equal(r, 0);
			assert_string_equal(bdf, addresses[i].out);
		} else {
			if (r != -EINVAL)
				fail_msg("'%s' gave %d, '%s'", addresses[i].in,
					 r, bdf);
			assert_string_equal(bdf, "untouched");
		}
	}
}

static void capabilities_are_found_through_the_list(void **state)
{
	uint8_t config[PCI_CONFIG_SIZE] = { 0 };

	config[PCI_OFF_STATUS] = PCI_STATUS_CAPABILITIES_BIT;
	config[PCI_OFF_CAPABILITIES] = 0x43; /* low bits are reserved */
	config[0x40] = PCI_CAP_POWER;
	config[0x41] = 0x80;
	config[0x80] = PCI_CAP_MSIX_ID;
	config[0x81] = 0;

	assert_int_equal(pci_capability(config, PCI_CAP_POWER, 8), 0x40);
	assert_int_equal(pci_capability(config, PCI_CAP_MSIX_ID, 8), 0x80);
	assert_int_equal(pci_capability(config, 0x10, 8), 0);

	config[PCI_OFF_STATUS] = 0; /* says that it has no list */
	assert_int_equal(pci_capability(config, PCI_CAP_POWER, 8), 0);
}

static void broken_capability_lists_end(void **state)
{
	uint8_t config[PCI_CONFIG_SIZE];

	memset(config, 0xff, sizeof(config)); /* the device has gone */
	assert_int_equal(pci_capability(config, PCI_CAP_POWER, 8), 0);
	assert_int_equal(pci_capability(config, 0xff, 8), 0);
	assert_int_equal(pci_capability(config, 0xff, 4), 0xfc);

	memset(config, 0, sizeof(config));
	config[PCI_OFF_STATUS] = PCI_STATUS_CAPABILITIES_BIT;
	config[PCI_OFF_CAPABILITIES] = 0x40;
	config[0x40] = 0x05;
	config[0x41] = 0x40; /* itself */
	assert_int_equal(pci_capability(config, PCI_CAP_POWER, 8), 0);

	config[0x41] = 0x10; /* into the header */
	assert_int_equal(pci_capability(config, PCI_CAP_POWER, 8), 0);
}

/* An NVMe controller and an edu, as sysfs shows them. */
#define MEM64_AT_4G \
	"0x0000000100004000 0x0000000100007fff 0x0000000000140204\n" \
	"0x0000000000000000 0x0000000000000000 0x0000000000000000\n" \
	"0x000000000000c000 0x000000000000c01f 0x0000000000040101\n"
#define MEM32 "0x00000000fe800000 0x00000000fe8fffff 0x0000000000040200\n"
#define MEM32_FAR "0x000003fe80000000 0x000003fe800fffff 0x0000000000040200\n"

/* ... and with a ROM, behind two BARs of 32 bits. */
#define MEM32_AND_ROM \
	MEM32 \
	"0x00000000fe900000 0x00000000fe900fff 0x0000000000040200\n" \
	"0x0000000000000000 0x0000000000000000 0x0000000000000000\n" \
	"0x0000000000000000 0x0000000000000000 0x0000000000000000\n" \
	"0x0000000000000000 0x0000000000000000 0x0000000000000000\n" \
	"0x0000000000000000 0x0000000000000000 0x0000000000000000\n" \
	"0x00000000fea00000 0x00000000fea0ffff 0x0000000000046200\n"

/**
 * assert_fix() - What is to be written where?
 * @fix:	What pci_lost_bars() says
 */
static void assert_fix(const struct config_fix *fix, size_t at, uint32_t value)
{
	assert_int_equal(fix->at, at);
	assert_int_equal(pci_u32(fix->bytes), value);
}

/**
 * set_u32() - What the function answers
 */
static void set_u32(uint8_t *config, size_t at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		config[at + (size_t)i] = (uint8_t)(value >> (8 * i));
}

static void bars_that_a_reset_has_cleared_are_found(void **state)
{
	uint8_t config[PCI_HEADER_SIZE] = { 0 };
	struct config_fix fixes[PCI_FIXES];

	config[PCI_OFF_BAR0] = 0x04;	 /* 64 bits, at 0 */
	config[PCI_OFF_BAR0 + 8] = 0x01; /* ports, at 0 */
	assert_int_equal(pci_lost_bars(config, MEM64_AT_4G, fixes), 5);
	assert_fix(&fixes[0], PCI_OFF_COMMAND, 0);
	assert_fix(&fixes[1], PCI_OFF_BAR0, 0x4000);
	assert_fix(&fixes[2], PCI_OFF_BAR0 + 4, 1);
	assert_fix(&fixes[3], PCI_OFF_BAR0 + 8, 0xc000);
	assert_fix(&fixes[4], PCI_OFF_ROM, 0);
}

static void bars_to_which_ones_were_restored_are_found(void **state)
{
	uint8_t config[PCI_HEADER_SIZE] = { 0 };
	struct config_fix fixes[PCI_FIXES];

	set_u32(config, PCI_OFF_BAR0, 0xffffc004);
	set_u32(config, PCI_OFF_BAR0 + 4, 0xffffffff);
	set_u32(config, PCI_OFF_BAR0 + 8, 0x0000ffe1);
	assert_int_equal(pci_lost_bars(config, MEM64_AT_4G, fixes), 5);
	set_u32(config, PCI_OFF_BAR0 + 8, 0xffffffe1);
	assert_int_equal(pci_lost_bars(config, MEM64_AT_4G, fixes), 5);

	set_u32(config, PCI_OFF_BAR0, 0xfff00000);
	assert_int_equal(pci_lost_bars(config, MEM32, fixes), 3);
	assert_fix(&fixes[1], PCI_OFF_BAR0, 0xfe800000);
}

static void one_lost_bar_is_enough_and_the_rom_is_switched_off(void **state)
{
	uint8_t config[PCI_HEADER_SIZE] = { 0 };
	struct config_fix fixes[PCI_FIXES];

	set_u32(config, PCI_OFF_BAR0, 0xfe800000);
	assert_int_equal(pci_lost_bars(config, MEM32_AND_ROM, fixes), 3);
	assert_fix(&fixes[1], PCI_OFF_BAR0 + 4, 0xfe900000);
	assert_fix(&fixes[2], PCI_OFF_ROM, 0xfea00000);
	set_u32(config, PCI_OFF_BAR0 + 4, 0xfe900000);
	assert_int_equal(pci_lost_bars(config, MEM32_AND_ROM, fixes), 0);
}

static void bars_that_are_there_are_left_alone(void **state)
{
	uint8_t config[PCI_HEADER_SIZE] = { 0 };
	struct config_fix fixes[PCI_FIXES];

	set_u32(config, PCI_OFF_BAR0, 0x00004004);
	set_u32(config, PCI_OFF_BAR0 + 4, 1);
	set_u32(config, PCI_OFF_BAR0 + 8, 0x0000c001);
	assert_int_equal(pci_lost_bars(config, MEM64_AT_4G, fixes), 0);
	set_u32(config, PCI_OFF_BAR0, 0x80000000); /* counted from elsewhere */
	assert_int_equal(pci_lost_bars(config, MEM32_FAR, fixes), 0);
	assert_int_equal(pci_lost_bars(config, MEM32, fixes), 0);
	assert_int_equal(pci_lost_bars(config, "", fixes), 0);
	assert_int_equal(pci_lost_bars(config, "what is this?\n", fixes), 0);
}

static void bars_whose_bus_address_is_unknown_cannot_be_written(void **state)
{
	uint8_t config[PCI_HEADER_SIZE] = { 0 };
	struct config_fix fixes[PCI_FIXES];

	assert_int_equal(pci_lost_bars(config, MEM32, fixes), 3);
	assert_int_equal(pci_lost_bars(config, MEM32_FAR, fixes), -ERANGE);
	/* The other one tells that this bus counts from elsewhere. */
	set_u32(config, PCI_OFF_BAR0, 0x80000000);
	assert_int_equal(pci_lost_bars(config, MEM32_AND_ROM, fixes), -ERANGE);
}

static void express_registers_are_as_after_a_reset_and_suit_the_port(
	void **state)
{
	uint8_t config[PCI_CONFIG_SIZE] = { 0 };
	struct config_fix fixes[PCI_EXPRESS_FIXES];

	assert_int_equal(pci_lost_express(config, 1, fixes), 0);
	assert_int_equal(pci_payload(config), 0);

	config[PCI_OFF_STATUS] = PCI_STATUS_CAPABILITIES_BIT;
	config[PCI_OFF_CAPABILITIES] = 0x80;
	set_u32(config, 0x80, 0x00020010); /* version 2 */
	set_u32(config, 0x80 + PCI_EXPRESS_DEVCAP, 2); /* up to 512 bytes */
	set_u32(config, 0x80 + PCI_EXPRESS_LINKCAP, 3);
	config[0x80 + PCI_EXPRESS_DEVCTL] = 0x20;
	assert_int_equal(pci_payload(config), 1);
	assert_int_equal(pci_lost_express(config, 1, fixes), 4);
	assert_fix(&fixes[0], 0x88, 0x2830);
	assert_fix(&fixes[1], 0x90, 0);
	assert_fix(&fixes[2], 0xa8, 0);
	assert_fix(&fixes[3], 0xb0, 3);
	/* The port may not be what it should be either. */
	assert_int_equal(pci_lost_express(config, 7, fixes), 4);
	assert_fix(&fixes[0], 0x88, 0x2850);

	config[0x82] = 1;
	assert_int_equal(pci_lost_express(config, 0, fixes), 2);
	/* All that there is room for. */
	config[0x82] = 2;
	memmove(config + 0xe0, config + 0x80, 0x20);
	config[PCI_OFF_CAPABILITIES] = 0xe0;
	assert_int_equal(pci_lost_express(config, 0, fixes), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_read_as_the_kernel_writes_them),
		cmocka_unit_test(capabilities_are_found_through_the_list),
		cmocka_unit_test(broken_capability_lists_end),
		cmocka_unit_test(bars_that_a_reset_has_cleared_are_found),
		cmocka_unit_test(bars_to_which_ones_were_restored_are_found),
		cmocka_unit_test(
			one_lost_bar_is_enough_and_the_rom_is_switched_off),
		cmocka_unit_test(bars_that_are_there_are_left_alone),
		cmocka_unit_test(
			bars_whose_bus_address_is_unknown_cannot_be_written),
		cmocka_unit_test(
			express_registers_are_as_after_a_reset_and_suit_the_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
