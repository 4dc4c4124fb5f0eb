/* SPDX-License-Identifier: Apache-2.0
 *
 * test-registry.c - what is known of devices while operations and scans meet
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "front-host.h"
#include "model/registry-private.h"

#define VF "devices/pci-0000-03-00.0"
#define OPERATION "operations/1"

/* scan() - Take the machine over, with the first VF on its driver or on none */
static void scan(struct registry *reg, bool bound)
{
	struct kernel_inventory *inv = machine_new(1);
	struct kernel_device *vf = &inv->devices[3];

	assert_string_equal(vf->bdf, "0000:03:00.0");
	if (!bound) {
		vf->driver[0] = '\0';
		vf->vfio = false;
	}
	assert_true(registry_scan(reg, inv) >= 0);
	machine_free(inv);
}

/* middle() - A registry, locked, whose VF an operation has, and which has been
 *	      scanned while that had it off its driver
 */
static struct registry *middle(struct device **ret)
{
	struct registry *reg = machine_registry(1);
	_cleanup_strv_ struct strv devices = STRV_NULL;

	machine_prepare(reg, VF);
	assert_int_equal(strv_add(&devices, VF), 0);
	registry_lock(reg);
	*ret = registry_device(reg, VF);
	registry_settle(reg, *ret);
	assert_int_equal((*ret)->state, DEVICE_READY);
	assert_int_equal(registry_claim(reg, &devices, OPERATION, NULL, NULL),
			 0);
	scan(reg, false);
	assert_non_null((*ret)->caps);
	return reg;
}

static void capabilities_outlive_a_scan_that_has_failed(void **state)
{
	struct device *device;
	struct registry *reg = middle(&device);

	/* The operation has brought it back, and could not read the machine. */
	registry_unread(reg);
	registry_unclaim(reg, OPERATION);
	scan(reg, true);
	assert_int_equal(device->state, DEVICE_READY);
	registry_unlock(reg);
	registry_free(reg);
}

static void capabilities_end_with_the_driver_that_a_scan_has_missed(void **state)
{
	struct device *device;
	struct registry *reg = middle(&device);

	registry_unclaim(reg, OPERATION);
	assert_null(device->caps);
	assert_int_equal(device->state, DEVICE_HOST);
	registry_unlock(reg);
	registry_free(reg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities_outlive_a_scan_that_has_failed),
		cmocka_unit_test(
			capabilities_end_with_the_driver_that_a_scan_has_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
