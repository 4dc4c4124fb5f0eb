/* SPDX-License-Identifier: Apache-2.0
 *
 * load.c - rows into objects, at start-up; every column checked as if from a
 *	    stranger
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/rows.h"

/**
 * get_list() - The next column, a list
 * @g:		The rows
 * @fn:		Gets each line, which is three fields parted by tabulators
 * @data:	For @fn
 */
static void get_list(struct get *g,
		     void (*fn)(struct get *g, void *data, char *fields[3]),
		     void *data)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	char *rest;

	if (g->r)
		return;
	size = (size_t)sqlite3_column_bytes(g->statement, g->column) + 1;
	text = malloc(size);
	if (!text) {
		g->r = db_error(NULL, SQLITE_NOMEM, g->table, g->err);
		return;
	}
	get_text(g, text, size);

	rest = text;
	while (!g->r && *rest) {
		char *line = strsep(&rest, "\n"), *fields[3];

		for (int i = 0; i < 3; i++)
			fields[i] = strsep(&line, "\t");
		if (!rest || !fields[2] || line) {
			bad(g, "is no list of lines of three fields");
			return;
		}
		fn(g, data, fields);
	}
}

/**
 * keep() - Put a field into its place
 * @g:		The rows
 * @dst:	The place
 * @size:	Room there
 * @field:	The field
 */
static void keep(struct get *g, char *dst, size_t size, const char *field)
{
	if (!str_copy(dst, size, field))
		bad(g, "has a field that is too long");
}

/**
 * load_revision() - Give the revision to the loader
 * @db:		The database
 * @loader:	Who takes it
 * @data:	For @loader
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int load_revision(struct db *db, const struct store_loader *loader,
			 void *data, struct error *err)
{
	struct get g = get_begin(db, DB_GET_REVISION, "revision", NULL, err);
	uint64_t revision = 0;
	int rows = 0, r;

	while (get_row(&g)) {
		revision = get_number(&g, INT64_MAX);
		rows++;
	}
	if (!g.r && rows != 1)
		g.r = error_set(err, -EUCLEAN, ERROR_STORE_DAMAGED,
				"table 'revision' has %d rows, not one", rows);
	r = get_end(&g);

	return r < 0 ? r : loader->revision(data, revision);
}

/**
 * parse_reset_set() - Take the list of PCI functions apart
 * @g:		The rows
 * @text:	Parted by blanks; changed
 * @caps:	@reset_set is filled
 */
static void parse_reset_set(struct get *g, char *text,
			    struct capabilities *caps)
{
	char *bdf;

	if (!*text)
		return;
	while ((bdf = strsep(&text, " "))) {
		size_t n = strlen(bdf);

		if (!n || n >= BDF_SIZE ||
		    strspn(bdf, "0123456789abcdef:.") != n ||
		    caps->n_reset_set == RESET_SET_MAX) {
			bad(g, "is no list of PCI functions");
			return;
		}
		(void)str_copy(caps->reset_set[caps->n_reset_set++], BDF_SIZE,
			       bdf);
	}
}

/**
 * load_ranges() - Read a device's usable ranges
 * @db:		The database
 * @device:	Its name
 * @caps:	@ranges is filled
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int load_ranges(struct db *db, const char *device,
		       struct capabilities *caps, struct error *err)
{
	struct get g = get_begin(db, DB_GET_RANGES, "capability_range", device,
				 err);

	while (get_row(&g)) {
		struct kernel_range range;

		range.start = get_u64(&g);
		range.last = get_u64(&g);
		if (range.last < range.start)
			bad(&g, "lies before the start");
		else if (caps->n_ranges == CAPABILITY_RANGES_MAX)
			bad(&g, "there are too many");
		else
			caps->ranges[caps->n_ranges++] = range;
	}

	return get_end(&g);
}

/**
 * load_tce() - Read which windows a device's container can have
 * @db:		The database
 * @device:	Its name
 * @ret:	Filled; as it was if there is nothing
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int load_tce(struct db *db, const char *device,
		    struct kernel_tce_info *ret, struct error *err)
{
	struct get g = get_begin(db, DB_GET_TCE, "capability_tce", device, err);
	char name[NAME_SIZE];

	while (get_row(&g)) {
		get_text(&g, name, sizeof(name));
		ret->dma32_start = get_u64(&g);
		ret->dma32_size = get_u64(&g);
		ret->page_sizes = get_u64(&g);
		ret->max_windows = (uint32_t)get_number(&g, UINT32_MAX);
		ret->levels = (uint32_t)get_number(&g, UINT32_MAX);
		ret->kernel_page = get_u64(&g);
	}
	return get_end(&g);
}

/**
 * load_capability() - Read what a probe found on a device
 * @db:		The database
 * @device:	Its name
 * @ret:	Filled
 * @err:	Filled on failure
 *
 * Return: 1; 0 if there is none; -errno.
 */
static int load_capability(struct db *db, const char *device,
			   struct capabilities *ret, struct error *err)
{
	char set[RESET_SET_MAX * BDF_SIZE + 1], name[NAME_SIZE], backend[16];
	struct get g = get_begin(db, DB_GET_CAPABILITY, "capability", device,
				 err);
	bool found = false;
	int r;

	*ret = (struct capabilities){ 0 };
	while (get_row(&g)) {
		found = true;
		get_text(&g, name, sizeof(name));
		get_text(&g, ret->driver, sizeof(ret->driver));
		get_text(&g, ret->boot_id, sizeof(ret->boot_id));
		ret->probed_us = get_number(&g, INT64_MAX);
		ret->alignment = get_u64(&g);
		ret->hw.type = (uint32_t)get_number(&g, UINT32_MAX);
		ret->hw.data_len = (uint32_t)get_blob(&g, ret->hw.data,
						      sizeof(ret->hw.data));
		ret->hw.capabilities = get_u64(&g);
		ret->hw.max_pasid_log2 = (uint8_t)get_number(&g, UINT8_MAX);
		ret->nest_parent = get_number(&g, 1);
		ret->dirty_tracking = get_number(&g, 1);
		ret->pasid = get_number(&g, 1);
		ret->bind_us = get_number(&g, INT64_MAX);
		get_text(&g, set, sizeof(set));
		parse_reset_set(&g, set, ret);
		get_text(&g, backend, sizeof(backend));
		if (kernel_backend_from_name(backend, &ret->backend) < 0)
			bad(&g, "is no backend");
		ret->dma_entries = (uint32_t)get_number(&g, UINT32_MAX);
	}
	r = get_end(&g);
	if (!r && found)
		r = load_ranges(db, device, ret, err);
	if (!r && found && ret->backend == KERNEL_BACKEND_SPAPR)
		r = load_tce(db, device, &ret->tce, err);

	return r < 0 ? r : found;
}

/**
 * get_record() - Read the columns of a device
 * @g:		At a row; past name and revision
 * @record:	Filled
 */
static void get_record(struct get *g, struct device_record *record)
{
	char trouble[32];

	record->vendor = (uint16_t)get_number(g, UINT16_MAX);
	record->device = (uint16_t)get_number(g, UINT16_MAX);
	record->subsystem_vendor = (uint16_t)get_number(g, UINT16_MAX);
	record->subsystem_device = (uint16_t)get_number(g, UINT16_MAX);
	record->class = (uint32_t)get_number(g, 0xffffff);
	record->prepared = get_number(g, 1);
	get_text(g, record->vfio_driver, sizeof(record->vfio_driver));
	get_text(g, record->former_driver, sizeof(record->former_driver));
	get_text(g, record->former_override, sizeof(record->former_override));
	record->no_reset = get_number(g, 1);
	record->unsafe_interrupts = get_number(g, 1);
	record->no_iommu = get_number(g, 1);
	get_text(g, trouble, sizeof(trouble));
	if (!g->r && device_trouble_from_name(trouble, &record->trouble))
		bad(g, "is no trouble that a device can have");
	get_text(g, record->reason, sizeof(record->reason));
	get_text(g, record->remedy, sizeof(record->remedy));
	record->stuck.pid = (pid_t)get_number(g, INT_MAX);
	record->stuck.start_ticks = get_number(g, INT64_MAX);
	get_text(g, record->stuck.boot_id, sizeof(record->stuck.boot_id));
	get_text(g, record->stuck.call, sizeof(record->stuck.call));
	get_text(g, record->last_lease, sizeof(record->last_lease));
	record->last_uid = (uid_t)get_number(g, UINT32_MAX);
}

/**
 * load_devices() - Give each device to the loader
 * @db:		The database
 * @loader:	Who takes them
 * @data:	For @loader
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int load_devices(struct db *db, const struct store_loader *loader,
			void *data, struct error *err)
{
	struct get g = get_begin(db, DB_GET_DEVICES, "device", NULL, err);

	while (get_row(&g)) {
		struct device_record record = { 0 };
		struct capabilities caps;
		char name[NAME_SIZE];
		uint64_t revision;
		int has_caps;

		get_name(&g, "devices/", name);
		revision = get_number(&g, INT64_MAX);
		get_record(&g, &record);
		if (g.r)
			break;
		has_caps = load_capability(db, name, &caps, err);
		g.r = has_caps < 0 ? has_caps :
		      loader->device(data, name, revision, &record,
				     has_caps ? &caps : NULL);
	}

	return get_end(&g);
}

/**
 * load_lease_devices() - Read the devices of a lease
 * @db:		The database
 * @lease:	@devices is filled
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int load_lease_devices(struct db *db, struct lease *lease,
			      struct error *err)
{
	struct get g = get_begin(db, DB_GET_LEASE_DEVICES, "lease_device",
				 lease->name, err);

	while (get_row(&g)) {
		char name[NAME_SIZE];
		uint32_t id;

		if (get_number(&g, LEASE_DEVICES_MAX - 1) !=
		    lease->devices.n) {
			bad(&g, "is not the next one");
			break;
		}
		get_text(&g, name, sizeof(name));
		if (!g.r && !str_starts(name, "devices/"))
			bad(&g, "is not the name of a device");
		id = (uint32_t)get_number(&g, UINT32_MAX);
		lease->device_ids[lease->devices.n] = id;
		lease->n_device_ids += id != 0;
		if (!g.r && strv_add(&lease->devices, name))
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
	}

	/* All of them have one, or there is no iommufd. */
	if (!g.r && lease->n_device_ids &&
	    lease->n_device_ids != lease->devices.n)
		g.r = error_set(err, -EUCLEAN, ERROR_STORE_DAMAGED,
				"table 'lease_device', row '%s': some have a kernel_id",
				lease->name);

	return get_end(&g);
}

/**
 * load_holders() - Read the holders of a lease
 * @db:		The database
 * @lease:	@holders is filled
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int load_holders(struct db *db, struct lease *lease, struct error *err)
{
	struct get g = get_begin(db, DB_GET_HOLDERS, "holder", lease->name,
				 err);

	while (get_row(&g)) {
		struct holder holder = { 0 };
		struct process *process = &holder.process;
		char name[NAME_SIZE];

		get_text(&g, name, sizeof(name));
		if (get_number(&g, UINT32_MAX) != lease->n_holders)
			bad(&g, "is not the next one");
		process->pid = (pid_t)get_number(&g, INT_MAX);
		process->start_ticks = get_number(&g, INT64_MAX);
		get_text(&g, holder.boot_id, sizeof(holder.boot_id));
		holder.pidfd_inode = get_number(&g, INT64_MAX);
		get_text(&g, process->cgroup, sizeof(process->cgroup));
		process->uid = (uid_t)get_number(&g, UINT32_MAX);
		process->gid = (gid_t)get_number(&g, UINT32_MAX);
		holder.memlock_before = get_u64(&g);
		holder.since_us = get_number(&g, INT64_MAX);
		holder.until_us = get_number(&g, INT64_MAX);
		get_text(&g, holder.why, sizeof(holder.why));
		holder.memlock_hard_before = get_u64(&g);
		if (!g.r && lease_add_holder(lease, &holder))
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
	}

	return get_end(&g);
}

/**
 * get_lease() - Read the columns of a lease
 * @g:		At a row
 * @lease:	Filled
 */
static void get_lease(struct get *g, struct lease *lease)
{
	char word[32];
	size_t n;

	get_name(g, "leases/", lease->name);
	lease->revision = get_number(g, INT64_MAX);
	get_text(g, lease->request_id, sizeof(lease->request_id));
	get_text(g, word, sizeof(word));
	if (!g->r && lease_state_from_name(word, &lease->state))
		bad(g, "is no state of a lease");
	get_text(g, word, sizeof(word));
	if (!g->r && lease_mode_from_name(word, &lease->mode))
		bad(g, "is no mode of a lease");
	lease->owner_uid = (uid_t)get_number(g, UINT32_MAX);
	lease->claimant_uid = (uid_t)get_number(g, UINT32_MAX);
	lease->claimant_pid = (pid_t)get_number(g, INT_MAX);
	lease->memlock = get_u64(g);
	lease->memlock_unlimited = get_number(g, 1);
	lease->expires_us = get_number(g, INT64_MAX);
	lease->incarnation = (uint32_t)get_number(g, UINT32_MAX);
	lease->acknowledged = get_number(g, 1);
	lease->restore_after = get_number(g, 1);
	get_text(g, lease->reclaim, sizeof(lease->reclaim));
	lease->created_us = get_number(g, INT64_MAX);
	lease->ended_us = get_number(g, INT64_MAX);
	get_text(g, lease->end_reason, sizeof(lease->end_reason));
	get_text(g, lease->owner, sizeof(lease->owner));
	get_text(g, lease->claimant_unit, sizeof(lease->claimant_unit));
	n = get_blob(g, lease->token_hash, sizeof(lease->token_hash));
	lease->has_token = n != 0;
	if (!g->r && n && n != sizeof(lease->token_hash))
		bad(g, "is no hash");
	lease->token_expires_us = get_number(g, INT64_MAX);
	get_text(g, lease->fingerprint, sizeof(lease->fingerprint));
	lease->grace_ms = (uint32_t)get_number(g, UINT32_MAX);
	lease->volatile_lease = get_number(g, 1);
	lease->shared_uid = get_number(g, 1);
	lease->released_us = get_number(g, INT64_MAX);
}

/**
 * load_leases() - Give each lease to the loader
 * @db:		The database
 * @loader:	Who takes them
 * @data:	For @loader
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int load_leases(struct db *db, const struct store_loader *loader,
		       void *data, struct error *err)
{
	struct get g = get_begin(db, DB_GET_LEASES, "lease", NULL, err);

	while (get_row(&g)) {
		struct lease *lease = lease_new();

		if (!lease) {
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
			break;
		}
		get_lease(&g, lease);
		if (!g.r)
			g.r = load_lease_devices(db, lease, err);
		if (!g.r)
			g.r = get_labels(db, DB_GET_LABELS, "lease_label",
					 lease->name, LEASE_LABELS_MAX,
					 &lease->labels, err);
		if (!g.r)
			g.r = load_holders(db, lease, err);
		if (!g.r)
			g.r = store_load_spaces(db, lease, err);
		if (!g.r && lease->mode == LEASE_GUARDED)
			g.r = store_load_mappings(db, lease, err);
		if (!g.r)
			g.r = store_load_tables(db, lease, err);
		if (!g.r)
			g.r = store_load_nodes(db, lease, err);
		if (!g.r)
			g.r = loader->lease(data, lease);
		else
			lease_free(lease);
	}

	return get_end(&g);
}

/**
 * keep_undo() - One line of an operation's undo list
 * @g:		The rows
 * @data:	struct operation
 * @fields:	The line
 */
static void keep_undo(struct get *g, void *data, char *fields[3])
{
	struct undo undo = { 0 };

	keep(g, undo.device, sizeof(undo.device), fields[0]);
	keep(g, undo.driver, sizeof(undo.driver), fields[1]);
	keep(g, undo.override, sizeof(undo.override), fields[2]);
	if (!g->r && operation_add_undo(data, &undo))
		g->r = db_error(NULL, SQLITE_NOMEM, g->table, g->err);
}

/**
 * keep_cause() - One line of an operation's causes of failure
 * @g:		The rows
 * @data:	struct operation
 * @fields:	The line
 */
static void keep_cause(struct get *g, void *data, char *fields[3])
{
	struct error *error = &((struct operation *)data)->error;

	if (error->n_causes == ERROR_MAX_CAUSES) {
		bad(g, "has too many lines");
		return;
	}
	error_cause(error, fields[0], fields[1], "%s", fields[2]);
}

/**
 * get_failure() - Read the columns that say why an operation failed
 * @g:		At a row
 * @error:	Filled but for the causes, which come last
 */
static void get_failure(struct get *g, struct error *error)
{
	char id[64];

	get_text(g, id, sizeof(id));
	if (!g->r && id[0]) {
		error->kind = error_from_name(id);
		if (error->kind == ERROR_NONE)
			bad(g, "is no error of the catalogue");
	}
	get_text(g, error->msg, sizeof(error->msg));
	get_text(g, error->object, sizeof(error->object));
	get_text(g, error->remedy, sizeof(error->remedy));
}

/**
 * get_operation() - Read the columns of an operation
 * @g:		At a row
 * @op:		Filled
 */
static void get_operation(struct get *g, struct operation *op)
{
	char word[32];

	get_name(g, "operations/", op->name);
	op->revision = get_number(g, INT64_MAX);
	get_text(g, op->request_id, sizeof(op->request_id));
	get_text(g, op->principal, sizeof(op->principal));
	get_text(g, word, sizeof(word));
	if (!g->r && operation_kind_from_name(word, &op->kind))
		bad(g, "is no kind of operation");
	get_text(g, op->target, sizeof(op->target));
	get_text(g, word, sizeof(word));
	if (!g->r && operation_state_from_name(word, &op->state))
		bad(g, "is no state of an operation");
	get_text(g, op->step, sizeof(op->step));
	get_list(g, keep_undo, op);
	get_failure(g, &op->error);
	get_list(g, keep_cause, op);
	op->created_us = get_number(g, INT64_MAX);
	op->ended_us = get_number(g, INT64_MAX);
	get_text(g, op->fingerprint, sizeof(op->fingerprint));
}

/**
 * load_steps() - Read the steps of an operation
 * @db:		The database
 * @op:		@steps is filled
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int load_steps(struct db *db, struct operation *op, struct error *err)
{
	struct get g = get_begin(db, DB_GET_STEPS, "step", op->name, err);

	while (get_row(&g)) {
		struct step step = { 0 };
		char name[NAME_SIZE];

		get_text(&g, name, sizeof(name));
		if (get_number(&g, OPERATION_STEPS_MAX - 1) != op->n_steps)
			bad(&g, "is not the next one");
		get_text(&g, step.object, sizeof(step.object));
		get_text(&g, step.act, sizeof(step.act));
		get_text(&g, step.method, sizeof(step.method));
		get_text(&g, step.result, sizeof(step.result));
		step.took_us = get_number(&g, INT64_MAX);
		step.at_us = get_number(&g, INT64_MAX);
		if (!g.r && operation_add_step(op, &step))
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
	}

	return get_end(&g);
}

/**
 * load_operations() - Give each operation to the loader
 * @db:		The database
 * @loader:	Who takes them
 * @data:	For @loader
 * @err:	Filled on failure
 *
 * The step at work is set after the steps: adding one changes it.
 *
 * Return: 0 or -errno.
 */
static int load_operations(struct db *db, const struct store_loader *loader,
			   void *data, struct error *err)
{
	struct get g = get_begin(db, DB_GET_OPERATIONS, "operation", NULL,
				 err);

	while (get_row(&g)) {
		struct operation *op = calloc(1, sizeof(*op));
		char step[sizeof(op->step)];

		if (!op) {
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
			break;
		}
		get_operation(&g, op);
		(void)str_copy(step, sizeof(step), op->step);
		if (!g.r)
			g.r = load_steps(db, op, err);
		(void)str_copy(op->step, sizeof(op->step), step);
		if (!g.r)
			g.r = loader->operation(data, op);
		else
			operation_free(op);
	}

	return get_end(&g);
}

/* db_load() - Read all rows */
int db_load(struct db *db, const struct store_loader *loader, void *data,
	    struct error *err)
{
	int r;

	r = load_revision(db, loader, data, err);
	if (!r)
		r = load_devices(db, loader, data, err);
	if (!r)
		r = load_leases(db, loader, data, err);
	if (!r)
		r = load_operations(db, loader, data, err);

	return r;
}
