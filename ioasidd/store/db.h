/* SPDX-License-Identifier: Apache-2.0
 *
 * db.h - SQLite as the store uses it; known to store/ alone
 */
#ifndef IOASIDD_STORE_DB_H
#define IOASIDD_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Numbers without a sign that need 64 bits: big-endian, so that they sort. */
#define DB_U64_SIZE 8

struct store_loader;

/* Statements are prepared once, when the database is opened. GET_ ones give
 * the columns in the order in which PUT_ ones take them.
 */
enum db_statement {
	DB_BEGIN,
	DB_COMMIT,
	DB_ROLLBACK,
	DB_SAVEPOINT,
	DB_RELEASE,
	DB_ROLLBACK_TO,

	DB_PUT_REVISION,
	DB_PUT_DEVICE,
	DB_PUT_CAPABILITY,
	DB_PUT_RANGE,
	DB_PUT_TCE,
	DB_PUT_LEASE,
	DB_PUT_LEASE_DEVICE,
	DB_PUT_LABEL,
	DB_PUT_HOLDER,
	DB_PUT_NODE,
	DB_PUT_SPACE,
	DB_PUT_SPACE_WINDOW,
	DB_PUT_SPACE_RANGE,
	DB_PUT_SPACE_DEVICE,
	DB_PUT_SPACE_LABEL,
	DB_PUT_MEMORY,
	DB_PUT_MAPPING,
	DB_DROP_MEMORY,
	DB_DROP_MAPPING,
	DB_DROP_MEMORIES_OF,
	DB_DROP_MAPPINGS_OF,
	DB_DROP_MAPPINGS_NOWHERE,
	DB_PUT_TABLE,
	DB_PUT_TABLE_BINDING,
	DB_PUT_TABLE_LABEL,
	DB_PUT_OPERATION,
	DB_COUNT_STEPS,
	DB_PUT_STEP,
	DB_DROP_LEASE,
	DB_DROP_OPERATION,

	DB_GET_REVISION,
	DB_GET_DEVICES,
	DB_GET_CAPABILITY,
	DB_GET_RANGES,
	DB_GET_TCE,
	DB_GET_LEASES,
	DB_GET_LEASE_DEVICES,
	DB_GET_LABELS,
	DB_GET_HOLDERS,
	DB_GET_NODES,
	DB_GET_SPACES,
	DB_GET_SPACE_WINDOWS,
	DB_GET_SPACE_RANGES,
	DB_GET_SPACE_DEVICES,
	DB_GET_SPACE_LABELS,
	DB_GET_MEMORIES,
	DB_GET_MAPPINGS,
	DB_GET_TABLES,
	DB_GET_TABLE_BINDINGS,
	DB_GET_TABLE_LABELS,
	DB_GET_OPERATIONS,
	DB_GET_STEPS,

	DB_STATEMENT_COUNT
};

/**
 * struct db - An open database
 * @handle:	Serialised by SQLite: every thread may use it
 * @statements:	By enum db_statement; the writer thread's, until it has begun
 *		the one's who opened
 */
struct db {
	sqlite3 *handle;
	sqlite3_stmt *statements[DB_STATEMENT_COUNT];
};

#define DB_NULL ((struct db){ .handle = NULL })

/**
 * struct store_tx - What a store_fn writes with
 * @db:		Inside a transaction and a savepoint
 * @r:		The first failure to write a row; the writer does not trust a
 *		function that returns 0 all the same
 * @why:	That failure in words
 */
struct store_tx {
	struct db *db;
	int r;
	struct error why;
};

/**
 * db_open() - Open or make <dir>/state.db, lock it, migrate it, prepare
 * @ret:	Ends with db_deinit()
 *
 * Return: as store_open().
 */
int db_open(const char *dir, struct db *ret, struct error *err);

/* db_deinit() - Close. Nothing is done if it is not open. */
void db_deinit(struct db *db);

/**
 * db_error() - Say what SQLite said
 * @handle:	Where; its message is used
 * @rc:		SQLite's result code
 * @what:	What was tried
 *
 * Return: -ENOMEM daemon.no-memory; -EBUSY store.locked; -EUCLEAN
 * store.damaged; -EIO store.io; -EINVAL daemon.internal for all that is a
 * mistake of ours.
 */
int db_error(sqlite3 *handle, int rc, const char *what, struct error *err);

/* db_exec() - Run SQL that gives no rows. Return: 0 or as db_error(). */
int db_exec(sqlite3 *handle, const char *sql, struct error *err);

/* db_number() - Run SQL that gives one number. Return: likewise. */
int db_number(sqlite3 *handle, const char *sql, int64_t *ret,
	      struct error *err);

/* db_run() - Run a prepared statement that has no parameters and no rows.
 * Return: 0 or as db_error().
 */
int db_run(struct db *db, enum db_statement id, struct error *err);

/* db_load() - As store_load(), of an open database. */
int db_load(struct db *db, const struct store_loader *loader, void *data,
	    struct error *err);

#endif
