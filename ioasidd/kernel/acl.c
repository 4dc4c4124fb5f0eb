/* SPDX-License-Identifier: Apache-2.0
 *
 * acl.c - POSIX access control lists, as the kernel keeps them
 */
#include "kernel/acl.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#define HEADER sizeof(struct posix_acl_xattr_header)
#define ENTRY sizeof(struct posix_acl_xattr_entry)
#define ENTRIES_MAX ((ACL_SIZE_MAX - HEADER) / ENTRY)

/* Of an entry for everybody of a kind. */
#define NO_ID UINT32_MAX

/**
 * struct entry - One line of a list
 * @tag:	ACL_USER_OBJ and so on; they stand in the order of their numbers
 * @perm:	ACL_READ, ACL_WRITE, ACL_EXECUTE
 * @id:		Of ACL_USER and ACL_GROUP
 */
struct entry {
	uint16_t tag, perm;
	uint32_t id;
};

/**
 * struct list - A list, decoded
 * @items:	The entries
 * @n:		How many
 */
struct list {
	struct entry items[ENTRIES_MAX + 2];
	size_t n;
};

/**
 * decode() - Read a list
 * @acl:	Its bytes
 * @ret:	Its entries
 *
 * Return: false if it is none.
 */
static bool decode(const struct acl *acl, struct list *ret)
{
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry raw;

	if (acl->size < HEADER || acl->size > ACL_SIZE_MAX ||
	    (acl->size - HEADER) % ENTRY)
		return false;
	memcpy(&head, acl->bytes, HEADER);
	if (le32toh(head.a_version) != POSIX_ACL_XATTR_VERSION)
		return false;
	ret->n = (acl->size - HEADER) / ENTRY;
	for (size_t i = 0; i < ret->n; i++) {
		memcpy(&raw, acl->bytes + HEADER + i * ENTRY, ENTRY);
		ret->items[i] = (struct entry){ le16toh(raw.e_tag),
						le16toh(raw.e_perm),
						le32toh(raw.e_id) };
	}
	return true;
}

/**
 * encode() - Write a list
 * @list:	Its entries; as many as fit
 * @ret:	Its bytes
 */
static void encode(const struct list *list, struct acl *ret)
{
	const struct posix_acl_xattr_header head = {
		.a_version = htole32(POSIX_ACL_XATTR_VERSION),
	};

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->bytes, &head, HEADER);
	for (size_t i = 0; i < list->n; i++) {
		const struct posix_acl_xattr_entry raw = {
			.e_tag = htole16(list->items[i].tag),
			.e_perm = htole16(list->items[i].perm),
			.e_id = htole32(list->items[i].id),
		};

		memcpy(ret->bytes + HEADER + i * ENTRY, &raw, ENTRY);
	}
	ret->size = HEADER + list->n * ENTRY;
}

/* find() - The entry of a kind, and of an id; NULL for none. */
static struct entry *find(struct list *list, uint16_t tag, uint32_t id)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].tag == tag &&
		    (id == NO_ID || list->items[i].id == id))
			return &list->items[i];
	return NULL;
}

/* is_masked() - Does the mask limit what an entry allows? */
static bool is_masked(const struct entry *entry)
{
	return entry->tag == ACL_USER || entry->tag == ACL_GROUP ||
	       entry->tag == ACL_GROUP_OBJ;
}

/**
 * insert() - Put an entry where the kernel wants it: by tag, then by id
 * @list:	With room for it
 */
static void insert(struct list *list, const struct entry *entry)
{
	size_t i = list->n;

	while (i > 0 && (list->items[i - 1].tag > entry->tag ||
			 (list->items[i - 1].tag == entry->tag &&
			  list->items[i - 1].id > entry->id))) {
		list->items[i] = list->items[i - 1];
		i--;
	}
	list->items[i] = *entry;
	list->n++;
}

/* drop() - Take an entry out. */
static void drop(struct list *list, struct entry *entry)
{
	size_t i = (size_t)(entry - list->items);

	memmove(entry, entry + 1, (list->n - i - 1) * sizeof(*entry));
	list->n--;
}

/* acl_of_mode() - See acl.h. */
void acl_of_mode(mode_t mode, struct acl *ret)
{
	const struct list list = { .n = 3, .items = {
		{ ACL_USER_OBJ, (uint16_t)(mode >> 6 & 7), NO_ID },
		{ ACL_GROUP_OBJ, (uint16_t)(mode >> 3 & 7), NO_ID },
		{ ACL_OTHER, (uint16_t)(mode & 7), NO_ID },
	} };

	encode(&list, ret);
}

/* acl_valid() - See acl.h. */
bool acl_valid(const struct acl *acl)
{
	bool named = false;
	struct list list;

	if (!decode(acl, &list) || !find(&list, ACL_USER_OBJ, NO_ID) ||
	    !find(&list, ACL_GROUP_OBJ, NO_ID) ||
	    !find(&list, ACL_OTHER, NO_ID))
		return false;
	for (size_t i = 0; i < list.n; i++) {
		const struct entry *entry = &list.items[i];

		if (entry->perm & ~(ACL_READ | ACL_WRITE | ACL_EXECUTE))
			return false;
		if (i > 0 && entry->tag < list.items[i - 1].tag)
			return false;
		named = named || entry->tag == ACL_USER ||
			entry->tag == ACL_GROUP;
	}
	return !named || find(&list, ACL_MASK, NO_ID);
}

/* acl_equal() - See acl.h. */
bool acl_equal(const struct acl *a, const struct acl *b)
{
	return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}

/* acl_has() - See acl.h. */
bool acl_has(const struct acl *acl, uid_t uid)
{
	const uint16_t rw = ACL_READ | ACL_WRITE;
	const struct entry *entry, *mask;
	struct list list;

	if (!decode(acl, &list))
		return false;
	entry = find(&list, ACL_USER, uid);
	mask = find(&list, ACL_MASK, NO_ID);
	return entry && mask && (entry->perm & mask->perm & rw) == rw;
}

/* acl_add() - See acl.h. */
int acl_add(const struct acl *acl, uid_t uid, struct acl *ret)
{
	const struct entry wanted = { ACL_USER, ACL_READ | ACL_WRITE, uid };
	struct entry mask = { ACL_MASK, 0, NO_ID };
	struct entry *entry;
	struct list list;

	if (!decode(acl, &list))
		return -EINVAL;
	entry = find(&list, ACL_MASK, NO_ID);
	if (entry) {
		mask = *entry;
		drop(&list, entry);
	} else {
		/* There was none, so there is one entry that it limits. */
		entry = find(&list, ACL_GROUP_OBJ, NO_ID);
		mask.perm = entry ? entry->perm : 0;
	}
	for (size_t i = 0; i < list.n; i++)
		if (is_masked(&list.items[i]))
			list.items[i].perm &= mask.perm;
	entry = find(&list, ACL_USER, uid);
	if (entry)
		entry->perm |= wanted.perm;
	else
		insert(&list, &wanted);
	mask.perm |= wanted.perm;
	insert(&list, &mask);
	if (list.n > ENTRIES_MAX)
		return -ENOSPC;
	encode(&list, ret);
	return 0;
}

/* acl_remove() - See acl.h. */
void acl_remove(const struct acl *acl, uid_t uid, struct acl *ret)
{
	struct entry *entry, *mask;
	struct list list;
	bool named = false;
	uint16_t need = 0;

	*ret = *acl;
	if (!decode(acl, &list))
		return;
	entry = find(&list, ACL_USER, uid);
	if (!entry)
		return;
	drop(&list, entry);
	for (size_t i = 0; i < list.n; i++) {
		named = named || list.items[i].tag == ACL_USER ||
			list.items[i].tag == ACL_GROUP;
		if (is_masked(&list.items[i]))
			need |= list.items[i].perm;
	}
	mask = find(&list, ACL_MASK, NO_ID);
	if (mask && named)
		mask->perm &= need;
	else if (mask)
		drop(&list, mask);
	encode(&list, ret);
}
