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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_read_as_the_kernel_writes_them),
		cmocka_unit_test(capabilities_are_found_through_the_list),
		cmocka_unit_test(broken_capability_lists_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
