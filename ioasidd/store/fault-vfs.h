/* SPDX-License-Identifier: Apache-2.0
 *
 * fault-vfs.h - files of SQLite that can fail, in builds with FAULTS=1 alone
 */
#ifndef IOASIDD_STORE_FAULT_VFS_H
#define IOASIDD_STORE_FAULT_VFS_H

#ifdef IOASID_FAULTS

/**
 * fault_vfs_install() - Let all files that SQLite opens from here on pass
 *			 fault_point()
 *
 * Once is enough; more does nothing.
 */
void fault_vfs_install(void);

#else

static inline void fault_vfs_install(void)
{
}

#endif
#endif
