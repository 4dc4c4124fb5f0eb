/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sim-driver.c - drivers of the simulated machine: bind, unbind, VFs,
 *		       cards that come and go, what is announced, and pokes
 *
 * What waits runs in a thread of its own; the test looks on meanwhile.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "kernel/sim/driver.h"
#include "kernel/sim/function.h"
#include "kernel/sim/sim.h"

#define SEEN_MAX 4096
#define EDU "0000:01:00.0"
#define NVME "0000:03:00.0"
#define PAIR0 "0000:05:00.0"
#define PAIR1 "0000:05:00.1"
#define PORT "0000:00:08.0"
#define LOOSE "0000:09:00.0"
#define PF "0000:0a:00.0"
#define VF0 "0000:0a:02.0"
#define VF1 "0000:0a:02.1"

static const char description[] =
	"{ \"schema\": \"ioasid.machine.v1\","
	"\"iommus\": [ { \"name\": \"dmar0\", \"family\": \"vt-d\" } ],"
	"\"groups\": [ { \"number\": 0 }, { \"number\": 1, \"reserved\": [ {"
	" \"start\": 4276092928, \"last\": 4277141503, \"type\": \"msi\" } ] },"
	" { \"number\": 2 }, { \"number\": 3 }, { \"number\": 4 } ],"
	"\"devices\": ["
	"{ \"bdf\": \"" PORT "\", \"vendor\": 1, \"device\": 1, \"group\": 0,"
	"  \"iommu\": \"dmar0\", \"class\": \"0x060400\","
	"  \"driver\": \"pcieport\" },"
	"{ \"bdf\": \"" EDU "\", \"vendor\": \"0x1234\", \"group\": 1,"
	"  \"iommu\": \"dmar0\", \"device\": \"0x11e8\", \"class\": 65280,"
	"  \"bars\": [1048576], \"reset_methods\": \"bus\" },"
	"{ \"bdf\": \"" NVME "\", \"vendor\": 1, \"device\": 2, \"group\": 2,"
	"  \"iommu\": \"dmar0\", \"class\": \"0x010802\","
	"  \"driver\": \"nvme\", \"bars\": [16384] },"
	"{ \"bdf\": \"" PAIR0 "\", \"vendor\": 1, \"device\": 2, \"group\": 3,"
	"  \"iommu\": \"dmar0\", \"class\": 65280 },"
	"{ \"bdf\": \"" PAIR1 "\", \"vendor\": 1, \"device\": 2, \"group\": 3,"
	"  \"iommu\": \"dmar0\", \"class\": 65280, \"driver\": \"e1000e\" },"
	"{ \"bdf\": \"" LOOSE "\", \"vendor\": 1, \"device\": 2,"
	"  \"class\": 65280 },"
	"{ \"bdf\": \"" PF "\", \"vendor\": 1, \"device\": 2, \"group\": 4,"
	"  \"iommu\": \"dmar0\", \"class\": \"0x020000\", \"driver\": \"igb\","
	"  \"sriov\": { \"total\": 4, \"first_offset\": 16, \"vf\": {"
	"  \"device\": 3, \"driver\": \"igbvf\" } } } ] }";

/**
 * struct machine - A machine, and what it has announced
 * @seen:	"bind pci 0000:01:00.0\n" and so on
 */
struct machine {
	struct sim *sim;
	char seen[SEEN_MAX];
};

static void on_event(void *data, const struct kernel_uevent *event)
{
	struct machine *m = data;
	size_t at = strlen(m->seen);

	assert_false(event->rescan);
	assert_true(str_format(m->seen + at, sizeof(m->seen) - at,
			       "%s %s %s\n", event->action, event->subsystem,
			       event->bdf));
}

/* The tests hold the machine's lock, as every caller does. */
static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct error err = ERROR_NULL;

	if (sim_describe(description, "test", &m->sim, &err))
		fail_msg("%s", err.msg);
	sim_lock(m->sim);
	m->sim->announce = on_event;
	m->sim->announce_data = m;
	*state = m;

	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	sim_unlock(m->sim);
	assert_null(m->sim->files);
	sim_free(m->sim);
	free(m);

	return 0;
}

/* saw() - What was announced since it was asked last, and nothing else. */
static void saw(struct machine *m, const char *expected)
{
	assert_string_equal(m->seen, expected);
	m->seen[0] = '\0';
}

/* facts() - What sysfs shows of a function. */
static const struct kernel_device *facts(struct machine *m, const char *bdf)
{
	struct sim_device *device = sim_device(m->sim, bdf);

	if (!device)
		fail_msg("there is no %s", bdf);

	return &device->facts;
}

static int probe(struct machine *m, const char *bdf)
{
	return sim_probe(m->sim, bdf, sim_call_new(m->sim));
}

static int unbind(struct machine *m, const char *bdf)
{
	return sim_unbind(m->sim, bdf, sim_call_new(m->sim));
}

static int override(struct machine *m, const char *bdf, const char *driver)
{
	return sim_set_override(m->sim, bdf, driver, sim_call_new(m->sim));
}

/* take() - From its driver to VFIO; nothing of that is left in m->seen. */
static void take(struct machine *m, const char *bdf)
{
	assert_int_equal(override(m, bdf, "vfio-pci"), 0);
	assert_int_equal(unbind(m, bdf), 0);
	assert_int_equal(probe(m, bdf), 0);
	assert_string_equal(facts(m, bdf)->driver, "vfio-pci");
	m->seen[0] = '\0';
}

/**
 * struct job - A call that waits, in a thread
 * @done:	It has come back; under the machine's lock
 */
struct job {
	struct machine *m;
	int (*fn)(struct machine *m, const char *bdf);
	const char *bdf;
	pthread_t thread;
	bool done;
	int result;
};

static void *job_main(void *data)
{
	struct job *job = data;

	sim_lock(job->m->sim);
	job->result = job->fn(job->m, job->bdf);
	job->done = true;
	sim_unlock(job->m->sim);

	return NULL;
}

static void start(struct job *job)
{
	assert_int_equal(pthread_create(&job->thread, NULL, job_main, job), 0);
}

/* look() - Let the machine go on until something is so; 10 s at most. */
#define look(m, what)                                                    \
	do {                                                             \
		uint64_t end = clock_mono_ns() + 10000000000;            \
                                                                         \
		while (!(what) && clock_mono_ns() < end)                 \
			sim_delay((m)->sim, 1);                          \
		assert_true(what);                                       \
	} while (0)

/* finish() - It comes back, with that. */
static void finish(struct job *job, int result)
{
	look(job->m, job->done);
	assert_int_equal(pthread_join(job->thread, NULL), 0);
	assert_int_equal(job->result, result);
}

/* --- probe --- */

static void an_override_decides_what_probe_binds(void **state)
{
	struct machine *m = *state;

	assert_string_equal(facts(m, NVME)->driver, "nvme");
	assert_int_equal(override(m, NVME, "vfio-pci"), 0);
	/* It has a driver: nothing happens. */
	assert_int_equal(probe(m, NVME), 0);
	assert_string_equal(facts(m, NVME)->driver, "nvme");
	saw(m, "");

	assert_int_equal(unbind(m, NVME), 0);
	assert_string_equal(facts(m, NVME)->driver, "");
	saw(m, "unbind pci " NVME "\n");
	assert_int_equal(probe(m, NVME), 0);
	assert_string_equal(facts(m, NVME)->driver, "vfio-pci");
	assert_true(facts(m, NVME)->vfio);
	assert_true(facts(m, NVME)->cdev != 0);
	assert_string_equal(facts(m, NVME)->cdev_name, "vfio0");
	saw(m, "add vfio-dev " NVME "\nbind pci " NVME "\n");

	assert_int_equal(unbind(m, NVME), 0);
	assert_false(facts(m, NVME)->vfio);
	assert_true(facts(m, NVME)->cdev == 0);
	assert_string_equal(facts(m, NVME)->cdev_name, "");
	saw(m, "remove vfio-dev " NVME "\nunbind pci " NVME "\n");
	assert_int_equal(override(m, NVME, ""), 0);
	assert_int_equal(probe(m, NVME), 0);
	assert_string_equal(facts(m, NVME)->driver, "nvme");
	saw(m, "bind pci " NVME "\n");
}

static void an_override_is_read_as_it_was_written(void **state)
{
	struct machine *m = *state;
	char text[DRIVER_SIZE], longest[DRIVER_SIZE + 1];

	assert_int_equal(sim_get_override(m->sim, EDU, 1, text), 0);
	assert_string_equal(text, "");
	assert_int_equal(override(m, EDU, "no-such-driver"), 0);
	assert_int_equal(sim_get_override(m->sim, EDU, 1, text), 0);
	assert_string_equal(text, "no-such-driver");
	memset(longest, 'x', sizeof(longest));
	longest[DRIVER_SIZE] = '\0';
	assert_int_equal(override(m, EDU, longest), -EINVAL);
	assert_int_equal(override(m, EDU, "a/b"), -EINVAL);
	assert_int_equal(override(m, EDU, "a\n"), -EINVAL);
	assert_int_equal(sim_get_override(m->sim, EDU, 1, text), 0);
	assert_string_equal(text, "no-such-driver");
}

static void a_driver_that_is_not_there_is_none(void **state)
{
	struct machine *m = *state;

	assert_int_equal(unbind(m, NVME), 0);
	assert_int_equal(override(m, NVME, "no-such-driver"), 0);
	assert_int_equal(probe(m, NVME), 0);
	assert_string_equal(facts(m, NVME)->driver, "");
	/* A generic one takes anything. */
	assert_int_equal(override(m, NVME, "uio_pci_generic"), 0);
	assert_int_equal(probe(m, NVME), 0);
	assert_string_equal(facts(m, NVME)->driver, "uio_pci_generic");
	assert_false(facts(m, NVME)->vfio);
}

static void what_a_vfio_driver_refuses_stays_without(void **state)
{
	struct machine *m = *state;
	const char *const refused[] = { PORT, LOOSE, EDU, PF };

	sim_device(m->sim, EDU)->probe_error = EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_int_equal(unbind(m, refused[i]), 0);
		if (str_eq(refused[i], PF)) /* as the firmware left it */
			sim_device(m->sim, PF)->facts.sriov_num = 1;
		assert_int_equal(override(m, refused[i], "vfio-pci"), 0);
		m->seen[0] = '\0';
		assert_int_equal(probe(m, refused[i]), 0);
		assert_string_equal(facts(m, refused[i])->driver, "");
		assert_false(facts(m, refused[i])->vfio);
		saw(m, "");
	}
	sim_device(m->sim, EDU)->probe_error = 0;
	assert_int_equal(probe(m, EDU), 0);
	assert_string_equal(facts(m, EDU)->driver, "vfio-pci");
}

static void no_iommu_mode_makes_a_group_for_a_loose_function(void **state)
{
	struct machine *m = *state;
	size_t groups = m->sim->n_groups;

	assert_int_equal(override(m, LOOSE, "vfio-pci"), 0);
	assert_int_equal(probe(m, LOOSE), 0);
	assert_string_equal(facts(m, LOOSE)->driver, "");
	assert_true(kernel_no_iommu(facts(m, LOOSE)));

	m->sim->no_iommu_mode = true;
	assert_int_equal(probe(m, LOOSE), 0);
	assert_string_equal(facts(m, LOOSE)->driver, "vfio-pci");
	assert_string_equal(facts(m, LOOSE)->cdev_name, "noiommu-vfio0");
	/* The lowest free one: the VFs to come have those before it. */
	assert_int_equal(facts(m, LOOSE)->group, 9);
	assert_int_equal(m->sim->n_groups, groups + 1);
	assert_string_equal(m->sim->groups[groups]->facts.type, "unknown");
	assert_true(kernel_no_iommu(facts(m, LOOSE)));
	assert_false(kernel_no_iommu(facts(m, EDU)));

	/* It goes with the driver, whatever the mode is by then. */
	m->sim->no_iommu_mode = false;
	assert_int_equal(unbind(m, LOOSE), 0);
	assert_int_equal(facts(m, LOOSE)->group, -1);
	assert_int_equal(m->sim->n_groups, groups);
}

static void a_group_with_an_owner_takes_no_host_driver(void **state)
{
	struct machine *m = *state;

	assert_int_equal(unbind(m, PAIR1), 0);
	take(m, PAIR0);
	sim_device(m->sim, PAIR0)->group->n_bound = 1;
	assert_int_equal(probe(m, PAIR1), -EINVAL);
	assert_string_equal(facts(m, PAIR1)->driver, "");
	saw(m, "");
	/* These use it for no DMA of the host's. */
	assert_int_equal(override(m, PAIR1, "pci-stub"), 0);
	assert_int_equal(probe(m, PAIR1), 0);
	assert_string_equal(facts(m, PAIR1)->driver, "pci-stub");
	assert_int_equal(unbind(m, PAIR1), 0);
	take(m, PAIR1);
	assert_int_equal(unbind(m, PAIR1), 0);
	assert_int_equal(override(m, PAIR1, ""), 0);
	sim_device(m->sim, PAIR0)->group->n_bound = 0;
	assert_int_equal(probe(m, PAIR1), 0);
	assert_string_equal(facts(m, PAIR1)->driver, "e1000e");
}

static void without_iommufd_there_is_no_cdev(void **state)
{
	struct machine *m = *state;
	struct sim_file *file;

	m->sim->info.iommufd = false;
	take(m, EDU);
	assert_true(facts(m, EDU)->vfio);
	assert_true(facts(m, EDU)->cdev == 0);
	assert_string_equal(facts(m, EDU)->cdev_name, "");
	assert_int_equal(sim_open_cdev(m->sim, EDU, &file), -ENOENT);
}

static void a_cdev_gets_the_lowest_free_number(void **state)
{
	struct machine *m = *state;
	dev_t cdev;

	take(m, EDU);
	take(m, NVME);
	assert_string_equal(facts(m, EDU)->cdev_name, "vfio0");
	assert_string_equal(facts(m, NVME)->cdev_name, "vfio1");
	cdev = facts(m, EDU)->cdev;
	take(m, EDU);
	assert_string_equal(facts(m, EDU)->cdev_name, "vfio0");
	assert_true(facts(m, EDU)->cdev == cdev);
}

static void calls_about_what_is_not_there_are_enodev(void **state)
{
	struct machine *m = *state;
	char text[DRIVER_SIZE];
	bool mended;

	assert_int_equal(probe(m, "0000:99:00.0"), -ENODEV);
	assert_int_equal(unbind(m, "0000:99:00.0"), -ENODEV);
	assert_int_equal(override(m, "0000:99:00.0", ""), -ENODEV);
	assert_int_equal(sim_get_override(m->sim, "0000:99:00.0", 1, text),
			 -ENODEV);
	assert_int_equal(sim_mend_config(m->sim, "0000:99:00.0", 1, &mended),
			 -ENODEV);
	assert_int_equal(sim_remove(m->sim, "0000:99:00.0"), -ENODEV);
	assert_int_equal(sim_add(m->sim, "0000:99:00.0"), -ENODEV);
	assert_int_equal(sim_set_numvfs(m->sim, "0000:99:00.0", 1), -ENODEV);
}

/* --- unbind --- */

static void unbind_waits_for_the_last_close(void **state)
{
	struct machine *m = *state;
	struct job job = { .m = m, .fn = unbind, .bdf = EDU };
	struct job again = { .m = m, .fn = probe, .bdf = EDU };
	struct sim_file *one, *other, *late;

	take(m, EDU);
	assert_int_equal(sim_open_cdev(m->sim, EDU, &one), 0);
	assert_int_equal(sim_open_cdev(m->sim, EDU, &other), 0);
	start(&job);
	look(m, !facts(m, EDU)->driver[0]);
	saw(m, "remove vfio-dev " EDU "\n");
	assert_true(facts(m, EDU)->cdev == 0);
	assert_int_equal(sim_open_cdev(m->sim, EDU, &late), -ENOENT);
	assert_true(sim_device(m->sim, EDU)->lock_owner != 0);
	/* What looks like no driver is done; what needs the lock waits. */
	assert_int_equal(unbind(m, EDU), 0);
	start(&again);
	one = sim_close(one);
	sim_delay(m->sim, 30);
	assert_false(job.done);
	assert_false(again.done);

	other = sim_close(other);
	finish(&job, 0);
	finish(&again, 0);
	assert_string_equal(facts(m, EDU)->driver, "vfio-pci");
	assert_true(sim_device(m->sim, EDU)->lock_owner == 0);
	saw(m, "unbind pci " EDU "\nadd vfio-dev " EDU "\nbind pci " EDU "\n");
}

static void a_driver_takes_its_time(void **state)
{
	struct machine *m = *state;
	struct job job = { .m = m, .fn = unbind, .bdf = NVME };
	struct sim_device *device = sim_device(m->sim, NVME);
	uint64_t begin = clock_mono_ns();

	/* On a busy host we may come too late to see it at work. */
	device->unbind_ms = 200;
	device->bind_ms = 200;
	start(&job);
	look(m, !device->facts.driver[0]);
	if (!job.done)
		saw(m, "");
	finish(&job, 0);
	assert_true(clock_mono_ns() - begin >= 200000000);
	saw(m, "unbind pci " NVME "\n");

	begin = clock_mono_ns();
	job = (struct job){ .m = m, .fn = probe, .bdf = NVME };
	start(&job);
	/* The link is there while the driver's probe still runs. */
	look(m, device->facts.driver[0]);
	if (!job.done)
		saw(m, "");
	finish(&job, 0);
	assert_true(clock_mono_ns() - begin >= 200000000);
	saw(m, "bind pci " NVME "\n");
}

/* Two threads that take one function to VFIO and back leave it whole. */
static int switch_it(struct machine *m, const char *bdf)
{
	for (int i = 0; i < 50; i++) {
		sim_device(m->sim, bdf)->bind_ms = i % 2;
		if (unbind(m, bdf) || probe(m, bdf))
			return -1;
	}

	return 0;
}

static void calls_on_one_function_take_turns(void **state)
{
	struct machine *m = *state;
	struct job jobs[3];

	m->sim->announce = NULL;
	assert_int_equal(override(m, EDU, "vfio-pci"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i] = (struct job){ .m = m, .fn = switch_it, .bdf = EDU };
		start(&jobs[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		finish(&jobs[i], 0);
	assert_int_equal(unbind(m, EDU), 0);
	/* No number was lost on the way. */
	take(m, EDU);
	assert_string_equal(facts(m, EDU)->cdev_name, "vfio0");
}

/* --- SR-IOV --- */

static void vfs_come_and_go_by_their_number(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;
	size_t groups, devices;

	assert_int_equal(sim_inventory(m->sim, &inv), 0);
	groups = inv->n_groups;
	devices = inv->n_devices;
	kernel_inventory_free(inv);
	assert_null(sim_device(m->sim, VF0));

	assert_int_equal(sim_set_numvfs(m->sim, PF, 2), 0);
	assert_int_equal(facts(m, PF)->sriov_num, 2);
	assert_string_equal(facts(m, VF1)->driver, "igbvf");
	assert_string_equal(facts(m, VF1)->physfn, PF);
	saw(m, "add pci " VF0 "\nchange pci " VF0 "\nbind pci " VF0 "\n"
	       "add pci " VF1 "\nchange pci " VF1 "\nbind pci " VF1 "\n"
	       "change pci " PF "\n");
	assert_int_equal(sim_inventory(m->sim, &inv), 0);
	assert_int_equal(inv->n_groups, groups + 2);
	assert_int_equal(inv->n_devices, devices + 2);
	kernel_inventory_free(inv);

	assert_int_equal(sim_set_numvfs(m->sim, PF, 2), 0);
	saw(m, "");
	assert_int_equal(sim_set_numvfs(m->sim, PF, 1), -EBUSY);
	assert_int_equal(sim_set_numvfs(m->sim, PF, 5), -ERANGE);
	assert_int_equal(sim_set_numvfs(m->sim, PF, 0), 0);
	assert_int_equal(facts(m, PF)->sriov_num, 0);
	assert_null(sim_device(m->sim, VF0));
	saw(m, "unbind pci " VF0 "\nremove pci " VF0 "\n"
	       "unbind pci " VF1 "\nremove pci " VF1 "\n");
	assert_int_equal(sim_inventory(m->sim, &inv), 0);
	assert_int_equal(inv->n_groups, groups);
	kernel_inventory_free(inv);
}

static void vfs_need_their_pf_with_its_driver(void **state)
{
	struct machine *m = *state;

	assert_int_equal(sim_set_numvfs(m->sim, EDU, 1), -ENOENT);
	assert_int_equal(sim_set_numvfs(m->sim, PF, 2), 0);
	m->seen[0] = '\0';
	assert_int_equal(unbind(m, PF), 0);
	assert_null(sim_device(m->sim, VF0));
	saw(m, "unbind pci " VF0 "\nremove pci " VF0 "\n"
	       "unbind pci " VF1 "\nremove pci " VF1 "\n"
	       "unbind pci " PF "\n");
	assert_int_equal(sim_set_numvfs(m->sim, PF, 1), -ENOENT);
	take(m, PF);
	assert_int_equal(sim_set_numvfs(m->sim, PF, 1), -ENOENT);
}

static int no_vfs(struct machine *m, const char *bdf)
{
	return sim_set_numvfs(m->sim, bdf, 0);
}

static void a_vf_that_is_open_keeps_its_pf_waiting(void **state)
{
	struct machine *m = *state;
	struct job job = { .m = m, .fn = no_vfs, .bdf = PF };
	struct sim_file *file;

	assert_int_equal(sim_set_numvfs(m->sim, PF, 1), 0);
	take(m, VF0);
	assert_int_equal(sim_open_cdev(m->sim, VF0, &file), 0);
	start(&job);
	look(m, !facts(m, VF0)->driver[0]);
	sim_delay(m->sim, 20);
	assert_false(job.done);
	assert_true(sim_device(m->sim, PF)->lock_owner != 0);
	file = sim_close(file);
	finish(&job, 0);
	assert_null(sim_device(m->sim, VF0));

	/* The next one of that address knows nothing of it. */
	assert_int_equal(sim_set_numvfs(m->sim, PF, 1), 0);
	assert_string_equal(facts(m, VF0)->driver, "igbvf");
	assert_string_equal(sim_device(m->sim, VF0)->override, "");
}

/* --- coming and going --- */

static int pull(struct machine *m, const char *bdf)
{
	return sim_remove(m->sim, bdf);
}

static void a_card_is_forgotten_after_the_last_close(void **state)
{
	struct machine *m = *state;
	struct job job = { .m = m, .fn = pull, .bdf = EDU };
	struct sim_file *file;
	uint8_t id[4];

	take(m, EDU);
	assert_int_equal(sim_open_cdev(m->sim, EDU, &file), 0);
	start(&job);
	look(m, !facts(m, EDU)->driver[0]);
	function_read(function_get(sim_device(m->sim, EDU)), 0, id, sizeof(id));
	assert_int_equal(pci_u32(id), ~0U);
	assert_false(job.done);
	file = sim_close(file);
	finish(&job, 0);
	saw(m, "remove vfio-dev " EDU "\nunbind pci " EDU "\nremove pci " EDU
	       "\n");
	assert_null(sim_device(m->sim, EDU));
}

static void a_card_that_was_put_in_again_is_a_new_one(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;

	assert_int_equal(sim_add(m->sim, NVME), -EEXIST);
	take(m, NVME);
	assert_int_equal(sim_remove(m->sim, NVME), 0);
	assert_int_equal(sim_remove(m->sim, NVME), -ENODEV);
	assert_int_equal(sim_inventory(m->sim, &inv), 0);
	for (size_t i = 0; i < inv->n_devices; i++)
		assert_string_not_equal(inv->devices[i].bdf, NVME);
	for (size_t i = 0; i < inv->n_groups; i++)
		assert_int_not_equal(inv->groups[i].number, 2);
	kernel_inventory_free(inv);

	m->seen[0] = '\0';
	assert_int_equal(sim_add(m->sim, NVME), 0);
	saw(m, "add pci " NVME "\nbind pci " NVME "\n");
	assert_string_equal(facts(m, NVME)->driver, "nvme");
	assert_string_equal(sim_device(m->sim, NVME)->override, "");
	assert_false(sim_device(m->sim, NVME)->bus_dead);
}

static void a_pf_that_is_pulled_takes_its_vfs_along(void **state)
{
	struct machine *m = *state;

	assert_int_equal(sim_set_numvfs(m->sim, PF, 2), 0);
	assert_int_equal(sim_add(m->sim, "0000:0a:02.2"), -ENODEV);
	assert_int_equal(sim_remove(m->sim, PF), 0);
	assert_null(sim_device(m->sim, VF0));
	assert_int_equal(sim_add(m->sim, VF0), -ENODEV);
	assert_int_equal(sim_add(m->sim, PF), 0);
	assert_int_equal(facts(m, PF)->sriov_num, 0);
}

static void a_wait_ends_when_the_function_has_gone(void **state)
{
	struct machine *m = *state;
	struct job first = { .m = m, .fn = pull, .bdf = EDU };
	struct job second = { .m = m, .fn = probe, .bdf = EDU };
	struct sim_file *file;

	take(m, EDU);
	assert_int_equal(sim_open_cdev(m->sim, EDU, &file), 0);
	start(&first);
	look(m, !facts(m, EDU)->driver[0]);
	start(&second);
	sim_delay(m->sim, 20);
	file = sim_close(file);
	finish(&first, 0);
	finish(&second, -ENODEV);
}

/* --- configuration --- */

static void lost_bars_are_written_again(void **state)
{
	struct machine *m = *state;
	struct sim_device *device = sim_device(m->sim, EDU);
	bool mended = true;

	assert_int_equal(sim_mend_config(m->sim, EDU, 1, &mended), 0);
	assert_false(mended);
	device->bus_dead = true;
	assert_int_equal(sim_mend_config(m->sim, EDU, 1, &mended), -EIO);
	function_reset(function_get(device));
	device->bus_dead = false;
	assert_true(function_bars_lost(device));
	assert_int_equal(sim_mend_config(m->sim, EDU, 1, &mended), 0);
	assert_true(mended);
	assert_false(function_bars_lost(device));
}

/* --- inventory --- */

static void an_inventory_is_a_copy(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;

	assert_int_equal(sim_inventory(m->sim, &inv), 0);
	assert_int_equal(inv->n_groups, 5);
	assert_int_equal(inv->groups[1].n_reserved, 1);
	assert_true(inv->groups[1].reserved !=
		    m->sim->groups[1]->facts.reserved);
	assert_true(inv->groups[1].reserved[0].last == 0xfeefffff);
	for (size_t i = 1; i < inv->n_devices; i++)
		assert_true(strcmp(inv->devices[i - 1].bdf,
				   inv->devices[i].bdf) < 0);
	sim_device(m->sim, EDU)->facts.revision = 7;
	assert_int_not_equal(inv->devices[1].revision, 7);
	kernel_inventory_free(inv);
}

static void what_is_added_finds_its_place(void **state)
{
	struct machine *m = *state;
	static const char *const bdfs[] = {
		"0000:20:00.0", "0000:00:00.0", "0000:04:00.0", "0000:04:00.1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bdfs); i++) {
		struct sim_device *d = calloc(1, sizeof(*d));

		strcpy(d->facts.bdf, bdfs[i]);
		d->present = true;
		assert_int_equal(sim_add_device_consume(m->sim, d), 0);
	}
	for (size_t i = 1; i < m->sim->n_devices; i++)
		assert_true(strcmp(m->sim->devices[i - 1]->facts.bdf,
				   m->sim->devices[i]->facts.bdf) < 0);
	for (size_t i = 0; i < ARRAY_SIZE(bdfs); i++) {
		struct sim_device *d = calloc(1, sizeof(*d));

		assert_non_null(sim_device(m->sim, bdfs[i]));
		strcpy(d->facts.bdf, bdfs[i]);
		assert_int_equal(sim_add_device_consume(m->sim, d), -EEXIST);
	}
}

static void a_wait_has_an_end(void **state)
{
	struct machine *m = *state;
	uint64_t begin = clock_mono_ns();

	assert_int_equal(sim_wait(m->sim, begin + 20000000), -ETIMEDOUT);
	assert_true(clock_mono_ns() - begin >= 20000000);
}

/* --- pokes and state --- */

/* poke() - A command that is done, and its answer; to be freed. */
static char *poke(struct machine *m, const char *command)
{
	struct error err = ERROR_NULL;
	char *text = NULL;

	if (sim_poke(m->sim, command, &text, &err))
		fail_msg("%s", err.msg);

	return text;
}

/* done() - A command that answers nothing. */
static void done(struct machine *m, const char *command)
{
	char *text = poke(m, command);

	assert_string_equal(text, "");
	free(text);
}

/* not_done() - One that is refused, and the words. */
static void not_done(struct machine *m, const char *command, int r,
		     const char *words)
{
	struct error err = ERROR_NULL;
	char *text = NULL;

	assert_int_equal(sim_poke(m->sim, command, &text, &err), r);
	assert_null(text);
	assert_string_equal(err.msg, words);
}

static void pokes_do_what_they_say(void **state)
{
	struct machine *m = *state;
	struct sim_device *edu = sim_device(m->sim, EDU);

	done(m, "dead " EDU " on");
	assert_true(edu->bus_dead);
	done(m, "  dead  " EDU "  off ");
	assert_false(edu->bus_dead);
	done(m, "reset-error " EDU " ENOTTY");
	assert_int_equal(edu->reset_error, ENOTTY);
	done(m, "reset-error " EDU " 0");
	assert_int_equal(edu->reset_error, 0);
	done(m, "probe-error " EDU " EINVAL");
	assert_int_equal(edu->probe_error, EINVAL);
	done(m, "delay " EDU " bind_ms 3");
	done(m, "delay " EDU " unbind_ms 4");
	done(m, "delay " EDU " reset_ms 5");
	assert_int_equal(edu->bind_ms * 100 + edu->unbind_ms * 10 +
			 edu->reset_ms, 345);
	done(m, "users " EDU " mount /srv nvme0n1p1 is mounted there");
	done(m, "users " EDU " swap /dev/nvme0n1p2");
	assert_int_equal(edu->n_users, 2);
	assert_string_equal(edu->users[0].kind, "mount");
	assert_string_equal(edu->users[0].name, "/srv");
	assert_string_equal(edu->users[0].detail, "nvme0n1p1 is mounted there");
	assert_string_equal(edu->users[1].detail, "");
	done(m, "users " EDU " none");
	assert_int_equal(edu->n_users, 0);
	done(m, "numvfs " PF " 2");
	assert_non_null(sim_device(m->sim, VF1));
	done(m, "remove " EDU);
	assert_null(sim_device(m->sim, EDU));
	done(m, "add " EDU);
	assert_non_null(sim_device(m->sim, EDU));
}

/* answers() - A command and what it answers. */
static void answers(struct machine *m, const char *command, const char *words)
{
	char *text = poke(m, command);

	assert_string_equal(text, words);
	free(text);
}

static void pokes_do_what_root_does(void **state)
{
	struct machine *m = *state;

	done(m, "unbind " NVME);
	done(m, "unbind " NVME);
	done(m, "override " NVME " vfio-pci");
	answers(m, "probe " NVME, "ok\n");
	assert_string_equal(facts(m, NVME)->driver, "vfio-pci");
	done(m, "unbind " NVME);
	done(m, "override " NVME " none");
	answers(m, "probe " NVME, "ok\n");
	assert_string_equal(facts(m, NVME)->driver, "nvme");
	done(m, "unbind " PAIR1);
	sim_device(m->sim, PAIR0)->group->n_bound = 1;
	answers(m, "probe " PAIR1, "EINVAL\n");
	sim_device(m->sim, PAIR0)->group->n_bound = 0;
	not_done(m, "probe 0000:77:00.0", -ENODEV,
		 "poke probe 0000:77:00.0: No such device");

	answers(m, "config " EDU " 0 4", "0x11e81234\n");
	answers(m, "config " EDU " 4 2 0x2", "0x2\n");
	not_done(m, "config " EDU " 1 2", -EINVAL,
		 "poke config: '2' is not 1, 2 or 4 that divides the address");
	answers(m, "bar " NVME " 0x14 7", "0x7\n");
	answers(m, "bar " NVME " 0x14", "0x7\n");
	not_done(m, "bar " NVME " 16384", -EINVAL,
		 "poke bar: '16384' is not a word of BAR 0");
	done(m, "unsafe-interrupts on");
	assert_true(m->sim->allow_unsafe);
}

static void pokes_that_make_no_sense_are_refused(void **state)
{
	struct machine *m = *state;
	char *help = poke(m, "help"), long_one[600];
	struct error err = ERROR_NULL;
	char *text = NULL;

	assert_non_null(strstr(help, "numvfs BDF N\n"));
	free(help);
	assert_int_equal(sim_poke(m->sim, "explode", &text, &err), -EINVAL);
	assert_non_null(str_starts(err.msg, "poke: 'explode' is none of: help"));
	assert_non_null(strstr(err.msg, "rules"));
	assert_int_equal(sim_poke(m->sim, "", &text, &err), -EINVAL);
	memset(long_one, 'x', sizeof(long_one));
	long_one[sizeof(long_one) - 1] = '\0';
	not_done(m, long_one, -EINVAL, "poke: longer than 511 bytes");
	not_done(m, "dead " EDU, -EINVAL, "poke: it is 'dead BDF on|off'");
	not_done(m, "dead " EDU " on now", -EINVAL,
		 "poke: it is 'dead BDF on|off'");
	not_done(m, "dead " EDU " perhaps", -EINVAL,
		 "poke dead: 'perhaps' is not on or off");
	not_done(m, "dead 0000:99:00.0 on", -ENODEV,
		 "poke dead 0000:99:00.0: No such device");
	not_done(m, "remove 0000:99:00.0", -ENODEV,
		 "poke remove 0000:99:00.0: No such device");
	not_done(m, "reset-error " EDU " EWHAT", -EINVAL,
		 "poke reset-error: 'EWHAT' is not an errno, or 0");
	not_done(m, "delay " EDU " wait_ms 3", -EINVAL,
		 "poke delay: 'wait_ms' is not bind_ms, unbind_ms or reset_ms");
	not_done(m, "delay " EDU " bind_ms soon", -EINVAL,
		 "poke delay: 'soon' is not a number of milliseconds");
	not_done(m, "numvfs " PF " some", -EINVAL,
		 "poke numvfs: 'some' is not a number of VFs");
	not_done(m, "numvfs " PF " 99", -ERANGE,
		 "poke numvfs 0000:0a:00.0: Numerical result out of range");
	not_done(m, "users " EDU " mount", -EINVAL,
		 "poke users: 'mount' is not 'none', or a kind with a name");
	for (int i = 0; i < SIM_USERS_MAX; i++)
		done(m, "users " EDU " process cat reads it");
	not_done(m, "users " EDU " process cat reads it", -ENOSPC,
		 "poke users: 0000:01:00.0 has 8 users already");
}

static void the_rules_are_listed(void **state)
{
	struct machine *m = *state;
	char *rules = poke(m, "rules");

	assert_non_null(strstr(rules, "\n113 unbind of a VFIO driver waits for "
				      "the last close of the cdev\n"));
	free(rules);
}

/* What is as before reads as before, and what is not does not. */
static void the_state_says_what_has_changed(void **state)
{
	struct machine *m = *state;
	char *before = poke(m, "state"), *after;
	struct sim_file *cdev, *iommufd;

	assert_non_null(strstr(before, "device " NVME " driver=nvme\n"));
	assert_non_null(strstr(before, "device " VF0 " absent\n"));
	take(m, EDU);
	assert_int_equal(sim_open_cdev(m->sim, EDU, &cdev), 0);
	assert_int_equal(sim_open_iommufd(m->sim, &iommufd), 0);
	done(m, "dead " NVME " on");
	after = poke(m, "state");
	assert_non_null(strstr(after, "device " EDU " driver=vfio-pci "
				      "override=vfio-pci cdev=vfio0 files=1\n"));
	assert_non_null(strstr(after, "device " NVME " driver=nvme dead\n"));
	assert_non_null(strstr(after, "context 0\n"));
	free(after);

	cdev = sim_close(cdev);
	iommufd = sim_close(iommufd);
	assert_int_equal(unbind(m, EDU), 0);
	assert_int_equal(override(m, EDU, ""), 0);
	done(m, "dead " NVME " off");
	after = poke(m, "state");
	assert_string_equal(after, before);
	free(before);
	free(after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_override_decides_what_probe_binds),
		TEST(an_override_is_read_as_it_was_written),
		TEST(a_driver_that_is_not_there_is_none),
		TEST(what_a_vfio_driver_refuses_stays_without),
		TEST(no_iommu_mode_makes_a_group_for_a_loose_function),
		TEST(a_group_with_an_owner_takes_no_host_driver),
		TEST(without_iommufd_there_is_no_cdev),
		TEST(a_cdev_gets_the_lowest_free_number),
		TEST(calls_about_what_is_not_there_are_enodev),
		TEST(unbind_waits_for_the_last_close),
		TEST(a_driver_takes_its_time),
		TEST(calls_on_one_function_take_turns),
		TEST(vfs_come_and_go_by_their_number),
		TEST(vfs_need_their_pf_with_its_driver),
		TEST(a_vf_that_is_open_keeps_its_pf_waiting),
		TEST(a_card_is_forgotten_after_the_last_close),
		TEST(a_card_that_was_put_in_again_is_a_new_one),
		TEST(a_pf_that_is_pulled_takes_its_vfs_along),
		TEST(a_wait_ends_when_the_function_has_gone),
		TEST(lost_bars_are_written_again),
		TEST(an_inventory_is_a_copy),
		TEST(what_is_added_finds_its_place),
		TEST(a_wait_has_an_end),
		TEST(pokes_do_what_they_say),
		TEST(pokes_do_what_root_does),
		TEST(pokes_that_make_no_sense_are_refused),
		TEST(the_rules_are_listed),
		TEST(the_state_says_what_has_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
