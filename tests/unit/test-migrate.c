/* SPDX-License-Identifier: Apache-2.0
 *
 * test-migrate.c - a database goes forward whole steps, or stays as it is
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "store/db.h"
#include "store/migrate.h"

static const struct migration good[] = {
	{ 1, "one", "CREATE TABLE a (x INTEGER PRIMARY KEY) STRICT;" },
	{ 2, "two", "CREATE TABLE b (y REFERENCES a (x)); "
		    "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1);" },
	{ 3, "three", "CREATE TABLE c (z); INSERT INTO c VALUES (3);" },
};

static const struct migration broken[] = {
	{ 1, "one", "CREATE TABLE a (x INTEGER PRIMARY KEY) STRICT;" },
	{ 2, "two", "CREATE TABLE b (y); INSERT INTO nowhere VALUES (1);" },
};

static const struct migration orphaned[] = {
	{ 1, "one", "CREATE TABLE a (x INTEGER PRIMARY KEY) STRICT;" },
	{ 2, "two", "CREATE TABLE b (y REFERENCES a (x)); "
		    "INSERT INTO b VALUES (7);" },
};

static sqlite3 *handle;

static int setup(void **state)
{
	return sqlite3_open(":memory:", &handle);
}

static int teardown(void **state)
{
	return sqlite3_close(handle);
}

/* One number out of the database. */
static int64_t number(const char *sql)
{
	int64_t value = -1;

	assert_int_equal(db_number(handle, sql, &value, NULL), 0);

	return value;
}

static void every_step_is_applied_once(void **state)
{
	assert_int_equal(migrate(handle, good, 1, NULL), 0);
	assert_int_equal(number("PRAGMA user_version"), 1);
	assert_int_equal(migrate(handle, good, 3, NULL), 0);
	assert_int_equal(migrate(handle, good, 3, NULL), 0);
	assert_int_equal(number("PRAGMA user_version"), 3);
	assert_int_equal(number("SELECT count(*) FROM c"), 1);
}

static void a_failed_step_leaves_nothing_of_itself(void **state)
{
	struct error err = ERROR_NULL;

	assert_int_equal(migrate(handle, broken, 2, &err), -EUCLEAN);
	assert_int_equal(err.kind, ERROR_STORE_DAMAGED);
	assert_non_null(strstr(err.msg, "two"));
	assert_non_null(strstr(err.msg, "nowhere"));
	assert_int_equal(number("PRAGMA user_version"), 1);
	assert_int_equal(number("SELECT count(*) FROM sqlite_schema "
				"WHERE name = 'b'"), 0);
	assert_true(sqlite3_get_autocommit(handle));
}

/* Foreign keys are off while tables may be rebuilt, and checked at the end. */
static void a_step_that_leaves_orphans_is_refused(void **state)
{
	assert_int_equal(migrate(handle, orphaned, 2, NULL), -EUCLEAN);
	assert_int_equal(number("PRAGMA user_version"), 1);
}

static void a_newer_database_is_refused_with_words(void **state)
{
	struct error err = ERROR_NULL;
	int version = 77;

	assert_int_equal(migrate(handle, good, 3, NULL), 0);
	assert_int_equal(migrate(handle, good, 2, &err), -EPROTONOSUPPORT);
	assert_int_equal(err.kind, ERROR_STORE_NEWER);
	assert_non_null(strstr(err.msg, "version 3"));
	assert_int_equal(migrate_check(handle, good, 2, &version, NULL),
			 -EPROTONOSUPPORT);
	assert_int_equal(version, 77);
	db_exec(handle, "PRAGMA user_version=-1", NULL);
	assert_int_equal(migrate(handle, good, 2, &err), -EUCLEAN);
}

/* Those that were built in apply, in order. */
static void ours_apply(void **state)
{
	for (size_t i = 0; i < n_migrations; i++)
		assert_int_equal(migrations[i].version, i + 1);
	assert_int_equal(migrate(handle, migrations, n_migrations, NULL), 0);
	assert_int_equal(number("SELECT value FROM revision"), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_step_is_applied_once),
		T(a_failed_step_leaves_nothing_of_itself),
		T(a_step_that_leaves_orphans_is_refused),
		T(a_newer_database_is_refused_with_words),
		T(ours_apply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
