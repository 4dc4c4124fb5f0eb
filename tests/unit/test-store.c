/* SPDX-License-Identifier: Apache-2.0
 *
 * test-store.c - what was acknowledged is there, whatever happens after
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/store.h"

#define OPS_MAX 100000

static char dir[64];
static int before;
static struct store *store;

/* Everything that store_load() gave. */
static struct {
	uint64_t revision;
	struct device devices[4];
	struct capabilities caps[4];
	size_t n_devices;
	struct lease *leases[4];
	size_t n_leases;
	struct operation *ops[OPS_MAX];
	size_t n_ops;
} loaded;

static int take_revision(void *data, uint64_t revision)
{
	loaded.revision = revision;
	return 0;
}

static int take_device(void *data, const char *name, uint64_t revision,
		       const struct device_record *record,
		       const struct capabilities *caps)
{
	struct device *device = &loaded.devices[loaded.n_devices];

	*device = (struct device){ .revision = revision, .record = *record };
	str_copy(device->name, sizeof(device->name), name);
	if (caps) {
		loaded.caps[loaded.n_devices] = *caps;
		device->caps = &loaded.caps[loaded.n_devices];
	}
	loaded.n_devices++;
	return 0;
}

static int take_lease(void *data, struct lease *lease)
{
	loaded.leases[loaded.n_leases++] = lease;
	return 0;
}

static int take_operation(void *data, struct operation *op)
{
	if (loaded.n_ops == OPS_MAX) {
		operation_free(op);
		return -EFBIG;
	}
	loaded.ops[loaded.n_ops++] = op;
	return 0;
}

static const struct store_loader loader = {
	.revision = take_revision,
	.device = take_device,
	.lease = take_lease,
	.operation = take_operation,
};

/* Forget what was loaded. */
static void unload(void)
{
	while (loaded.n_leases)
		lease_free(loaded.leases[--loaded.n_leases]);
	while (loaded.n_ops)
		operation_free(loaded.ops[--loaded.n_ops]);
	loaded.n_devices = 0;
	loaded.revision = 0;
}

static void reopen(void)
{
	struct error err = ERROR_NULL;

	store = store_close(store);
	if (store_open(dir, NULL, NULL, &store, &err))
		fail_msg("%s", err.msg);
}

/* What a restart finds. */
static void reload(void)
{
	struct error err = ERROR_NULL;

	reopen();
	unload();
	if (store_load(store, &loader, NULL, &err))
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	before = fd_count();
	str_copy(dir, sizeof(dir), "/tmp/test-store.XXXXXX");
	return !mkdtemp(dir) || store_open(dir, NULL, NULL, &store, NULL);
}

static int teardown(void **state)
{
	static const char *const files[] = { "state.db", "state.db-wal",
					     "state.db-shm",
					     "state.db-journal" };

	store = store_close(store);
	unload();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	return rmdir(dir) || fd_count() != before;
}

/* Run SQL upon the closed database, as a stranger with an editor would. */
static void edit(const char *sql)
{
	struct error err = ERROR_NULL;
	char path[128];
	sqlite3 *handle;

	store = store_close(store);
	snprintf(path, sizeof(path), "%s/state.db", dir);
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	if (db_exec(handle, sql, &err))
		fail_msg("%s: %s", sql, err.msg);
	sqlite3_close(handle);
}

/* --- what is written comes back --- */

static struct device_record some_record(void)
{
	struct device_record record = {
		.vendor = 0x8086,
		.device = 0xffff,
		.class = 0x020000,
		.prepared = true,
		.vfio_driver = "vfio-pci",
		.former_driver = "igb",
		.no_iommu = true,
		.trouble = TROUBLE_STUCK,
		.reason = "a helper hangs: \xc3\xa4",
		.remedy = "wait",
		.stuck = { 4711, 123456789, "boot", "unbind" },
		.last_lease = "leases/01arz3ndektsv4rrffq69g5fav",
		.last_uid = UINT32_MAX,
	};

	return record;
}

static struct capabilities some_caps(void)
{
	struct capabilities caps = {
		.driver = "vfio-pci",
		.backend = KERNEL_BACKEND_TYPE1,
		.boot_id = "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f",
		.probed_us = 1,
		.ranges = { { 0, 0xfedfffff }, { 0xfef00000, UINT64_MAX } },
		.n_ranges = 2,
		.alignment = 4096,
		.hw = { .type = 1, .data = { 1, 0, 255 }, .data_len = 3,
			.capabilities = UINT64_MAX, .max_pasid_log2 = 20 },
		.nest_parent = true,
		.bind_us = 77,
		.dma_entries = 65535,
		.reset_set = { "0000:3b:00.0", "0000:3b:00.1" },
		.n_reset_set = 2,
	};

	return caps;
}

static struct device_record record;
static struct capabilities caps;

static int put_device(struct store_tx *tx, void *data, struct error *err)
{
	return store_put_device(tx, "devices/pci-0000-3b-00.0", 7, &record,
				data, err);
}

static void devices_come_back_as_they_were(void **state)
{
	struct device *device = &loaded.devices[0];

	record = some_record();
	caps = some_caps();
	assert_int_equal(store_write(store, put_device, &caps, NULL), 0);
	reload();
	assert_int_equal(loaded.n_devices, 1);
	assert_string_equal(device->name, "devices/pci-0000-3b-00.0");
	assert_int_equal(device->revision, 7);
	assert_memory_equal(&device->record, &record, sizeof(record));
	assert_non_null(device->caps);
	assert_memory_equal(device->caps, &caps, sizeof(caps));

	/* Written again: what is no more is gone. */
	caps.n_ranges = 1;
	caps.ranges[1] = (struct kernel_range){ 0 };
	caps.n_reset_set = 0;
	memset(caps.reset_set, 0, sizeof(caps.reset_set));
	caps.hw.data_len = 0;
	memset(caps.hw.data, 0, sizeof(caps.hw.data));
	assert_int_equal(store_write(store, put_device, &caps, NULL), 0);
	reload();
	assert_memory_equal(device->caps, &caps, sizeof(caps));
	caps.backend = KERNEL_BACKEND_SPAPR;
	caps.tce = (struct kernel_tce_info){
		.dma32_start = UINT64_MAX, .dma32_size = 1,
		.page_sizes = 0x1211000, .max_windows = UINT32_MAX,
		.levels = 5, .kernel_page = 65536,
	};
	assert_int_equal(store_write(store, put_device, &caps, NULL), 0);
	reload();
	assert_memory_equal(device->caps, &caps, sizeof(caps));
	assert_int_equal(store_write(store, put_device, NULL, NULL), 0);
	reload();
	assert_null(device->caps);
	assert_int_equal(loaded.n_devices, 1);
}

static int put_lease(struct store_tx *tx, void *data, struct error *err)
{
	return store_put_lease(tx, data, err);
}

static int drop_lease(struct store_tx *tx, void *data, struct error *err)
{
	return store_drop_lease(tx, data, err);
}

static struct lease *some_lease(void)
{
	struct holder holder = {
		.process = { .pid = 4711, .start_ticks = 99, .uid = 1000,
			     .gid = UINT32_MAX, .cgroup = "/vm.slice/a" },
		.boot_id = "boot",
		.pidfd_inode = INT64_MAX,
		.memlock_before = UINT64_MAX,
		.since_us = 5,
	};
	struct lease *lease = lease_new();

	str_copy(lease->name, sizeof(lease->name),
		 "leases/01arz3ndektsv4rrffq69g5fav");
	lease->revision = 9;
	str_copy(lease->request_id, sizeof(lease->request_id), "r1");
	str_copy(lease->fingerprint, sizeof(lease->fingerprint), "f1");
	lease->state = LEASE_HELD;
	lease->owner_uid = UINT32_MAX;
	lease->claimant_uid = 1000;
	lease->claimant_pid = 4711;
	lease->memlock = UINT64_MAX;
	lease->incarnation = 2;
	lease->acknowledged = true;
	lease->restore_after = true;
	lease->created_us = 3;
	strv_add(&lease->devices, "devices/b");
	strv_add(&lease->devices, "devices/a");
	strv_add(&lease->labels, "k");
	strv_add(&lease->labels, "v\tw\n");
	strv_add(&lease->labels, "a");
	strv_add(&lease->labels, "");
	lease_add_holder(lease, &holder);
	str_copy(holder.why, sizeof(holder.why), "ended");
	lease_add_holder(lease, &holder);

	return lease;
}

static void nodes_come_back_as_they_were(void **state)
{
	struct lease *lease = some_lease();
	struct lease_node node = { .node = { .path = "/dev/vfio/12",
					     .number = 0xf100003 },
				   .group = "groups/b", .open = true };
	const struct lease_node *back;

	acl_of_mode(0640, &node.before);
	assert_int_equal(lease_add_node(lease, &node), 0);
	str_copy(node.node.path, sizeof(node.node.path), "/dev/vfio/7");
	node.open = false;
	assert_int_equal(lease_add_node(lease, &node), 0);
	lease->shared_uid = true;
	lease->released_us = 77;
	lease->holders[1].memlock_hard_before = UINT64_MAX - 1;
	assert_int_equal(store_write(store, put_lease, lease, NULL), 0);
	reload();
	assert_int_equal(loaded.leases[0]->n_nodes, 2);
	back = &loaded.leases[0]->nodes[0];
	assert_string_equal(back->node.path, "/dev/vfio/12");
	assert_true(back->node.number == 0xf100003);
	assert_string_equal(back->group, "groups/b");
	assert_true(back->open);
	assert_true(acl_equal(&back->before, &lease->nodes[0].before));
	/* Of one that is not open there is nothing to put back. */
	assert_false(back[1].open);
	assert_int_equal(back[1].before.size, 0);
	assert_true(loaded.leases[0]->shared_uid);
	assert_int_equal(loaded.leases[0]->released_us, 77);
	assert_true(loaded.leases[0]->holders[1].memlock_hard_before ==
		    UINT64_MAX - 1);
	lease_free(lease);
}

static void leases_come_back_as_they_were(void **state)
{
	struct lease *lease = some_lease(), *back;

	assert_int_equal(store_write(store, put_lease, lease, NULL), 0);
	assert_int_equal(store_write(store, put_lease, lease, NULL), 0);
	reload();
	assert_int_equal(loaded.n_leases, 1);
	back = loaded.leases[0];
	assert_string_equal(back->name, lease->name);
	assert_string_equal(back->request_id, "r1");
	assert_string_equal(back->fingerprint, "f1");
	assert_int_equal(back->revision, 9);
	assert_int_equal(back->state, LEASE_HELD);
	assert_int_equal(back->owner_uid, UINT32_MAX);
	assert_int_equal(back->claimant_uid, 1000);
	assert_int_equal(back->claimant_pid, 4711);
	assert_true(back->memlock == UINT64_MAX);
	assert_int_equal(back->incarnation, 2);
	assert_true(back->acknowledged && back->restore_after);
	assert_false(back->memlock_unlimited);
	assert_int_equal(back->created_us, 3);
	assert_int_equal(back->devices.n, 2);
	assert_string_equal(back->devices.items[0], "devices/b");
	assert_int_equal(back->labels.n, 4);
	assert_string_equal(back->labels.items[0], "a");
	assert_string_equal(back->labels.items[3], "v\tw\n");
	assert_int_equal(back->n_holders, 2);
	assert_memory_equal(back->holders, lease->holders,
			    2 * sizeof(struct holder));

	assert_int_equal(store_write(store, drop_lease, lease->name, NULL),
			 0);
	assert_int_equal(store_write(store, drop_lease, lease->name, NULL),
			 0);
	reload();
	assert_int_equal(loaded.n_leases, 0);
	lease_free(lease);
}

static int put_operation(struct store_tx *tx, void *data, struct error *err)
{
	return store_put_operation(tx, data, err);
}

static int drop_operation(struct store_tx *tx, void *data, struct error *err)
{
	return store_drop_operation(tx, data, err);
}

/* Add a step, numbered. */
/* A space with all that it can have. */
static void add_space(struct lease *lease, const char *name,
		      const char *device)
{
	static const struct window windows[] = {
		{ 0, 0xfedfffff, 4096, WINDOW_DMA32 },
		{ UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX, WINDOW_RAM },
	};
	static const struct kernel_range ranges[] = { { 0, 7 },
						      { 9, UINT64_MAX } };
	struct space space = {
		.kernel_id = UINT32_MAX,
		.alignment = UINT64_C(1) << 63,
		.created_us = 11,
		.request_id = "r2",
		.fingerprint = "f2",
		.maker = "uid:1000",
	};

	str_copy(space.name, sizeof(space.name), name);
	space.windows = malloc(sizeof(windows));
	space.ranges = malloc(sizeof(ranges));
	assert_true(space.windows && space.ranges);
	memcpy(space.windows, windows, sizeof(windows));
	memcpy(space.ranges, ranges, sizeof(ranges));
	space.n_windows = ARRAY_SIZE(windows);
	space.n_ranges = ARRAY_SIZE(ranges);
	strv_add(&space.devices, device);
	strv_add(&space.labels, "for");
	strv_add(&space.labels, "ram");
	assert_int_equal(lease_add_space(lease, &space), 0);
}

/* A page table with all that it can have. */
static void add_table(struct lease *lease, const char *name,
		      const char *parent)
{
	struct page_table table = {
		.nest_parent = true, .pasid = true, .faults = true,
		.data_type = UINT32_MAX,
		.data = { 0xff, 0, 1 }, .n_data = PAGE_TABLE_DATA_MAX,
		.kernel_id = UINT32_MAX, .fault_id = 3, .created_us = 12,
		.request_id = "r3", .fingerprint = "f3", .maker = "uid:1001",
	};

	str_copy(table.name, sizeof(table.name), name);
	str_copy(table.parent, sizeof(table.parent), parent);
	str_copy(table.device, sizeof(table.device), "devices/a");
	assert_int_equal(page_table_bind(&table, "devices/a", PASID_MAX), 0);
	assert_int_equal(page_table_bind(&table, "devices/b", 1), 0);
	strv_add(&table.labels, "of");
	strv_add(&table.labels, "guest");
	assert_int_equal(lease_add_table(lease, &table), 0);
}

/* The same lease, of a mode that has spaces. */
static struct lease *some_hold_lease(void)
{
	struct lease *lease = some_lease();

	lease->mode = LEASE_HOLD;
	lease->grace_ms = 600000;
	lease->kept = true;
	lease->device_ids[0] = UINT32_MAX;
	lease->device_ids[1] = 1;
	lease->n_device_ids = 2;
	/* In this order, which is not that of their names. */
	add_space(lease, "spaces/01brz3ndektsv4rrffq69g5fav", "devices/a");
	add_space(lease, "spaces/01arz3ndektsv4rrffq69g5fav", "devices/b");
	add_table(lease, "pageTables/01crz3ndektsv4rrffq69g5fav",
		  "spaces/01arz3ndektsv4rrffq69g5fav");
	add_table(lease, "pageTables/01arz3ndektsv4rrffq69g5fav",
		  "pageTables/01crz3ndektsv4rrffq69g5fav");
	return lease;
}

static void check_space(const struct space *was, const struct space *back)
{
	assert_string_equal(back->name, was->name);
	assert_int_equal(back->kernel_id, UINT32_MAX);
	assert_true(back->alignment == UINT64_C(1) << 63);
	assert_int_equal(back->created_us, 11);
	assert_string_equal(back->request_id, "r2");
	assert_string_equal(back->fingerprint, "f2");
	assert_string_equal(back->maker, "uid:1000");
	assert_int_equal(back->n_windows, 2);
	assert_memory_equal(back->windows, was->windows,
			    2 * sizeof(*was->windows));
	assert_int_equal(back->n_ranges, 2);
	assert_memory_equal(back->ranges, was->ranges,
			    2 * sizeof(*was->ranges));
	assert_int_equal(back->devices.n, 1);
	assert_string_equal(back->devices.items[0], was->devices.items[0]);
	assert_int_equal(back->labels.n, 2);
	assert_string_equal(back->labels.items[1], "ram");
}

static void spaces_come_back_as_they_were(void **state)
{
	struct lease *lease = some_hold_lease(), *back;

	assert_int_equal(store_write(store, put_lease, lease, NULL), 0);
	assert_int_equal(store_write(store, put_lease, lease, NULL), 0);
	reload();
	back = loaded.leases[0];
	assert_int_equal(back->mode, LEASE_HOLD);
	assert_int_equal(back->grace_ms, 600000);
	assert_false(back->kept);
	assert_int_equal(back->n_device_ids, 2);
	assert_true(back->device_ids[0] == UINT32_MAX);
	assert_int_equal(back->device_ids[1], 1);
	assert_int_equal(back->n_spaces, 2);
	for (size_t i = 0; i < 2; i++)
		check_space(&lease->spaces[i], &back->spaces[i]);

	/* Written again: what is no more is gone. */
	lease_drop_space(lease, 0);
	lease->n_device_ids = 0;
	free(lease->spaces[0].windows);
	lease->spaces[0].windows = NULL;
	lease->spaces[0].n_windows = 0;
	strv_remove(&lease->spaces[0].devices, "devices/b");
	assert_int_equal(store_write(store, put_lease, lease, NULL), 0);
	reload();
	back = loaded.leases[0];
	assert_int_equal(back->n_device_ids, 0);
	assert_int_equal(back->n_spaces, 1);
	assert_int_equal(back->spaces[0].n_windows, 0);
	assert_null(back->spaces[0].windows);
	assert_int_equal(back->spaces[0].devices.n, 0);
	lease_free(lease);
}

static void check_table(const struct page_table *was,
			const struct page_table *back)
{
	assert_string_equal(back->name, was->name);
	assert_string_equal(back->parent, was->parent);
	assert_string_equal(back->device, "devices/a");
	assert_true(back->nest_parent && back->pasid && back->faults);
	assert_false(back->dirty_tracking || back->registered ||
		     back->dirty_on);
	assert_true(back->data_type == UINT32_MAX);
	assert_int_equal(back->n_data, PAGE_TABLE_DATA_MAX);
	assert_memory_equal(back->data, was->data, PAGE_TABLE_DATA_MAX);
	assert_true(back->kernel_id == UINT32_MAX);
	assert_int_equal(back->fault_id, 3);
	assert_int_equal(back->created_us, 12);
	assert_string_equal(back->request_id, "r3");
	assert_string_equal(back->fingerprint, "f3");
	assert_string_equal(back->maker, "uid:1001");
	assert_int_equal(back->n_bindings, 2);
	assert_true(page_table_is_on(back, "devices/a", PASID_MAX));
	assert_true(page_table_is_on(back, "devices/b", 1));
	assert_int_equal(back->labels.n, 2);
	assert_string_equal(back->labels.items[1], "guest");
}

static void page_tables_come_back_as_they_were(void **state)
{
	struct lease *lease = some_hold_lease(), *back;

	assert_int_equal(store_write(store, put_lease, lease, NULL), 0);
	assert_int_equal(store_write(store, put_lease, lease, NULL), 0);
	reload();
	back = loaded.leases[0];
	assert_int_equal(back->n_tables, 2);
	for (size_t i = 0; i < 2; i++)
		check_table(&lease->tables[i], &back->tables[i]);
	lease_drop_table(lease, 1);
	lease->tables[0].n_bindings = 0;
	lease->tables[0].n_data = 0;
	assert_int_equal(store_write(store, put_lease, lease, NULL), 0);
	reload();
	back = loaded.leases[0];
	assert_int_equal(back->n_tables, 1);
	assert_int_equal(back->tables[0].n_bindings, 0);
	assert_int_equal(back->tables[0].n_data, 0);
	lease_free(lease);
}

/* The table of leases is made anew by it; nothing of what refers to it may go. */
static void leases_of_version_2_are_kept_whole(void **state)
{
	static const char rows[] =
		"INSERT INTO lease VALUES"
		"('leases/01arz3ndektsv4rrffq69g5fav', 9, 'r1', 'held',"
		"'transfer', 5, 1000, 0, x'ffffffffffffffff', 0, 0, 2, 1, 0,"
		"'', 3, 0, '', 'uid:5', 'a.service', x'', 0);"
		"INSERT INTO lease_device VALUES"
		"('leases/01arz3ndektsv4rrffq69g5fav', 0, 'devices/b'),"
		"('leases/01arz3ndektsv4rrffq69g5fav', 1, 'devices/a');"
		"INSERT INTO lease_label VALUES"
		"('leases/01arz3ndektsv4rrffq69g5fav', 'k', 'v');"
		"INSERT INTO holder VALUES"
		"('leases/01arz3ndektsv4rrffq69g5fav', 0, 4711, 99, 'boot',"
		"7, '/a', 1000, 1000, x'ffffffffffffffff', 5, 0, '')";
	struct error err = ERROR_NULL;
	const struct lease *back;
	char path[128];
	sqlite3 *handle;

	store = store_close(store);
	snprintf(path, sizeof(path), "%s/state.db", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	if (migrate(handle, migrations, 2, &err) || db_exec(handle, rows, &err))
		fail_msg("%s", err.msg);
	sqlite3_close(handle);

	reload();
	assert_int_equal(loaded.n_leases, 1);
	back = loaded.leases[0];
	assert_string_equal(back->name, "leases/01arz3ndektsv4rrffq69g5fav");
	assert_int_equal(back->mode, LEASE_TRANSFER);
	assert_int_equal(back->state, LEASE_HELD);
	assert_true(back->memlock == UINT64_MAX);
	assert_string_equal(back->owner, "uid:5");
	assert_string_equal(back->claimant_unit, "a.service");
	assert_string_equal(back->fingerprint, "");
	assert_int_equal(back->grace_ms, 0);
	assert_int_equal(back->devices.n, 2);
	assert_string_equal(back->devices.items[0], "devices/b");
	assert_int_equal(back->n_device_ids, 0);
	assert_int_equal(back->labels.n, 2);
	assert_int_equal(back->n_holders, 1);
	assert_int_equal(back->holders[0].process.pid, 4711);

	/* What refers to leases refers to the new table: it goes with them. */
	assert_int_equal(store_write(store, drop_lease, (void *)back->name,
				     NULL), 0);
	edit("CREATE TABLE none (n INTEGER CHECK (n = 0));"
	     "INSERT INTO none SELECT count(*) FROM lease_device;"
	     "INSERT INTO none SELECT count(*) FROM holder;"
	     "INSERT INTO none SELECT count(*) FROM lease_label;"
	     "DROP TABLE none");
	reload();
	assert_int_equal(loaded.n_leases, 0);
}

static void add_step(struct operation *op, unsigned int number)
{
	struct step step = { .object = "devices/a", .act = "unbind",
			     .result = "ok", .took_us = number };

	assert_int_equal(operation_add_step(op, &step), 0);
}

static void operations_come_back_as_they_were(void **state)
{
	struct undo undo = { "devices/a", "igb", "" },
		    none = { "devices/b", "", "" };
	struct operation *op, *back;

	op = operation_new(OPERATION_RECLAIM, "leases/x", "uid:0", "req");
	str_copy(op->fingerprint, sizeof(op->fingerprint), "f2");
	op->revision = 4;
	operation_add_undo(op, &undo);
	operation_add_undo(op, &none);
	add_step(op, 0);
	str_copy(op->step, sizeof(op->step), "probe");
	assert_int_equal(store_write(store, put_operation, op, NULL), 0);
	reload();
	back = loaded.ops[0];
	assert_int_equal(loaded.n_ops, 1);
	assert_string_equal(back->name, op->name);
	assert_string_equal(back->principal, "uid:0");
	assert_string_equal(back->request_id, "req");
	assert_string_equal(back->fingerprint, "f2");
	assert_string_equal(back->target, "leases/x");
	assert_string_equal(back->step, "probe");
	assert_int_equal(back->kind, OPERATION_RECLAIM);
	assert_int_equal(back->state, OPERATION_RUNNING);
	assert_int_equal(back->error.kind, ERROR_NONE);
	assert_true(back->created_us == op->created_us);
	assert_int_equal(back->n_undo, 2);
	assert_memory_equal(back->undo, op->undo, 2 * sizeof(undo));
	assert_int_equal(back->n_steps, 1);
	assert_memory_equal(back->steps, op->steps, sizeof(*op->steps));

	op->state = OPERATION_FAILED;
	op->ended_us = 77;
	error_set(&op->error, -EBUSY, ERROR_DEVICE_IN_USE, "in use");
	error_object(&op->error, "devices/a");
	error_remedy(&op->error, "wait");
	error_cause(&op->error, "mount", "/srv", "is mounted");
	error_cause(&op->error, "process", "", "has it open");
	assert_int_equal(store_write(store, put_operation, op, NULL), 0);
	reload();
	back = loaded.ops[0];
	assert_int_equal(back->state, OPERATION_FAILED);
	assert_int_equal(back->ended_us, 77);
	assert_int_equal(back->error.kind, ERROR_DEVICE_IN_USE);
	assert_string_equal(back->error.msg, "in use");
	assert_string_equal(back->error.object, "devices/a");
	assert_string_equal(back->error.remedy, "wait");
	assert_int_equal(back->error.n_causes, 2);
	assert_string_equal(back->error.causes[0].name, "/srv");
	assert_string_equal(back->error.causes[1].detail, "has it open");

	assert_int_equal(store_write(store, drop_operation, op->name, NULL),
			 0);
	reload();
	assert_int_equal(loaded.n_ops, 0);
	operation_free(op);
}

/* A step is a fact; the list only grows, until it is full. */
static void steps_are_written_once(void **state)
{
	struct operation *op, *back;

	op = operation_new(OPERATION_PREPARE, "groups/x", "uid:0", "");
	add_step(op, 0);
	assert_int_equal(store_write(store, put_operation, op, NULL), 0);
	op->steps[0].took_us = 999;
	add_step(op, 1);
	assert_int_equal(store_write(store, put_operation, op, NULL), 0);
	reload();
	assert_int_equal(loaded.ops[0]->n_steps, 2);
	assert_int_equal(loaded.ops[0]->steps[0].took_us, 0);
	assert_int_equal(loaded.ops[0]->steps[1].took_us, 1);

	for (unsigned int i = 2; i < OPERATION_STEPS_MAX; i++)
		add_step(op, i);
	assert_int_equal(store_write(store, put_operation, op, NULL), 0);
	add_step(op, 5000);
	assert_int_equal(store_write(store, put_operation, op, NULL), 0);
	reload();
	back = loaded.ops[0];
	assert_int_equal(back->n_steps, OPERATION_STEPS_MAX);
	assert_int_equal(back->steps[OPERATION_STEPS_MAX - 2].took_us,
			 OPERATION_STEPS_MAX - 2);
	assert_int_equal(back->steps[OPERATION_STEPS_MAX - 1].took_us, 5000);
	operation_free(op);
}

/* A file name must not keep an operation from its journal. */
static void text_that_is_not_utf8_is_mended(void **state)
{
	struct operation *op;
	struct undo undo = { "devices/a", "a\tb\nc", "\xff" };

	op = operation_new(OPERATION_PREPARE, "groups/x", "uid:0", "");
	operation_add_undo(op, &undo);
	add_step(op, 0);
	str_copy(op->steps[0].result, sizeof(op->steps[0].result),
		 "open '\xff'");
	assert_int_equal(store_write(store, put_operation, op, NULL), 0);
	reload();
	assert_string_equal(loaded.ops[0]->steps[0].result, "open '?'");
	assert_string_equal(loaded.ops[0]->undo[0].driver, "a?b?c");
	operation_free(op);
}

static int put_revision(struct store_tx *tx, void *data, struct error *err)
{
	return store_put_revision(tx, *(uint64_t *)data, err);
}

static void the_revision_never_goes_back(void **state)
{
	static const uint64_t values[] = { 5, 9, 3 };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		assert_int_equal(store_write(store, put_revision,
					     (void *)&values[i], NULL), 0);
	reload();
	assert_int_equal(loaded.revision, 9);
}

/* It would come back negative. */
static void numbers_beyond_63_bits_are_refused(void **state)
{
	struct error err = ERROR_NULL;
	uint64_t value = 1ull << 63;

	assert_int_equal(store_write(store, put_revision, &value, &err),
			 -EINVAL);
	assert_int_equal(err.kind, ERROR_DAEMON_INTERNAL);
	reload();
	assert_int_equal(loaded.revision, 0);
}

static void a_loader_may_give_up(void **state)
{
	struct store_loader stop = loader;
	struct lease *lease = some_lease();
	struct operation *op;

	op = operation_new(OPERATION_PREPARE, "groups/x", "uid:0", "");
	assert_int_equal(store_write(store, put_operation, op, NULL), 0);
	assert_int_equal(store_write(store, put_lease, lease, NULL), 0);
	loaded.n_ops = OPS_MAX;
	assert_int_equal(store_load(store, &stop, NULL, NULL), -EFBIG);
	loaded.n_ops = 0;
	operation_free(op);
	lease_free(lease);
}

/* --- opening --- */

static void the_folder_is_made_for_us_alone(void **state)
{
	char sub[128], path[160];
	struct store *other = NULL;
	struct stat st;

	snprintf(sub, sizeof(sub), "%s/sub", dir);
	assert_int_equal(store_open(sub, NULL, NULL, &other, NULL), 0);
	assert_int_equal(stat(sub, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	store_close(other);
	snprintf(path, sizeof(path), "%s/state.db", sub);
	unlink(path);
	rmdir(sub);
}

/* In this process SQLite itself knows; in another one the kernel has to tell,
 * so that one must not have inherited what SQLite knows.
 */
static void a_second_opener_is_refused(void **state)
{
	struct error err = ERROR_NULL;
	struct store *other = NULL;
	int p[2], status;
	pid_t pid;
	char c;

	assert_int_equal(store_open(dir, NULL, NULL, &other, &err), -EBUSY);
	assert_int_equal(err.kind, ERROR_STORE_LOCKED);

	store = store_close(store);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		close(p[1]);
		if (read(p[0], &c, 1))
			_exit(1);
		_exit(-store_open(dir, NULL, NULL, &other, NULL));
	}
	reopen();
	fd_close(p[0]);
	fd_close(p[1]);
	waitpid(pid, &status, 0);
	assert_int_equal(WEXITSTATUS(status), EBUSY);
	assert_null(other);
}

/* Ask the connection that writes, from within a transaction. */
static int check_settings(struct store_tx *tx, void *data, struct error *err)
{
	static const struct {
		const char *sql;
		int64_t value;
	} settings[] = {
		{ "PRAGMA synchronous", 2 },
		{ "PRAGMA foreign_keys", 1 },
		{ "PRAGMA trusted_schema", 0 },
		{ "SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1 },
		{ "SELECT locking_mode = 'exclusive' "
		  "FROM pragma_locking_mode", 1 },
	};
	int on = 0;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		int64_t value = -1;

		if (db_number(tx->db->handle, settings[i].sql, &value, err))
			return -EINVAL;
		if (value != settings[i].value)
			return error_set(err, -ERANGE, ERROR_DAEMON_INTERNAL,
					 "%s: %lld", settings[i].sql,
					 (long long)value);
	}
	sqlite3_db_config(tx->db->handle, SQLITE_DBCONFIG_DEFENSIVE, -1, &on);

	return on ? 0 : -EPERM;
}

static void the_database_is_set_to_last(void **state)
{
	struct error err = ERROR_NULL;

	if (store_write(store, check_settings, NULL, &err))
		fail_msg("%s", err.msg);
}

static void a_newer_database_is_refused_and_left_alone(void **state)
{
	struct error err = ERROR_NULL;
	char path[128], now[64], was[64];
	struct stat st;

	edit("PRAGMA user_version=4711");
	snprintf(path, sizeof(path), "%s/state.db", dir);
	stat(path, &st);
	snprintf(was, sizeof(was), "%lld.%ld %lld",
		 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		 (long long)st.st_size);
	assert_int_equal(store_open(dir, NULL, NULL, &store, &err),
			 -EPROTONOSUPPORT);
	assert_int_equal(err.kind, ERROR_STORE_NEWER);
	assert_non_null(strstr(err.msg, "4711"));
	assert_non_null(strstr(err.msg, path));
	assert_null(store);
	stat(path, &st);
	snprintf(now, sizeof(now), "%lld.%ld %lld",
		 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		 (long long)st.st_size);
	assert_string_equal(now, was);
}

static void what_is_no_database_is_damaged(void **state)
{
	struct error err = ERROR_NULL;
	char path[128], page[8192];
	int fd;

	store = store_close(store);
	snprintf(path, sizeof(path), "%s/state.db", dir);
	memset(page, 'x', sizeof(page));
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, page, sizeof(page)), sizeof(page));
	fd_close(fd);
	assert_int_equal(store_open(dir, NULL, NULL, &store, &err), -EUCLEAN);
	assert_int_equal(err.kind, ERROR_STORE_DAMAGED);
}

static void tables_of_others_are_damaged(void **state)
{
	static const char *const edits[] = {
		"PRAGMA user_version=0",
		"ALTER TABLE lease RENAME COLUMN memlock TO memory",
		"DROP TABLE step",
	};
	struct error err = ERROR_NULL;

	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		edit(edits[i]);
		assert_int_equal(store_open(dir, NULL, NULL, &store, &err),
				 -EUCLEAN);
		assert_int_equal(err.kind, ERROR_STORE_DAMAGED);
		teardown(NULL);
		setup(NULL);
	}
}

static void a_folder_that_cannot_be_is_an_io_error(void **state)
{
	struct error err = ERROR_NULL;
	struct store *other = NULL;

	assert_int_equal(store_open("/proc/no/folder", NULL, NULL, &other,
				    &err), -EIO);
	assert_int_equal(err.kind, ERROR_STORE_IO);
	assert_int_equal(store_open("/proc/self/exe", NULL, NULL, &other,
				    &err), -EIO);
	assert_int_equal(err.kind, ERROR_STORE_IO);
}

/* --- rows are believed as little as strangers --- */

/**
 * struct damage - A row that cannot be what we wrote
 * @sql:	What makes it so
 * @table:	Where it is
 * @row:	Which it is, as the error says
 * @column:	What is wrong with it
 */
struct damage {
	const char *sql, *table, *row, *column;
};

static const struct damage damages[] = {
	{ "UPDATE lease SET memlock = x'00'", "lease", "leases/01",
	  "memlock" },
	{ "UPDATE lease SET claimant_pid = -1", "lease", "leases/01",
	  "claimant_pid" },
	{ "UPDATE lease SET owner_uid = 4294967296", "lease",
	  "leases/01", "owner_uid" },
	{ "UPDATE lease SET acknowledged = 2", "lease", "leases/01",
	  "acknowledged" },
	{ "UPDATE lease SET end_reason = CAST(x'ff' AS TEXT)",
	  "lease", "leases/01", "end_reason" },
	{ "UPDATE lease SET end_reason = CAST(x'610062' AS TEXT)",
	  "lease", "leases/01", "end_reason" },
	{ "UPDATE lease SET request_id = hex(zeroblob(99))", "lease",
	  "leases/01", "request_id" },
	{ "PRAGMA foreign_keys=OFF;"
	  "UPDATE lease SET name = 'leases/0'", "lease", "leases/0",
	  "name" },
	{ "PRAGMA ignore_check_constraints=ON;"
	  "UPDATE lease SET state = 'lost'", "lease", "leases/01",
	  "state" },
	{ "PRAGMA ignore_check_constraints=ON;"
	  "UPDATE lease SET mode = 'lost'", "lease", "leases/01",
	  "mode" },
	{ "UPDATE lease_device SET position = 5 WHERE position = 1",
	  "lease_device", "leases/01", "position" },
	{ "UPDATE lease_device SET device = '../x'", "lease_device",
	  "leases/01", "device" },
	{ "DELETE FROM holder WHERE number = 0", "holder",
	  "leases/01", "number" },
	{ "UPDATE lease_label SET key = hex(zeroblob(40)) "
	  "WHERE key = 'k'", "lease_label", "leases/01", "key" },
	{ "UPDATE lease SET grace_ms = 4294967296", "lease",
	  "leases/01", "grace_ms" },
	{ "UPDATE lease_device SET kernel_id = -1", "lease_device",
	  "leases/01", "kernel_id" },
	{ "PRAGMA foreign_keys=OFF;"
	  "UPDATE space SET name = 'spaces/0' WHERE position = 0",
	  "space", "spaces/0", "name" },
	{ "UPDATE space SET kernel_id = 4294967296", "space",
	  "spaces/01", "kernel_id" },
	{ "UPDATE space SET alignment = x'00'", "space", "spaces/01",
	  "alignment" },
	{ "UPDATE space SET maker = hex(zeroblob(999))", "space",
	  "spaces/01", "maker" },
	{ "INSERT INTO space WITH RECURSIVE n (i) AS "
	  "(SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 24) "
	  "SELECT 'spaces/01arz3ndektsv4rrffq69g5f' || i, lease, i,"
	  "0, alignment, 0, '', '', '' FROM n, space "
	  "WHERE position = 0", "space", "spaces/01", "maker" },
	{ "UPDATE page_table SET parent = 'spaces/none'",
	  "page_table", "pageTables/01", "parent" },
	{ "UPDATE page_table SET nest_parent = 0", "page_table",
	  "pageTables/01", "parent" },
	{ "UPDATE page_table SET device = 'devices/c'", "page_table",
	  "pageTables/01", "device" },
	{ "UPDATE page_table SET data = zeroblob(257)", "page_table",
	  "pageTables/01", "data" },
	{ "UPDATE page_table SET data_type = 4294967296",
	  "page_table", "pageTables/01", "data_type" },
	{ "INSERT INTO page_table WITH RECURSIVE n (i) AS "
	  "(SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 72) "
	  "SELECT 'pageTables/01arz3ndektsv4rrffq69g5f' || i, lease,"
	  "i, parent, device, 1, 0, 0, 0, x'', 0, 0, 0, 0, 0, 0, '',"
	  "'', '' FROM n, page_table WHERE position = 0",
	  "page_table", "pageTables/01", "maker" },
	{ "UPDATE page_table_binding SET pasid = 1048576",
	  "page_table_binding", "pageTables/01", "pasid" },
	{ "UPDATE page_table_binding SET pasid = 0",
	  "page_table_binding", "pageTables/01", "pasid" },
	{ "UPDATE page_table_binding SET device = 'devices/c'",
	  "page_table_binding", "pageTables/01", "pasid" },
	{ "DELETE FROM page_table_binding WHERE position = 0",
	  "page_table_binding", "pageTables/01", "position" },
	{ "UPDATE page_table_label SET key = hex(zeroblob(40))",
	  "page_table_label", "pageTables/01", "key" },
	{ "UPDATE space_window SET last = zeroblob(8) "
	  "WHERE start > zeroblob(8)", "space_window", "spaces/01",
	  "last" },
	{ "UPDATE space_window SET page_sizes = x''", "space_window",
	  "spaces/01", "page_sizes" },
	{ "PRAGMA ignore_check_constraints=ON;"
	  "UPDATE space_window SET purpose = 'lost'", "space_window",
	  "spaces/01", "purpose" },
	{ "INSERT INTO space_window WITH RECURSIVE n (i) AS "
	  "(SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 72) "
	  "SELECT space, CAST('000000' || i AS BLOB), last, last,"
	  "'any' FROM n, space_window WHERE start > zeroblob(8)",
	  "space_window", "spaces/01", "purpose" },
	{ "UPDATE space_range SET last = zeroblob(8) "
	  "WHERE start > zeroblob(8)", "space_range", "spaces/01",
	  "last" },
	{ "UPDATE space_device SET position = 1", "space_device",
	  "spaces/01", "position" },
	{ "UPDATE space_device SET device = 'devices/c'",
	  "space_device", "spaces/01", "device" },
	{ "UPDATE space_device SET device = 'devices/a'",
	  "space_device", "spaces/01", "device" },
	{ "UPDATE space_label SET value = hex(zeroblob(128))",
	  "space_label", "spaces/01", "value" },
	{ "INSERT INTO space_label WITH RECURSIVE n (i) AS "
	  "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16) "
	  "SELECT space, 'k' || i, '' FROM n, space_label",
	  "space_label", "spaces/01", "value" },
	{ "UPDATE device SET vendor = 65536", "device", "devices/pci",
	  "vendor" },
	{ "UPDATE device SET class = 16777216", "device",
	  "devices/pci", "class" },
	{ "UPDATE capability SET hw_info = zeroblob(257)",
	  "capability", "devices/pci", "hw_info" },
	{ "UPDATE capability SET reset_set = '0000:3b:00.0 x'",
	  "capability", "devices/pci", "reset_set" },
	{ "UPDATE capability SET reset_set = '0000:3b:00.0 '",
	  "capability", "devices/pci", "reset_set" },
	{ "UPDATE capability SET reset_set = '0000:3b:00.0000000000'",
	  "capability", "devices/pci", "reset_set" },
	{ "UPDATE capability_range SET last = zeroblob(8) "
	  "WHERE start > zeroblob(8)", "capability_range",
	  "devices/pci", "last" },
	{ "UPDATE operation SET kind = 'lose'", "operation",
	  "operations/0", "kind" },
	{ "UPDATE operation SET error_id = 'not.known'", "operation",
	  "operations/0", "error_id" },
	{ "UPDATE operation SET undo = 'devices/a'", "operation",
	  "operations/0", "undo" },
	{ "UPDATE operation SET undo = 'a' || char(9) || 'b' || "
	  "char(10)", "operation", "operations/0", "undo" },
	{ "UPDATE operation SET undo = 'a' || char(9, 9, 9, 10)",
	  "operation", "operations/0", "undo" },
	{ "UPDATE operation SET undo = char(9, 9)", "operation",
	  "operations/0", "undo" },
	{ "UPDATE operation SET undo = hex(zeroblob(99)) || "
	  "char(9, 9, 10)", "operation", "operations/0", "undo" },
	{ "UPDATE operation SET error_causes = "
	  "replace(hex(zeroblob(9)), '0', char(9, 9, 10))",
	  "operation", "operations/0", "error_causes" },
	{ "UPDATE step SET number = 1", "step", "operations/0",
	  "number" },
	{ "UPDATE step SET took_us = -1", "step", "operations/0",
	  "took_us" },
};

/* fill() - Have a row of each kind in the store */
static void fill(void)
{
	struct operation *op = operation_new(OPERATION_PREPARE, "x", "uid:0",
					     "");
	struct lease *lease = some_hold_lease();

	record = some_record();
	caps = some_caps();
	add_step(op, 0);
	store_write(store, put_device, &caps, NULL);
	store_write(store, put_lease, lease, NULL);
	store_write(store, put_operation, op, NULL);
	lease_free(lease);
	operation_free(op);
}

/* is_named() - Does an error say which column of which row is damaged? */
static bool is_named(const struct damage *damage, const struct error *err)
{
	char column[64];

	snprintf(column, sizeof(column), "column '%s'", damage->column);
	return strstr(err->msg, damage->table) &&
	       strstr(err->msg, damage->row) && strstr(err->msg, column);
}

static void damaged_rows_are_named(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		const struct damage *damage = &damages[i];
		struct error err = ERROR_NULL;

		fill();
		edit(damage->sql);
		/* What quick_check itself finds is found at the opening. */
		if (!store_open(dir, NULL, NULL, &store, &err)) {
			if (store_load(store, &loader, NULL, &err) !=
			    -EUCLEAN)
				fail_msg("%s: not seen", damage->sql);
			if (!is_named(damage, &err))
				fail_msg("%s: %s", damage->sql, err.msg);
		}
		assert_int_equal(err.kind, ERROR_STORE_DAMAGED);
		teardown(NULL);
		setup(NULL);
	}
}

static void a_revision_too_few_or_too_many_is_damaged(void **state)
{
	struct error err = ERROR_NULL;

	edit("DELETE FROM revision");
	assert_int_equal(store_open(dir, NULL, NULL, &store, NULL), 0);
	assert_int_equal(store_load(store, &loader, NULL, &err), -EUCLEAN);
	assert_non_null(strstr(err.msg, "revision"));
}

/* --- many writers --- */

#define WRITERS 32

static sem_t gate, waiting;

/* Keeps the writer thread until the others have queued up. */
static int block(struct store_tx *tx, void *data, struct error *err)
{
	sem_post(&waiting);
	sem_wait(&gate);
	return 0;
}

struct writer {
	pthread_t thread;
	int number;
	store_fn fn;
	int r;
	int calls;
	struct error err;
	struct operation *op;
};

static struct writer writers[WRITERS];

static void *write_one(void *data)
{
	struct writer *w = data;

	if (w->fn == block)
		w->r = store_write(store, block, NULL, NULL);
	else
		w->r = store_write(store, w->fn, w, &w->err);

	return NULL;
}

static int put_mine(struct store_tx *tx, void *data, struct error *err)
{
	struct writer *w = data;

	w->calls++;
	return store_put_operation(tx, w->op, err);
}

/* Writes, then changes its mind. */
static int put_and_fail(struct store_tx *tx, void *data, struct error *err)
{
	int r = put_mine(tx, data, err);

	return r ? r : error_set(err, -ECANCELED, ERROR_LEASE_STATE, "no");
}

/* Fails and says nothing of it. */
static int put_and_hide(struct store_tx *tx, void *data, struct error *err)
{
	struct writer *w = data;
	uint64_t value = UINT64_MAX;

	w->calls++;
	(void)store_put_operation(tx, w->op, err);
	(void)store_put_revision(tx, value, err);
	return 0;
}

/* As when SQLite has no memory: it rolls the whole transaction back. */
static int lose_transaction(struct store_tx *tx, void *data, struct error *err)
{
	struct writer *w = data;

	w->calls++;
	assert_int_equal(db_exec(tx->db->handle, "ROLLBACK", NULL), 0);
	return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY, "none left");
}

/* Queue the writers while the writer thread is kept, and let it go. */
static void write_together(void)
{
	struct writer blocker = { .fn = block };

	sem_init(&gate, 0, 0);
	sem_init(&waiting, 0, 0);
	pthread_create(&blocker.thread, NULL, write_one, &blocker);
	sem_wait(&waiting);
	for (int i = 0; i < WRITERS; i++)
		pthread_create(&writers[i].thread, NULL, write_one,
			       &writers[i]);
	usleep(200000);
	sem_post(&gate);
	pthread_join(blocker.thread, NULL);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	assert_int_equal(blocker.r, 0);
}

static void prepare_writers(void)
{
	for (int i = 0; i < WRITERS; i++)
		writers[i] = (struct writer){
			.number = i,
			.fn = put_mine,
			.err = ERROR_NULL,
			.op = operation_new(OPERATION_PREPARE, "x", "uid:0",
					    ""),
		};
}

/* Is the writer's row there? */
static bool has_row(const struct writer *w)
{
	for (size_t i = 0; i < loaded.n_ops; i++)
		if (str_eq(loaded.ops[i]->name, w->op->name))
			return true;

	return false;
}

static void drop_writers(void)
{
	for (int i = 0; i < WRITERS; i++)
		operation_free(writers[i].op);
}

static void writers_share_a_commit(void **state)
{
	uint64_t commits = store_commits(store);

	prepare_writers();
	write_together();
	assert_in_range(store_commits(store) - commits, 2, WRITERS / 2);
	reload();
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(writers[i].r, 0);
		assert_int_equal(writers[i].calls, 1);
		assert_true(has_row(&writers[i]));
	}
	drop_writers();
}

static void a_job_that_fails_does_not_harm_its_batch(void **state)
{
	prepare_writers();
	writers[3].fn = put_and_fail;
	writers[7].fn = put_and_hide;
	write_together();
	reload();
	for (int i = 0; i < WRITERS; i++) {
		bool fails = i == 3 || i == 7;

		assert_int_equal(writers[i].r, i == 3 ? -ECANCELED :
					       i == 7 ? -EINVAL : 0);
		assert_int_equal(has_row(&writers[i]), !fails);
	}
	assert_int_equal(writers[3].err.kind, ERROR_LEASE_STATE);
	assert_false(store_dead(store));
	drop_writers();
}

static void a_lost_transaction_is_written_anew_without_its_job(void **state)
{
	prepare_writers();
	writers[5].fn = lose_transaction;
	writers[9].fn = put_and_fail;
	writers[WRITERS - 1].fn = lose_transaction;
	write_together();
	reload();
	for (int i = 0; i < WRITERS; i++) {
		bool loses = writers[i].fn == lose_transaction;

		assert_int_equal(writers[i].r, loses ? -ENOMEM :
					       i == 9 ? -ECANCELED : 0);
		assert_int_equal(has_row(&writers[i]), !loses && i != 9);
		if (loses)
			assert_int_equal(writers[i].calls, 1);
	}
	assert_int_equal(writers[5].err.kind, ERROR_DAEMON_NO_MEMORY);
	assert_false(store_dead(store));
	drop_writers();
}

/* --- ends --- */

/* In a child: write for ever, and tell each name once it is durable. */
static void *write_for_ever(void *data)
{
	int out = (int)(intptr_t)data;

	for (;;) {
		struct operation *op = operation_new(OPERATION_PREPARE, "x",
						     "uid:0", "");

		add_step(op, 0);
		if (store_write(store, put_operation, op, NULL))
			_exit(1);
		if (write(out, op->name, NAME_SIZE) != NAME_SIZE)
			_exit(2);
		operation_free(op);
	}
}

/* Names are written to a pipe whole, and read by the one that asks. */
static int child_that_writes(pid_t *ret_pid)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	*ret_pid = fork();
	assert_true(*ret_pid >= 0);
	if (!*ret_pid) {
		pthread_t thread;

		if (store_open(dir, NULL, NULL, &store, NULL))
			_exit(3);
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, write_for_ever,
				       (void *)(intptr_t)p[1]);
		write_for_ever((void *)(intptr_t)p[1]);
	}
	fd_close(p[1]);

	return p[0];
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Is every name that comes out of @in a row? Returns how many came. */
static size_t check_acknowledged(int in)
{
	static char names[OPS_MAX][NAME_SIZE], acked[NAME_SIZE];
	size_t count = 0;

	for (size_t i = 0; i < loaded.n_ops; i++)
		str_copy(names[i], NAME_SIZE, loaded.ops[i]->name);
	qsort(names, loaded.n_ops, NAME_SIZE, compare);
	while (read(in, acked, NAME_SIZE) == NAME_SIZE) {
		count++;
		if (!bsearch(acked, names, loaded.n_ops, NAME_SIZE, compare))
			fail_msg("%s is lost", acked);
	}

	return count;
}

static void a_kill_loses_nothing_that_was_acknowledged(void **state)
{
	size_t total = 0;

	for (int round = 0; round < 8; round++) {
		struct pollfd first;
		pid_t pid;
		int status, in;

		store = store_close(store);
		in = child_that_writes(&pid);
		/* From the first name on; a full pipe would make them wait. */
		first = (struct pollfd){ .fd = in, .events = POLLIN };
		assert_int_equal(poll(&first, 1, 30000), 1);
		usleep((useconds_t)round * 3919);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		reload();
		total += check_acknowledged(in);
		fd_close(in);
	}
	assert_true(total >= 8);
}

static _Atomic int deaths;

static void count_death(void *data)
{
	deaths++;
}

/* In a child: write until the disk fails. Exits with what went wrong. */
static void write_until_dead(int out)
{
	struct error err = ERROR_NULL;
	int r;

	for (;;) {
		struct operation *op = operation_new(OPERATION_PREPARE, "x",
						     "uid:0", "");

		for (unsigned int i = 0; i < 20; i++)
			add_step(op, i);
		r = store_write(store, put_operation, op, &err);
		if (!r && write(out, op->name, NAME_SIZE) != NAME_SIZE)
			_exit(10);
		operation_free(op);
		if (r)
			break;
	}
	if (r != -EIO || err.kind != ERROR_DAEMON_READ_ONLY)
		_exit(11);
	if (!store_dead(store) || deaths != 1)
		_exit(12);
}

/* In the same child: the disk is well again, but we do not believe it. */
static void check_stays_dead(void)
{
	uint64_t value = 1;
	struct error err = ERROR_NULL;

	if (store_write(store, put_revision, &value, &err) != -EIO ||
	    err.kind != ERROR_DAEMON_READ_ONLY || deaths != 1)
		_exit(13);
	store = store_close(store);
}

/* Fail the write that would pass @size. */
static void fail_beyond(rlim_t size)
{
	struct rlimit limit = { size, RLIM_INFINITY };
	int p[2], status;
	pid_t pid;

	store = store_close(store);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		signal(SIGXFSZ, SIG_IGN);
		if (store_open(dir, count_death, NULL, &store, NULL))
			_exit(9);
		setrlimit(RLIMIT_FSIZE, &limit);
		write_until_dead(p[1]);
		limit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_FSIZE, &limit);
		check_stays_dead();
		_exit(0);
	}
	fd_close(p[1]);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	reload();
	assert_true(check_acknowledged(p[0]) > 0);
	fd_close(p[0]);
}

/* At a frame's end, in its header, in its page, at its last byte. */
static void a_failing_disk_ends_all_writing(void **state)
{
	for (rlim_t i = 0; i < 10; i++) {
		fail_beyond((128 << 10) + i * 1777);
		teardown(NULL);
		setup(NULL);
	}
}

/* In a mount namespace of its own, on a file system of 400 KiB. */
static void a_full_disk_ends_all_writing(void **state)
{
	int p[2], status;
	pid_t pid;

	store = store_close(store);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS) ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("tmpfs", dir, "tmpfs", 0, "size=400k"))
			_exit(77);
		if (store_open(dir, count_death, NULL, &store, NULL))
			_exit(9);
		write_until_dead(p[1]);
		if (mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=4M"))
			_exit(8);
		check_stays_dead();
		if (store_open(dir, NULL, NULL, &store, NULL) ||
		    store_load(store, &loader, NULL, NULL))
			_exit(7);
		fd_close(p[1]);
		_exit(check_acknowledged(p[0]) ? 0 : 6);
	}
	fd_close(p[1]);
	fd_close(p[0]);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void closing_writes_what_is_queued(void **state)
{
	assert_null(store_close(NULL));
	assert_true(store_pages(store) > 5);
	prepare_writers();
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(store_write(store, put_mine, &writers[i],
					     NULL), 0);
	reload();
	assert_int_equal(loaded.n_ops, WRITERS);
	/* Oldest first. */
	for (int i = 0; i < WRITERS; i++)
		assert_string_equal(loaded.ops[i]->name,
				    writers[i].op->name);
	drop_writers();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(devices_come_back_as_they_were),
		T(leases_come_back_as_they_were),
		T(nodes_come_back_as_they_were),
		T(spaces_come_back_as_they_were),
		T(page_tables_come_back_as_they_were),
		T(leases_of_version_2_are_kept_whole),
		T(operations_come_back_as_they_were),
		T(steps_are_written_once),
		T(text_that_is_not_utf8_is_mended),
		T(the_revision_never_goes_back),
		T(numbers_beyond_63_bits_are_refused),
		T(a_loader_may_give_up),
		T(the_folder_is_made_for_us_alone),
		T(a_second_opener_is_refused),
		T(the_database_is_set_to_last),
		T(a_newer_database_is_refused_and_left_alone),
		T(what_is_no_database_is_damaged),
		T(tables_of_others_are_damaged),
		T(a_folder_that_cannot_be_is_an_io_error),
		T(damaged_rows_are_named),
		T(a_revision_too_few_or_too_many_is_damaged),
		T(writers_share_a_commit),
		T(a_job_that_fails_does_not_harm_its_batch),
		T(a_lost_transaction_is_written_anew_without_its_job),
		T(a_kill_loses_nothing_that_was_acknowledged),
		T(a_failing_disk_ends_all_writing),
		T(a_full_disk_ends_all_writing),
		T(closing_writes_what_is_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
