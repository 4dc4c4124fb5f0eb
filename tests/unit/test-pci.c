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

static void bars_that_a_reset_has_cleared_are_found(void **state)
{
	uint8_t config[PCI_HEADER_SIZE] = { 0 };
	struct bar_fix fixes[PCI_BARS];

	config[PCI_OFF_BAR0] = 0x04;	 /* 64 bits, at 0 */
	config[PCI_OFF_BAR0 + 8] = 0x01; /* ports, at 0 */
	assert_int_equal(pci_lost_bars(config, MEM64_AT_4G, fixes), 3);
	assert_int_equal(fixes[0].at, PCI_OFF_BAR0);
	assert_memory_equal(fixes[0].bytes, "\x00\x40\x00\x00", 4);
	assert_int_equal(fixes[1].at, PCI_OFF_BAR0 + 4);
	assert_memory_equal(fixes[1].bytes, "\x01\x00\x00\x00", 4);
	assert_int_equal(fixes[2].at, PCI_OFF_BAR0 + 8);
	assert_memory_equal(fixes[2].bytes, "\x00\xc0\x00\x00", 4);
}

static void bars_that_are_there_are_left_alone(void **state)
{
	uint8_t config[PCI_HEADER_SIZE] = { 0 };
	struct bar_fix fixes[PCI_BARS];

	config[PCI_OFF_BAR0 + 4] = 0x01; /* the upper half of 4 GiB */
	assert_int_equal(pci_lost_bars(config, MEM64_AT_4G, fixes), 0);
	config[PCI_OFF_BAR0 + 3] = 0x80; /* counted from elsewhere */
	assert_int_equal(pci_lost_bars(config, MEM32_FAR, fixes), 0);
	assert_int_equal(pci_lost_bars(config, "", fixes), 0);
	assert_int_equal(pci_lost_bars(config, "what is this?\n", fixes), 0);
}

static void bars_whose_bus_address_is_unknown_cannot_be_written(void **state)
{
	const uint8_t config[PCI_HEADER_SIZE] = { 0 };
	struct bar_fix fixes[PCI_BARS];

	assert_int_equal(pci_lost_bars(config, MEM32, fixes), 1);
	assert_int_equal(pci_lost_bars(config, MEM32_FAR, fixes), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_read_as_the_kernel_writes_them),
		cmocka_unit_test(capabilities_are_found_through_the_list),
		cmocka_unit_test(broken_capability_lists_end),
		cmocka_unit_test(bars_that_a_reset_has_cleared_are_found),
		cmocka_unit_test(bars_that_are_there_are_left_alone),
		cmocka_unit_test(
			bars_whose_bus_address_is_unknown_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
