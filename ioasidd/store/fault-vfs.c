/* SPDX-License-Identifier: Apache-2.0
 *
 * fault-vfs.c - files of SQLite that can fail
 *
 * A VFS in front of the default one: opening, reading, writing and syncing pass
 * fault_point(), all else goes through. Its files are of version 2, without
 * mapping, which is off unless it is asked for.
 */
#include "store/fault-vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/fault.h"

/**
 * struct fault_file - An open file
 * @base:	What SQLite sees; first
 * @real:	The default VFS's, right behind
 */
struct fault_file {
	sqlite3_file base;
	sqlite3_file real[];
};

/* The VFS behind ours. */
static sqlite3_vfs *below;

/* real_of() - The default VFS's file behind one of ours. */
static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct fault_file *)file)->real;
}

/**
 * code() - SQLite's word for a failure
 * @r:		-errno
 * @otherwise:	The word of the call, for what has none of its own
 */
static int code(int r, int otherwise)
{
	return r == -ENOSPC ? SQLITE_FULL : otherwise;
}

/* PASS() - A call on a file that goes through. */
#define PASS(name, params, args)                               \
	static int file_##name params                          \
	{                                                      \
		return real_of(file)->pMethods->name args;     \
	}

/* FAIL() - A call on a file that can fail, and then is @otherwise. */
#define FAIL(kind, name, otherwise, params, args)              \
	static int file_##name params                          \
	{                                                      \
		bool lie = false;                              \
		int rc, r = fault_point(kind, #name, &lie);    \
							       \
		if (r < 0 && !lie)                             \
			return code(r, otherwise);             \
		rc = real_of(file)->pMethods->name args;       \
		return rc || r == 0 ? rc : code(r, otherwise); \
	}

FAIL(FAULT_SQLITE_READ, xRead, SQLITE_IOERR_READ,
     (sqlite3_file *file, void *data, int n, sqlite3_int64 at),
     (real_of(file), data, n, at))
FAIL(FAULT_SQLITE_READ, xFileSize, SQLITE_IOERR_FSTAT,
     (sqlite3_file *file, sqlite3_int64 *size), (real_of(file), size))
FAIL(FAULT_SQLITE_WRITE, xWrite, SQLITE_IOERR_WRITE,
     (sqlite3_file *file, const void *data, int n, sqlite3_int64 at),
     (real_of(file), data, n, at))
FAIL(FAULT_SQLITE_WRITE, xTruncate, SQLITE_IOERR_TRUNCATE,
     (sqlite3_file *file, sqlite3_int64 size), (real_of(file), size))
FAIL(FAULT_SQLITE_SYNC, xSync, SQLITE_IOERR_FSYNC,
     (sqlite3_file *file, int flags), (real_of(file), flags))
PASS(xClose, (sqlite3_file *file), (real_of(file)))
PASS(xLock, (sqlite3_file *file, int level), (real_of(file), level))
PASS(xUnlock, (sqlite3_file *file, int level), (real_of(file), level))
PASS(xCheckReservedLock, (sqlite3_file *file, int *held),
     (real_of(file), held))
PASS(xFileControl, (sqlite3_file *file, int op, void *data),
     (real_of(file), op, data))
PASS(xSectorSize, (sqlite3_file *file), (real_of(file)))
PASS(xDeviceCharacteristics, (sqlite3_file *file), (real_of(file)))
PASS(xShmMap, (sqlite3_file *file, int page, int size, int extend,
	       void volatile **ret),
     (real_of(file), page, size, extend, ret))
PASS(xShmLock, (sqlite3_file *file, int offset, int n, int flags),
     (real_of(file), offset, n, flags))
PASS(xShmUnmap, (sqlite3_file *file, int remove), (real_of(file), remove))

/**
 * file_xShmBarrier() - Goes through
 */
static void file_xShmBarrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_xClose,
	.xRead = file_xRead,
	.xWrite = file_xWrite,
	.xTruncate = file_xTruncate,
	.xSync = file_xSync,
	.xFileSize = file_xFileSize,
	.xLock = file_xLock,
	.xUnlock = file_xUnlock,
	.xCheckReservedLock = file_xCheckReservedLock,
	.xFileControl = file_xFileControl,
	.xSectorSize = file_xSectorSize,
	.xDeviceCharacteristics = file_xDeviceCharacteristics,
	.xShmMap = file_xShmMap,
	.xShmLock = file_xShmLock,
	.xShmBarrier = file_xShmBarrier,
	.xShmUnmap = file_xShmUnmap,
};

/**
 * vfs_open() - Open a file
 *
 * Without methods SQLite does not close what could not be opened.
 */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
		    int flags, int *ret_flags)
{
	bool lie = false;
	int rc, r = fault_point(FAULT_SQLITE_OPEN, "xOpen", &lie);

	file->pMethods = NULL;
	if (r < 0 && !lie)
		return code(r, SQLITE_CANTOPEN);
	rc = below->xOpen(below, name, real_of(file), flags, ret_flags);
	if (rc == SQLITE_OK && r < 0) {
		(void)real_of(file)->pMethods->xClose(real_of(file));
		return code(r, SQLITE_CANTOPEN);
	}
	if (rc == SQLITE_OK)
		file->pMethods = &methods;
	return rc;
}

/**
 * vfs_delete() - Remove a file
 */
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	bool lie = false;
	int rc, r = fault_point(FAULT_SQLITE_OPEN, "xDelete", &lie);

	if (r < 0 && !lie)
		return code(r, SQLITE_IOERR_DELETE);
	rc = below->xDelete(below, name, sync);
	return rc || r == 0 ? rc : code(r, SQLITE_IOERR_DELETE);
}

/* fault_vfs_install() - Let all files pass fault_point() from here on */
void fault_vfs_install(void)
{
	static sqlite3_vfs ours;

	if (below)
		return;
	below = sqlite3_vfs_find(NULL);
	if (!below)
		return; /* opening will say so */
	ours = *below;
	ours.pNext = NULL;
	ours.zName = "fault";
	ours.szOsFile = (int)sizeof(struct fault_file) + below->szOsFile;
	ours.xOpen = vfs_open;
	ours.xDelete = vfs_delete;
	(void)sqlite3_vfs_register(&ours, 1); /* cannot fail */
}
