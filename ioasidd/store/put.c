/* SPDX-License-Identifier: Apache-2.0
 *
 * put.c - objects into rows; on the writer thread, inside a store_fn
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "store/rows.h"

/* store_put_revision() - The revision of the newest change */
int store_put_revision(struct store_tx *tx, uint64_t revision,
		       struct error *err)
{
	struct put p = put_begin(tx, DB_PUT_REVISION);

	put_number(&p, revision);
	return put_end(&p, "write the revision", err);
}

/* put_tce() - Write which windows a device's container can have */
static int put_tce(struct store_tx *tx, const char *name,
		   const struct kernel_tce_info *tce, struct error *err)
{
	struct put p = put_begin(tx, DB_PUT_TCE);

	put_text(&p, name);
	put_u64(&p, tce->dma32_start);
	put_u64(&p, tce->dma32_size);
	put_u64(&p, tce->page_sizes);
	put_number(&p, tce->max_windows);
	put_number(&p, tce->levels);
	put_u64(&p, tce->kernel_page);
	return put_end(&p, "write a device's windows", err);
}

/**
 * put_capability() - Write what a probe found
 * @tx:		The transaction
 * @name:	The device; its row is there, and none of this
 * @caps:	What was found
 * @err:	Filled on failure
 *
 * Return: 0 or as db_error().
 */
static int put_capability(struct store_tx *tx, const char *name,
			  const struct capabilities *caps, struct error *err)
{
	char set[RESET_SET_MAX * BDF_SIZE + 1] = "";
	struct put p = put_begin(tx, DB_PUT_CAPABILITY);
	size_t n = 0;
	int r;

	for (size_t i = 0; i < caps->n_reset_set; i++) {
		(void)str_format(set + n, sizeof(set) - n, "%s%s",
				 n ? " " : "", caps->reset_set[i]);
		n += strlen(set + n);
	}

	put_text(&p, name);
	put_text(&p, caps->driver);
	put_text(&p, caps->boot_id);
	put_number(&p, caps->probed_us);
	put_u64(&p, caps->alignment);
	put_number(&p, caps->hw.type);
	put_blob(&p, caps->hw.data, caps->hw.data_len);
	put_u64(&p, caps->hw.capabilities);
	put_number(&p, caps->hw.max_pasid_log2);
	put_number(&p, caps->nest_parent);
	put_number(&p, caps->dirty_tracking);
	put_number(&p, caps->pasid);
	put_number(&p, caps->bind_us);
	put_text(&p, set);
	put_text(&p, kernel_backend_name(caps->backend));
	put_number(&p, caps->dma_entries);
	r = put_end(&p, "write a device's capabilities", err);

	for (size_t i = 0; i < caps->n_ranges && !r; i++) {
		p = put_begin(tx, DB_PUT_RANGE);
		put_text(&p, name);
		put_u64(&p, caps->ranges[i].start);
		put_u64(&p, caps->ranges[i].last);
		r = put_end(&p, "write a device's range", err);
	}
	if (!r && caps->backend == KERNEL_BACKEND_SPAPR)
		r = put_tce(tx, name, &caps->tce, err);

	return r;
}

/* store_put_device() - Name, revision, record, and the capabilities */
int store_put_device(struct store_tx *tx, const char *name, uint64_t revision,
		     const struct device_record *record,
		     const struct capabilities *caps, struct error *err)
{
	struct put p = put_begin(tx, DB_PUT_DEVICE);
	int r;

	put_text(&p, name);
	put_number(&p, revision);
	put_number(&p, record->vendor);
	put_number(&p, record->device);
	put_number(&p, record->subsystem_vendor);
	put_number(&p, record->subsystem_device);
	put_number(&p, record->class);
	put_number(&p, record->prepared);
	put_text(&p, record->vfio_driver);
	put_text(&p, record->former_driver);
	put_text(&p, record->former_override);
	put_number(&p, record->no_reset);
	put_number(&p, record->unsafe_interrupts);
	put_number(&p, record->no_iommu);
	put_text(&p, device_trouble_name(record->trouble));
	put_text(&p, record->reason);
	put_text(&p, record->remedy);
	put_number(&p, (uint64_t)record->stuck.pid);
	put_number(&p, record->stuck.start_ticks);
	put_text(&p, record->stuck.boot_id);
	put_text(&p, record->stuck.call);
	put_text(&p, record->last_lease);
	put_number(&p, record->last_uid);
	r = put_end(&p, "write a device", err);
	if (!r && caps)
		r = put_capability(tx, name, caps, err);

	return r;
}

/**
 * put_holder() - Write one holder
 * @tx:		The transaction
 * @lease:	The lease's name
 * @number:	Which one
 * @holder:	The holder
 * @err:	Filled on failure
 *
 * Return: 0 or as db_error().
 */
static int put_holder(struct store_tx *tx, const char *lease, size_t number,
		      const struct holder *holder, struct error *err)
{
	struct put p = put_begin(tx, DB_PUT_HOLDER);

	put_text(&p, lease);
	put_number(&p, number);
	put_number(&p, (uint64_t)holder->process.pid);
	put_number(&p, holder->process.start_ticks);
	put_text(&p, holder->boot_id);
	put_number(&p, holder->pidfd_inode);
	put_text(&p, holder->process.cgroup);
	put_number(&p, holder->process.uid);
	put_number(&p, holder->process.gid);
	put_u64(&p, holder->memlock_before);
	put_number(&p, holder->since_us);
	put_number(&p, holder->until_us);
	put_text(&p, holder->why);
	put_u64(&p, holder->memlock_hard_before);
	return put_end(&p, "write a holder", err);
}

/**
 * put_lists() - Write a lease's devices, labels and holders
 * @tx:		The transaction
 * @lease:	Its row is there, and none of these
 * @err:	Filled on failure
 *
 * Return: 0 or as db_error().
 */
static int put_lists(struct store_tx *tx, const struct lease *lease,
		     struct error *err)
{
	struct put p;
	int r = 0;

	for (size_t i = 0; i < lease->devices.n && !r; i++) {
		p = put_begin(tx, DB_PUT_LEASE_DEVICE);
		put_text(&p, lease->name);
		put_number(&p, i);
		put_text(&p, lease->devices.items[i]);
		put_number(&p, i < lease->n_device_ids ?
				       lease->device_ids[i] : 0);
		r = put_end(&p, "write a lease's device", err);
	}

	for (size_t i = 0; i + 1 < lease->labels.n && !r; i += 2) {
		p = put_begin(tx, DB_PUT_LABEL);
		put_text(&p, lease->name);
		put_text(&p, lease->labels.items[i]);
		put_text(&p, lease->labels.items[i + 1]);
		r = put_end(&p, "write a lease's label", err);
	}

	for (size_t i = 0; i < lease->n_holders && !r; i++)
		r = put_holder(tx, lease->name, i, &lease->holders[i], err);

	return r;
}

/* store_put_lease() - The lease with devices, labels and holders */
int store_put_lease(struct store_tx *tx, const struct lease *lease,
		    struct error *err)
{
	struct put p = put_begin(tx, DB_PUT_LEASE);
	int r;

	put_text(&p, lease->name);
	put_number(&p, lease->revision);
	put_text(&p, lease->request_id);
	put_text(&p, lease_state_name(lease->state));
	put_text(&p, lease_mode_name(lease->mode));
	put_number(&p, lease->owner_uid);
	put_number(&p, lease->claimant_uid);
	put_number(&p, (uint64_t)lease->claimant_pid);
	put_u64(&p, lease->memlock);
	put_number(&p, lease->memlock_unlimited);
	put_number(&p, lease->expires_us);
	put_number(&p, lease->incarnation);
	put_number(&p, lease->acknowledged);
	put_number(&p, lease->restore_after);
	put_text(&p, lease->reclaim);
	put_number(&p, lease->created_us);
	put_number(&p, lease->ended_us);
	put_text(&p, lease->end_reason);
	put_text(&p, lease->owner);
	put_text(&p, lease->claimant_unit);
	put_blob(&p, lease->token_hash,
		 lease->has_token ? sizeof(lease->token_hash) : 0);
	put_number(&p, lease->token_expires_us);
	put_text(&p, lease->fingerprint);
	put_number(&p, lease->grace_ms);
	put_number(&p, lease->volatile_lease);
	put_number(&p, lease->shared_uid);
	put_number(&p, lease->released_us);
	r = put_end(&p, "write a lease", err);
	if (!r)
		r = put_lists(tx, lease, err);
	if (!r)
		r = store_put_spaces(tx, lease, err);
	if (!r && lease->mode == LEASE_GUARDED)
		r = store_trim_mappings(tx, lease, err);
	if (!r)
		r = store_put_tables(tx, lease, err);
	if (!r)
		r = store_put_nodes(tx, lease, err);

	return r;
}

/**
 * field() - Write one field of a line of a list in a column
 * @f:		Where
 * @s:		The field; cleaned here, where the characters that part fields
 *		and lines can still be told from those of strangers
 * @end:	What follows it
 */
static void field(FILE *f, const char *s, char end)
{
	char clean[256];

	(void)str_copy(clean, sizeof(clean), s);
	fprintf(f, "%s%c", str_clean(clean), end);
}

/**
 * list_open() - Begin a list that goes into one column
 * @ret:	To be freed, after list_close()
 * @ret_size:	Its length
 *
 * Return: where to write; NULL without memory.
 */
static FILE *list_open(char **ret, size_t *ret_size)
{
	*ret = NULL;
	return open_memstream(ret, ret_size);
}

/**
 * list_close() - End a list
 * @f:		NULL if it could not be begun
 *
 * Return: 0 or -ENOMEM.
 */
static int list_close(FILE *f)
{
	bool failed = !f || ferror(f);

	if (f && fclose(f))
		failed = true;

	return failed ? -ENOMEM : 0;
}

/**
 * undo_list() - What an operation changes, as it was: a line for each device
 * @op:		The operation
 * @ret:	To be freed, on failure too
 *
 * Return: 0 or -ENOMEM.
 */
static int undo_list(const struct operation *op, char **ret)
{
	size_t size;
	FILE *f = list_open(ret, &size);

	for (size_t i = 0; f && i < op->n_undo; i++) {
		field(f, op->undo[i].device, '\t');
		field(f, op->undo[i].driver, '\t');
		field(f, op->undo[i].override, '\n');
	}

	return list_close(f);
}

/**
 * cause_list() - What stands in the way: a line for each cause
 * @err:	The error
 * @ret:	To be freed, on failure too
 *
 * Return: 0 or -ENOMEM.
 */
static int cause_list(const struct error *err, char **ret)
{
	size_t size;
	FILE *f = list_open(ret, &size);

	for (size_t i = 0; f && i < err->n_causes; i++) {
		field(f, err->causes[i].kind, '\t');
		field(f, err->causes[i].name, '\t');
		field(f, err->causes[i].detail, '\n');
	}

	return list_close(f);
}

/**
 * count_steps() - How many steps of an operation are there already?
 * @tx:		The transaction
 * @name:	The operation
 * @ret:	The count
 * @err:	Filled on failure
 *
 * Return: 0 or as db_error().
 */
static int count_steps(struct store_tx *tx, const char *name, size_t *ret,
		       struct error *err)
{
	struct put p = put_begin(tx, DB_COUNT_STEPS);

	put_text(&p, name);
	if (!p.rc && sqlite3_step(p.statement) == SQLITE_ROW)
		*ret = (size_t)sqlite3_column_int64(p.statement, 0);

	/* Takes the step after the one row, or fails as the first step did. */
	return put_end(&p, "count an operation's steps", err);
}

/**
 * put_steps() - Write the steps that are not there yet
 * @tx:		The transaction
 * @op:		The operation; its row is there
 * @err:	Filled on failure
 *
 * In a full list the last step is overwritten by those that follow: see
 * operation_add_step().
 *
 * Return: 0 or as db_error().
 */
static int put_steps(struct store_tx *tx, const struct operation *op,
		     struct error *err)
{
	size_t have = 0;
	int r;

	r = count_steps(tx, op->name, &have, err);
	if (have == OPERATION_STEPS_MAX)
		have--;

	for (size_t i = have; i < op->n_steps && !r; i++) {
		const struct step *step = &op->steps[i];
		struct put p = put_begin(tx, DB_PUT_STEP);

		put_text(&p, op->name);
		put_number(&p, i);
		put_text(&p, step->object);
		put_text(&p, step->act);
		put_text(&p, step->method);
		put_text(&p, step->result);
		put_number(&p, step->took_us);
		put_number(&p, step->at_us);
		r = put_end(&p, "write a step", err);
	}

	return r;
}

/* store_put_operation() - The operation with steps and undo */
int store_put_operation(struct store_tx *tx, const struct operation *op,
			struct error *err)
{
	const char *id = op->error.kind ? error_kind(op->error.kind)->id : "";
	struct put p = put_begin(tx, DB_PUT_OPERATION);
	_cleanup_free_ char *undo = NULL, *causes = NULL;
	int r;

	if (undo_list(op, &undo) || cause_list(&op->error, &causes))
		p.rc = SQLITE_NOMEM;

	put_text(&p, op->name);
	put_number(&p, op->revision);
	put_text(&p, op->request_id);
	put_text(&p, op->principal);
	put_text(&p, operation_kind_name(op->kind));
	put_text(&p, op->target);
	put_text(&p, operation_state_name(op->state));
	put_text(&p, op->step);
	put_text(&p, undo);
	put_text(&p, id);
	put_text(&p, op->error.msg);
	put_text(&p, op->error.object);
	put_text(&p, op->error.remedy);
	put_text(&p, causes);
	put_number(&p, op->created_us);
	put_number(&p, op->ended_us);
	put_text(&p, op->fingerprint);
	r = put_end(&p, "write an operation", err);
	if (!r)
		r = put_steps(tx, op, err);

	return r;
}

/* store_drop_operation() - Forget one, with its steps by the cascade */
int store_drop_operation(struct store_tx *tx, const char *name,
			 struct error *err)
{
	struct put p = put_begin(tx, DB_DROP_OPERATION);

	put_text(&p, name);
	return put_end(&p, "drop an operation", err);
}

/* store_drop_lease() - Forget one, with all that refers to it */
int store_drop_lease(struct store_tx *tx, const char *name, struct error *err)
{
	struct put p = put_begin(tx, DB_DROP_LEASE);

	put_text(&p, name);
	return put_end(&p, "drop a lease", err);
}
