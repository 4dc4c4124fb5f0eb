/* SPDX-License-Identifier: Apache-2.0
 *
 * store.h - the state that must outlive ioasidd, in one SQLite database
 *
 * DOC: Theory of Operation
 *
 * <dir>/state.db, WAL with synchronous=FULL, locked by this process alone. All
 * writes go through the writer thread: store_write() queues a function and
 * waits until what it wrote is durable. What queued up while the last commit
 * ran shares the next one (group commit). Each function runs in a savepoint of
 * its own, so that one that fails takes only its own changes back.
 *
 * An I/O error from a commit is terminal: what the disk has is unknown. From
 * then on nothing is acknowledged; every write answers -EIO, daemon.read-only,
 * and the @on_dead callback was called once, from the writer thread.
 *
 * Rows are read at start-up only; the registry is the living picture.
 */
#ifndef IOASIDD_STORE_STORE_H
#define IOASIDD_STORE_STORE_H

#include "model/device.h"
#include "model/lease.h"
#include "model/operation.h"

struct store;
struct store_tx;

/**
 * store_open() - Open or make the database, and migrate it
 * @dir:	Its folder, made with mode 0700 if it is not there
 * @on_dead:	Called once when writing has become impossible; may be NULL
 * @ret:	Ends with store_close()
 *
 * Return: 0; -EPROTONOSUPPORT store.newer; -EBUSY store.locked; -EUCLEAN
 * store.damaged; -EIO store.io.
 */
int store_open(const char *dir, void (*on_dead)(void *data), void *data,
	       struct store **ret, struct error *err);

/* store_close() - Finish queued writes and close. NULL is allowed.
 * Return: NULL.
 */
struct store *store_close(struct store *store);

/* Runs on the writer thread inside a transaction; it must only write rows. May
 * be called again if the first try was rolled back with its batch.
 */
typedef int (*store_fn)(struct store_tx *tx, void *data, struct error *err);

/**
 * store_write() - Write rows and wait until they are durable
 * @fn:		Writes them; a failure rolls its rows back and is returned
 *
 * From every thread but the loop's and the writer's. @err is written by the
 * writer thread while the caller waits.
 *
 * Return: 0 when durable; what @fn returned; -EIO daemon.read-only.
 */
int store_write(struct store *store, store_fn fn, void *data,
		struct error *err);

/* store_dead() - Has writing become impossible? */
bool store_dead(const struct store *store);

/* --- inside a store_fn: insert or replace one object with all its rows --- */

/* @revision: what the newest change has; never goes back */
int store_put_revision(struct store_tx *tx, uint64_t revision,
		       struct error *err);

/* Name, revision and record; and the capabilities, none if @caps is NULL. */
int store_put_device(struct store_tx *tx, const char *name, uint64_t revision,
		     const struct device_record *record,
		     const struct capabilities *caps, struct error *err);

/* The lease with devices, labels and holders. */
int store_put_lease(struct store_tx *tx, const struct lease *lease,
		    struct error *err);

/* The operation with steps and undo. Rows of steps that are there already are
 * not written again. Of its error the number is not kept.
 */
int store_put_operation(struct store_tx *tx, const struct operation *op,
			struct error *err);

/* Forget one, with all its rows. */
int store_drop_operation(struct store_tx *tx, const char *name,
			 struct error *err);
int store_drop_lease(struct store_tx *tx, const char *name,
		     struct error *err);

/* --- of guarded leases; not with the lease --- */

/* A mapping that is to be made. */
int store_put_mapping(struct store_tx *tx, const char *lease,
		      const char *space, const struct mapping *mapping,
		      struct error *err);

/* Those that have ended: they began from @start to @last. */
int store_drop_mapping(struct store_tx *tx, const char *lease,
		       const char *space, uint64_t start, uint64_t last,
		       struct error *err);

/* All of a lease. */
int store_drop_mappings(struct store_tx *tx, const char *lease,
			struct error *err);

/* A memfd that was made, and one that its holder did not get. */
int store_put_memory(struct store_tx *tx, const char *lease,
		     const struct memory *memory, struct error *err);
int store_drop_memory(struct store_tx *tx, const char *lease, uint64_t inode,
		      struct error *err);

/* --- at start-up, before the first write --- */

/**
 * struct store_loader - Who takes the rows
 *
 * Each returns 0, or -errno to give up with. @lease and @operation take
 * ownership in any case; @device must copy.
 */
struct store_loader {
	int (*revision)(void *data, uint64_t revision);
	int (*device)(void *data, const char *name, uint64_t revision,
		      const struct device_record *record,
		      const struct capabilities *caps);
	int (*lease)(void *data, struct lease *lease);
	int (*operation)(void *data, struct operation *op);
};

/**
 * store_load() - Read all rows: the revision, devices, leases, operations, the
 *		  last two oldest first
 *
 * Every row is checked as if from a stranger.
 *
 * Return: 0; -EUCLEAN store.damaged, naming table, row and column.
 */
int store_load(struct store *store, const struct store_loader *loader,
	       void *data, struct error *err);

/* store_commits() - How many commits have become durable, for tests. */
uint64_t store_commits(struct store *store);

/* store_pages() - Pages of the database file, for soak tests; -errno. */
int64_t store_pages(struct store *store);

#endif
