/* SPDX-License-Identifier: Apache-2.0
 *
 * db.c - SQLite as the store uses it: opening, statements, its errors
 */
#include "store/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "store/fault-vfs.h"
#include "store/migrate.h"

#define DEVICE                                                                \
	"name, revision, vendor, device, subsystem_vendor, subsystem_device," \
	"class, prepared, vfio_driver, former_driver, former_override,"       \
	"no_reset, unsafe_interrupts, no_iommu, trouble, reason, remedy,"     \
	"stuck_pid, stuck_start_ticks, stuck_boot_id, stuck_call, last_lease,"\
	"last_uid"
#define CAPABILITY                                                          \
	"device, driver, boot_id, probed_us, alignment, hw_info_type,"      \
	"hw_info, hw_capabilities, max_pasid_log2, nest_parent,"            \
	"dirty_tracking, pasid, bind_us, reset_set, backend, dma_entries"
#define TCE                                                        \
	"device, dma32_start, dma32_size, page_sizes, max_windows," \
	"levels, kernel_page"
#define LEASE                                                               \
	"name, revision, request_id, state, mode, owner_uid, claimant_uid," \
	"claimant_pid, memlock, memlock_unlimited, expires_us,"             \
	"incarnation, acknowledged, restore_after, reclaim, created_us,"    \
	"ended_us, end_reason, owner, claimant_unit, token_hash,"           \
	"token_expires_us, fingerprint, grace_ms, volatile,"                   \
	"shared_uid, released_us"
#define HOLDER                                                              \
	"lease, number, pid, start_ticks, boot_id, pidfd_inode, cgroup,"    \
	"uid, gid, memlock_before, since_us, until_us, why,"                \
	"memlock_hard_before"
#define NODE "position, path, device_number, \"group\", open, before"
#define SPACE                                                       \
	"name, kernel_id, alignment, created_us, request_id,"       \
	"fingerprint, maker"
#define TABLE                                                       \
	"name, parent, device, nest_parent, dirty_tracking, pasid," \
	"data_type, data, registered, faults, dirty_on, kernel_id," \
	"fault_id, created_us, request_id, fingerprint, maker"
#define WINDOW "start, last, page_sizes, purpose"
#define MEMORY "inode, size, page_size"
#define MAPPING "space, iova, length, memory, offset, writable"
#define OPERATION                                                           \
	"name, revision, request_id, principal, kind, target, state, step," \
	"undo, error_id, error_message, error_object, error_remedy,"        \
	"error_causes, created_us, ended_us, fingerprint"
#define STEP "operation, number, object, act, method, result, took_us, at_us"

/* Replacing a row of device or lease takes its dependent rows along, by the
 * cascade; all are written anew. An operation's steps must stay.
 */
static const char *const sql[] = {
	[DB_BEGIN] = "BEGIN IMMEDIATE",
	[DB_COMMIT] = "COMMIT",
	[DB_ROLLBACK] = "ROLLBACK",
	[DB_SAVEPOINT] = "SAVEPOINT job",
	[DB_RELEASE] = "RELEASE job",
	[DB_ROLLBACK_TO] = "ROLLBACK TO job",

	[DB_PUT_REVISION] = "UPDATE revision SET value = max(value, ?)",
	[DB_PUT_DEVICE] = "INSERT OR REPLACE INTO device (" DEVICE ") VALUES"
			  "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[DB_PUT_CAPABILITY] = "INSERT INTO capability (" CAPABILITY ")"
			      "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[DB_PUT_RANGE] = "INSERT INTO capability_range (device, start, last)"
			 "VALUES (?,?,?)",
	[DB_PUT_TCE] = "INSERT INTO capability_tce (" TCE ") "
		       "VALUES (?,?,?,?,?,?,?)",
	[DB_PUT_LEASE] = "INSERT OR REPLACE INTO lease (" LEASE ")"
			 "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
			 "?,?)",
	[DB_PUT_LEASE_DEVICE] = "INSERT INTO lease_device"
				"(lease, position, device, kernel_id)"
				"VALUES (?,?,?,?)",
	[DB_PUT_LABEL] = "INSERT INTO lease_label (lease, key, value)"
			 "VALUES (?,?,?)",
	[DB_PUT_HOLDER] = "INSERT INTO holder (" HOLDER ")"
			  "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[DB_PUT_NODE] = "INSERT INTO lease_node (lease, " NODE ")"
			"VALUES (?,?,?,?,?,?,?)",
	[DB_PUT_SPACE] = "INSERT INTO space (lease, position, " SPACE ")"
			 "VALUES (?,?,?,?,?,?,?,?,?)",
	[DB_PUT_SPACE_WINDOW] = "INSERT INTO space_window (space, " WINDOW ")"
				"VALUES (?,?,?,?,?)",
	[DB_PUT_SPACE_RANGE] = "INSERT INTO space_range (space, start, last)"
			       "VALUES (?,?,?)",
	[DB_PUT_SPACE_DEVICE] = "INSERT INTO space_device"
				"(space, position, device) VALUES (?,?,?)",
	[DB_PUT_SPACE_LABEL] = "INSERT INTO space_label (space, key, value)"
			       "VALUES (?,?,?)",
	[DB_PUT_MEMORY] = "INSERT INTO memory (lease, " MEMORY ")"
			  "VALUES (?,?,?,?)",
	[DB_PUT_MAPPING] = "INSERT INTO mapping (lease, " MAPPING ")"
			   "VALUES (?,?,?,?,?,?,?)",
	[DB_DROP_MEMORY] = "DELETE FROM memory WHERE lease = ? AND inode = ?",
	[DB_DROP_MAPPING] = "DELETE FROM mapping WHERE lease = ? "
			    "AND space = ? AND iova BETWEEN ? AND ?",
	[DB_DROP_MEMORIES_OF] = "DELETE FROM memory WHERE lease = ?",
	[DB_DROP_MAPPINGS_OF] = "DELETE FROM mapping WHERE lease = ?",
	[DB_DROP_MAPPINGS_NOWHERE] =
		"DELETE FROM mapping WHERE lease = ?1 AND space NOT IN "
		"(SELECT name FROM space WHERE lease = ?1)",
	[DB_PUT_TABLE] = "INSERT INTO page_table (lease, position, " TABLE ")"
			 "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[DB_PUT_TABLE_BINDING] = "INSERT INTO page_table_binding"
				 "(page_table, position, device, pasid)"
				 "VALUES (?,?,?,?)",
	[DB_PUT_TABLE_LABEL] = "INSERT INTO page_table_label"
			       "(page_table, key, value) VALUES (?,?,?)",
	[DB_PUT_OPERATION] =
		"INSERT INTO operation (" OPERATION ")"
		"VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
		"ON CONFLICT (name) DO UPDATE SET"
		" revision = excluded.revision, state = excluded.state,"
		" step = excluded.step, undo = excluded.undo,"
		" error_id = excluded.error_id,"
		" error_message = excluded.error_message,"
		" error_object = excluded.error_object,"
		" error_remedy = excluded.error_remedy,"
		" error_causes = excluded.error_causes,"
		" ended_us = excluded.ended_us",
	[DB_COUNT_STEPS] = "SELECT count(*) FROM step WHERE operation = ?",
	[DB_PUT_STEP] = "INSERT OR REPLACE INTO step (" STEP ")"
			"VALUES (?,?,?,?,?,?,?,?)",
	[DB_DROP_LEASE] = "DELETE FROM lease WHERE name = ?",
	[DB_DROP_OPERATION] = "DELETE FROM operation WHERE name = ?",

	[DB_GET_REVISION] = "SELECT value FROM revision",
	[DB_GET_DEVICES] = "SELECT " DEVICE " FROM device ORDER BY name",
	[DB_GET_CAPABILITY] = "SELECT " CAPABILITY " FROM capability "
			      "WHERE device = ?",
	[DB_GET_RANGES] = "SELECT start, last FROM capability_range "
			  "WHERE device = ? ORDER BY start",
	[DB_GET_TCE] = "SELECT " TCE " FROM capability_tce WHERE device = ?",
	[DB_GET_LEASES] = "SELECT " LEASE " FROM lease "
			  "ORDER BY created_us, name",
	[DB_GET_LEASE_DEVICES] = "SELECT position, device, kernel_id "
				 "FROM lease_device "
				 "WHERE lease = ? ORDER BY position",
	[DB_GET_LABELS] = "SELECT key, value FROM lease_label "
			  "WHERE lease = ? ORDER BY key",
	[DB_GET_HOLDERS] = "SELECT " HOLDER " FROM holder "
			   "WHERE lease = ? ORDER BY number",
	[DB_GET_NODES] = "SELECT " NODE " FROM lease_node "
			 "WHERE lease = ? ORDER BY position",
	[DB_GET_SPACES] = "SELECT " SPACE " FROM space "
			  "WHERE lease = ? ORDER BY position",
	[DB_GET_SPACE_WINDOWS] = "SELECT " WINDOW " FROM space_window "
				 "WHERE space = ? ORDER BY start",
	[DB_GET_SPACE_RANGES] = "SELECT start, last FROM space_range "
				"WHERE space = ? ORDER BY start",
	[DB_GET_SPACE_DEVICES] = "SELECT position, device FROM space_device "
				 "WHERE space = ? ORDER BY position",
	[DB_GET_SPACE_LABELS] = "SELECT key, value FROM space_label "
				"WHERE space = ? ORDER BY key",
	[DB_GET_MEMORIES] = "SELECT " MEMORY " FROM memory WHERE lease = ?",
	[DB_GET_MAPPINGS] = "SELECT " MAPPING " FROM mapping "
			    "WHERE lease = ? ORDER BY space, iova",
	[DB_GET_TABLES] = "SELECT " TABLE " FROM page_table "
			  "WHERE lease = ? ORDER BY position",
	[DB_GET_TABLE_BINDINGS] = "SELECT position, device, pasid "
				  "FROM page_table_binding "
				  "WHERE page_table = ? ORDER BY position",
	[DB_GET_TABLE_LABELS] = "SELECT key, value FROM page_table_label "
				"WHERE page_table = ? ORDER BY key",
	[DB_GET_OPERATIONS] = "SELECT " OPERATION " FROM operation "
			      "ORDER BY created_us, name",
	[DB_GET_STEPS] = "SELECT " STEP " FROM step "
			 "WHERE operation = ? ORDER BY number",
};
static_assert(ARRAY_SIZE(sql) == DB_STATEMENT_COUNT, "SQL for each");

/* db_error() - Say what SQLite said */
int db_error(sqlite3 *handle, int rc, const char *what, struct error *err)
{
	enum error_id id;
	int number, r;

	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		r = -ENOMEM;
		id = ERROR_DAEMON_NO_MEMORY;
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		r = -EBUSY;
		id = ERROR_STORE_LOCKED;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		r = -EUCLEAN;
		id = ERROR_STORE_DAMAGED;
		break;
	case SQLITE_IOERR:
	case SQLITE_FULL:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		r = -EIO;
		id = ERROR_STORE_IO;
		break;
	default:
		r = -EINVAL;
		id = ERROR_DAEMON_INTERNAL;
		break;
	}

	number = handle ? sqlite3_system_errno(handle) : 0;
	if (r == -EIO && number)
		return error_set(err, r, id, "%s: %s (%s)", what,
				 sqlite3_errmsg(handle), strerror(number));

	return error_set(err, r, id, "%s: %s", what,
			 handle ? sqlite3_errmsg(handle) : sqlite3_errstr(rc));
}

/* db_exec() - Run SQL that gives no rows */
int db_exec(sqlite3 *handle, const char *text, struct error *err)
{
	int rc = sqlite3_exec(handle, text, NULL, NULL, NULL);

	return rc ? db_error(handle, rc, "write the database", err) : 0;
}

/* db_number() - Run SQL that gives one number */
int db_number(sqlite3 *handle, const char *text, int64_t *ret,
	      struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int rc, r = 0;

	rc = sqlite3_prepare_v2(handle, text, -1, &statement, NULL);
	if (!rc)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	else
		r = db_error(handle, rc, "read the database", err);
	(void)sqlite3_finalize(statement); /* repeats the error */

	return r;
}

/* db_run() - Run a prepared statement that has no parameters and no rows */
int db_run(struct db *db, enum db_statement id, struct error *err)
{
	sqlite3_stmt *statement = db->statements[id];
	int rc = sqlite3_step(statement), r = 0;

	if (rc != SQLITE_DONE)
		r = db_error(db->handle, rc, sql[id], err);
	(void)sqlite3_reset(statement); /* repeats the error */

	return r;
}

/**
 * expect_text() - Run SQL that must answer with one word
 * @handle:	The database
 * @text:	The SQL
 * @word:	The word
 * @otherwise:	What it means if it answers with something else
 * @id:		Likewise, for the client
 * @err:	Filled on failure
 *
 * Return: 0; as db_error(); @otherwise if it answers with something else.
 */
static int expect_text(sqlite3 *handle, const char *text, const char *word,
		       int otherwise, enum error_id id, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	const char *answer;
	int rc, r = 0;

	rc = sqlite3_prepare_v2(handle, text, -1, &statement, NULL);
	if (!rc)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		answer = (const char *)sqlite3_column_text(statement, 0);
		if (!answer || !str_eq(answer, word))
			r = error_set(err, otherwise, id, "%s: %s", text,
				      answer ? answer : "no answer");
		/* The word comes first, what it says is done after it. */
		rc = sqlite3_step(statement);
		if (!r && rc != SQLITE_DONE)
			r = db_error(handle, rc, text, err);
	} else {
		r = db_error(handle, rc, text, err);
	}
	(void)sqlite3_finalize(statement); /* repeats the error */

	return r;
}

/**
 * make_dir() - Make the folder, unless it is there, so that it stays
 * @dir:	The folder
 * @err:	Filled on failure
 *
 * SQLite makes the names in the folder durable; the folder's own name in its
 * parent is left to us.
 *
 * Return: 0; -EIO store.io.
 */
static int make_dir(const char *dir, struct error *err)
{
	_cleanup_fd_ int fd = -1, parent = -1;

	if (mkdir(dir, 0700)) {
		if (errno == EEXIST)
			return 0; /* should it be no folder, opening fails */
		return error_set(err, -EIO, ERROR_STORE_IO,
				 "make the folder '%s': %s", dir,
				 strerror(errno));
	}

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 || fsync(parent))
		return error_set(err, -EIO, ERROR_STORE_IO,
				 "make the folder '%s' durable: %s", dir,
				 strerror(errno));

	return 0;
}

/**
 * configure() - Lock the database and set what must hold for every use
 * @handle:	Just opened
 * @err:	Filled on failure
 *
 * EXCLUSIVE comes before the first read: the lock is taken by it and kept, and
 * WAL then needs no shared memory. A newer database is refused before anything
 * is written to it. Foreign keys come last: see migrate().
 *
 * Return: as store_open().
 */
static int configure(sqlite3 *handle, struct error *err)
{
	int version, r;

	(void)sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
				NULL);

	r = db_exec(handle,
		    "PRAGMA locking_mode=EXCLUSIVE;"
		    "PRAGMA cell_size_check=ON;"
		    "PRAGMA temp_store=MEMORY;"
		    "PRAGMA synchronous=FULL;"
		    "PRAGMA foreign_keys=OFF", err);
	if (!r)
		r = migrate_check(handle, migrations, n_migrations, &version,
				  err);
	if (!r)
		r = expect_text(handle, "PRAGMA quick_check(1)", "ok",
				-EUCLEAN, ERROR_STORE_DAMAGED, err);
	if (!r)
		r = expect_text(handle, "PRAGMA journal_mode=WAL", "wal", -EIO,
				ERROR_STORE_IO, err);
	if (!r)
		r = migrate(handle, migrations, n_migrations, err);
	if (!r)
		r = db_exec(handle, "PRAGMA foreign_keys=ON", err);

	return r;
}

/**
 * prepare() - Prepare every statement
 * @db:		Migrated
 * @err:	Filled on failure
 *
 * SQL that does not fit is no mistake of ours, since it fits what the
 * migrations make: somebody has changed the tables.
 *
 * Return: 0; -EUCLEAN store.damaged; as db_error().
 */
static int prepare(struct db *db, struct error *err)
{
	for (int i = 0; i < DB_STATEMENT_COUNT; i++) {
		int rc = sqlite3_prepare_v3(db->handle, sql[i], -1,
					    SQLITE_PREPARE_PERSISTENT,
					    &db->statements[i], NULL);

		if (rc == SQLITE_ERROR)
			return error_set(err, -EUCLEAN, ERROR_STORE_DAMAGED,
					 "the tables are not those of this "
					 "version: %s",
					 sqlite3_errmsg(db->handle));
		if (rc)
			return db_error(db->handle, rc, "prepare", err);
	}

	return 0;
}

/* db_open() - Open or make <dir>/state.db, lock it, migrate it, prepare */
int db_open(const char *dir, struct db *ret, struct error *err)
{
	struct db db = DB_NULL;
	char path[PATH_MAX];
	int rc, r;

	if (!str_format(path, sizeof(path), "%s/state.db", dir))
		return error_set(err, -EIO, ERROR_STORE_IO,
				 "the name of the folder is too long");
	r = make_dir(dir, err);
	if (r < 0)
		return r;

	/* What a savepoint keeps for its rollback stays in memory: it would spill
	 * into a file below /var/tmp. Refused once SQLite is in use: then it was
	 * said before.
	 */
	(void)sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
	fault_vfs_install();
	rc = sqlite3_open_v2(path, &db.handle,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				     SQLITE_OPEN_FULLMUTEX |
				     SQLITE_OPEN_EXRESCODE, NULL);
	r = rc ? db_error(db.handle, rc, "open", err) :
		 configure(db.handle, err);
	if (!r)
		r = prepare(&db, err);
	if (r < 0) {
		error_prefix(err, "database '%s'", path);
		db_deinit(&db);
		return r;
	}

	*ret = db;
	return 0;
}

/* db_deinit() - Close */
void db_deinit(struct db *db)
{
	int rc;

	for (int i = 0; i < DB_STATEMENT_COUNT; i++)
		(void)sqlite3_finalize(db->statements[i]); /* old errors */
	rc = sqlite3_close(db->handle);
	assert(!rc);
	(void)rc;
	*db = DB_NULL;
}
