/* SPDX-License-Identifier: Apache-2.0
 *
 * acl.h - POSIX access control lists, as the kernel keeps them
 *
 * Pure. Source of the encoding: <linux/posix_acl_xattr.h>, the value of the
 * extended attribute system.posix_acl_access. Written here, without libacl: an
 * entry more or less is all that is needed.
 */
#ifndef IOASIDD_KERNEL_ACL_H
#define IOASIDD_KERNEL_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Room for a header and 63 entries of 8 bytes. An administrator's list of a
 * device node has a few.
 */
#define ACL_SIZE_MAX 512

#define ACL_NAME "system.posix_acl_access"

/**
 * struct acl - A list as the kernel reads and writes it
 * @bytes:	The attribute's value, little-endian
 * @size:	Its length; 0 for none
 */
struct acl {
	uint8_t bytes[ACL_SIZE_MAX];
	size_t size;
};

/* acl_of_mode() - The list that says the same as the permissions of a mode, and
 * which, written, becomes no list but these permissions.
 */
void acl_of_mode(mode_t mode, struct acl *ret);

/* acl_valid() - Is it a list that the kernel would take? */
bool acl_valid(const struct acl *acl);

/* acl_equal() - Are they the same, byte for byte? */
bool acl_equal(const struct acl *a, const struct acl *b);

/**
 * acl_has() - May a user read and write by an entry of its own?
 * @acl:	Valid
 * @uid:	The user
 */
bool acl_has(const struct acl *acl, uid_t uid);

/**
 * acl_add() - Let a user read and write, by an entry of its own
 * @acl:	Valid
 * @uid:	The user
 * @ret:	The same list with it
 *
 * No other entry allows more than before: where the mask has kept one from what
 * it says, that is taken out of the entry, since the mask has to let the new one
 * through.
 *
 * Return: 0; -ENOSPC: there is no room.
 */
int acl_add(const struct acl *acl, uid_t uid, struct acl *ret);

/**
 * acl_remove() - Take a user's entry out of a list that somebody else has changed
 *		  since it was added
 * @acl:	Valid
 * @uid:	The user
 * @ret:	The same list without it. The mask is what the others need, and
 *		goes with the last of them
 */
void acl_remove(const struct acl *acl, uid_t uid, struct acl *ret);

#endif
