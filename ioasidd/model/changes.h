/* SPDX-License-Identifier: Apache-2.0
 *
 * changes.h - the log of changes: every published revision once and in order
 *
 * DOC: Theory of Operation
 *
 * The rule. What becomes visible in the registry becomes so under its lock, and
 * gets its revision there and then, from one counter: registry_changed_device()
 * and its kin. A revision is never given to what is published later. So whoever
 * has seen revision r, of a list or of a change, has seen all that will ever
 * have a revision up to r, and what comes after it is later than r. (A commit
 * writes the revision that it foresees into the database before it is
 * published. If others are published first it gets a later one, and its row
 * keeps the smaller one, which is nobody else's; the next life begins above
 * all of them.)
 *
 * While the lock is held an object may be changed many times: that is one
 * change, with one revision. When the lock is given back (registry_unlock())
 * each object that was changed is entered here as it is then, in the order of
 * revisions, before anybody else can look. An object that the registry does not
 * have any more is entered as removed.
 *
 * The log keeps the last of them, limited in number and bytes. A reader is a
 * cursor: the revision that it was told last. One that needs what is not kept
 * any more hears so (-ESTALE) and must list again. If there is no memory to
 * enter a change all of the log is dropped, which is the same to a reader: none
 * ever misses a change unawares. The log of a new life is empty.
 *
 * What an entry says of its object are bytes that front/ has made, unread here.
 * Who may see it is written down with it: the model does not know what becomes
 * of a caller, but it knows whom an object was for at that revision.
 */
#ifndef IOASIDD_MODEL_CHANGES_H
#define IOASIDD_MODEL_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is kept at most; a power of two, and bytes. */
#define CHANGES_MAX 4096
#define CHANGES_BYTES_MAX (8u << 20)

/* Resource names: "devices/pci-0000-3b-00.0", "leases/<ULID>"; those of IOMMUs
 * are longer.
 */
#define CHANGE_NAME_SIZE 128

/* As that of an operation, "uid:<n>" and the like. */
#define CHANGE_PRINCIPAL_SIZE 256

enum change_collection {
	CHANGE_DEVICES,
	CHANGE_GROUPS,
	CHANGE_IOMMUS,
	CHANGE_LEASES,
	CHANGE_OPERATIONS,
	CHANGE_COLLECTION_COUNT
};

/**
 * struct audience - To whom a lease or a device is leased
 * @leased:	It is a lease, or with one that has not ended
 * @uid:	Of the claimant
 * @pid:	Likewise; 0 for any
 */
struct audience {
	bool leased;
	uid_t uid;
	pid_t pid;
};

/**
 * struct logged - One change
 * @revision:	Of the change
 * @at_us:	When it was made
 * @collection:	What it is a change of
 * @name:	Of the object
 * @removed:	The registry does not have it any more
 * @before:	Whose the object was before
 * @audience:	Whose it is with this change
 * @principal:	Of an operation: who asked for it; behind @data
 * @size:	Of @data, bytes
 * @data:	The object, as front/ writes it; nothing if it was removed
 */
struct logged {
	uint64_t revision;
	uint64_t at_us;
	enum change_collection collection;
	char name[CHANGE_NAME_SIZE];
	bool removed;
	struct audience before;
	struct audience audience;
	const char *principal;
	size_t size;
	uint8_t data[];
};

/**
 * struct touched - An object that was changed while the lock is held
 * @collection:	What it is of
 * @name:	Its name
 * @revision:	Of the change
 * @before:	Whose the object was before
 * @principal:	Of an operation: who asked for it; else empty
 */
struct touched {
	enum change_collection collection;
	char name[CHANGE_NAME_SIZE];
	uint64_t revision;
	struct audience before;
	char principal[CHANGE_PRINCIPAL_SIZE];
};

/**
 * struct changes - The log; guarded by the registry's lock
 * @ring:	The @n newest, the oldest of them at @first
 * @kept:	How many there may be; 0: CHANGES_MAX. Fixed
 * @bytes:	What they take
 * @floor:	Changes up to this revision are not all kept
 * @touched:	What is to be entered when the lock is given back; @n_touched
 *		in room for @room
 * @lost:	There was no memory for one of them
 */
struct changes {
	struct logged *ring[CHANGES_MAX];
	size_t first, n;
	size_t kept;
	size_t bytes;
	uint64_t floor;
	struct touched *touched;
	size_t n_touched, room;
	bool lost;
};

/* changes_deinit() - Free all of it. */
void changes_deinit(struct changes *changes);

/* changes_begin() - Keep what is later than @revision, from now on. */
void changes_begin(struct changes *changes, uint64_t revision);

/**
 * changes_touch() - Remember that an object was changed
 *
 * Without memory that is remembered, see @lost.
 */
void changes_touch(struct changes *changes, enum change_collection collection,
		   const char *name, uint64_t revision,
		   const struct audience *before, const char *principal);

/**
 * logged_new() - Make an entry of what was remembered
 * @size:	Bytes of its object
 *
 * Return: the entry, without audience and object; NULL without memory.
 */
struct logged *logged_new(const struct touched *touched, size_t size);

/**
 * changes_add_consume() - Enter a change
 * @entry:	Its revision is greater than those of all before; NULL: there
 *		was no memory for it
 * @revision:	Of the change
 */
void changes_add_consume(struct changes *changes, struct logged *entry,
			 uint64_t revision);

/* changes_done() - What was remembered is entered, up to @revision. */
void changes_done(struct changes *changes, uint64_t revision);

/**
 * changes_next() - The first change after a revision
 * @after:	The revision
 * @ret:	The change, NULL if there is none yet; valid under this lock
 *
 * Return: 0; -ESTALE if not all that are later are kept.
 */
int changes_next(const struct changes *changes, uint64_t after,
		 const struct logged **ret);

/* change_collection_from_name() - Of "devices" and so on. Return: the collection;
 * -EINVAL.
 */
int change_collection_from_name(const char *name);

#endif
