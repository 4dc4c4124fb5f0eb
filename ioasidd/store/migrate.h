/* SPDX-License-Identifier: Apache-2.0
 *
 * migrate.h - bring a database forward to what this ioasidd understands
 */
#ifndef IOASIDD_STORE_MIGRATE_H
#define IOASIDD_STORE_MIGRATE_H

#include <sqlite3.h>

#include "base/error.h"

/**
 * struct migration - One step forward; made from schema/sql at build time
 * @version:	PRAGMA user_version after it; 1, 2, 3, ...
 * @name:	Its file's name, for messages
 * @sql:	Statements, without BEGIN and COMMIT
 */
struct migration {
	int version;
	const char *name;
	const char *sql;
};

extern const struct migration migrations[];
extern const size_t n_migrations;

/**
 * migrate_check() - Is the database one that the migrations lead up from?
 * @list:	All migrations there are, in order; @n of them
 * @ret:	Its version
 *
 * Changes nothing.
 *
 * Return: 0; -EPROTONOSUPPORT store.newer; see db_error().
 */
int migrate_check(sqlite3 *handle, const struct migration *list, size_t n,
		  int *ret, struct error *err);

/**
 * migrate() - Apply what is missing, each in a transaction with its version
 * @handle:	With foreign keys off: a migration may have to rebuild tables,
 *		and dropping the old one would cascade. They are checked before
 *		each commit.
 *
 * A failure leaves the database as the last migration that succeeded left it.
 *
 * Return: 0; as migrate_check().
 */
int migrate(sqlite3 *handle, const struct migration *list, size_t n,
	    struct error *err);

#endif
