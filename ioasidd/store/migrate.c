/* SPDX-License-Identifier: Apache-2.0
 *
 * migrate.c - bring a database forward to what this ioasidd understands
 */
#include "store/migrate.h"

#include <errno.h>

#include "base/str.h"
#include "store/db.h"

const struct migration migrations[] = {
#include "migrations.inc"
};
const size_t n_migrations = ARRAY_SIZE(migrations);

/* migrate_check() - Is the database one that the migrations lead up from? */
int migrate_check(sqlite3 *handle, const struct migration *list, size_t n,
		  int *ret, struct error *err)
{
	int newest = list[n - 1].version;
	int64_t version;
	int r;

	r = db_number(handle, "PRAGMA user_version", &version, err);
	if (r < 0)
		return r;
	if (version < 0)
		return error_set(err, -EUCLEAN, ERROR_STORE_DAMAGED,
				 "the database has the version %lld",
				 (long long)version);
	if (version > newest)
		return error_set(err, -EPROTONOSUPPORT, ERROR_STORE_NEWER,
				 "the database has version %lld, this ioasidd "
				 "knows up to %d; it was left as it is",
				 (long long)version, newest);

	*ret = (int)version;
	return 0;
}

/**
 * apply() - Run one migration; inside a transaction
 * @handle:	The database
 * @m:		The migration
 * @err:	Filled on failure
 *
 * The version is part of the transaction: it cannot be there without the rest.
 *
 * Return: 0 or -errno.
 */
static int apply(sqlite3 *handle, const struct migration *m, struct error *err)
{
	int64_t orphans;
	char version[64];
	int r;

	r = db_exec(handle, m->sql, err);
	if (r < 0)
		return r;

	r = db_number(handle, "SELECT count(*) FROM pragma_foreign_key_check",
		      &orphans, err);
	if (r < 0)
		return r;
	if (orphans)
		return error_set(err, -EUCLEAN, ERROR_STORE_DAMAGED,
				 "%lld rows refer to nothing",
				 (long long)orphans);

	(void)str_format(version, sizeof(version), "PRAGMA user_version=%d",
			 m->version);
	return db_exec(handle, version, err);
}

/**
 * failed() - Say which migration failed
 * @r:		What it returned
 * @m:		The migration
 * @err:	Filled; gets the name in front
 *
 * SQL that is right and does not fit was met with tables that no version of
 * ours has made.
 *
 * Return: @r; -EUCLEAN store.damaged in place of -EINVAL.
 */
static int failed(int r, const struct migration *m, struct error *err)
{
	if (r == -EINVAL)
		r = error_set(err, -EUCLEAN, ERROR_STORE_DAMAGED, "%s",
			      err ? err->msg : "");
	error_prefix(err, "migration %s", m->name);

	return r;
}

/* migrate() - Apply what is missing, each in a transaction with its version */
int migrate(sqlite3 *handle, const struct migration *list, size_t n,
	    struct error *err)
{
	int version, r;

	r = migrate_check(handle, list, n, &version, err);
	if (r < 0)
		return r;

	for (size_t i = (size_t)version; i < n; i++) {
		r = db_exec(handle, "BEGIN IMMEDIATE", err);
		if (!r)
			r = apply(handle, &list[i], err);
		if (!r)
			r = db_exec(handle, "COMMIT", err);
		if (r < 0) {
			/* Already rolled back after some errors. */
			(void)db_exec(handle, "ROLLBACK", NULL);
			return failed(r, &list[i], err);
		}
	}

	return 0;
}
