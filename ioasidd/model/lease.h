/* SPDX-License-Identifier: Apache-2.0
 *
 * lease.h - leases: the recorded right of one holder to a set of devices
 *
 * Pure. Guarded by the registry's lock.
 */
#ifndef IOASIDD_MODEL_LEASE_H
#define IOASIDD_MODEL_LEASE_H

#include "base/process.h"
#include "base/str.h"
#include "model/device.h"
#include "model/mapped.h"
#include "model/page-table.h"
#include "model/space.h"

#define LEASE_DEVICES_MAX 64
#define LEASE_LABELS_MAX 32
#define LABEL_KEY_MAX 63
#define LABEL_VALUE_MAX 255
#define LEASE_HOLDERS_MAX 64
#define UNIT_SIZE 128
#define TOKEN_HASH_SIZE 32

/**
 * enum lease_state - Where a lease stands
 * @LEASE_OFFERED:	Addressed; no descriptor is open. Next: claiming, ended.
 * @LEASE_CLAIMING:	Descriptors are opened and sent; no undo once sent.
 *			Next: held; offered if nothing left.
 * @LEASE_HELD:		The holder has the descriptors. Next: reclaiming.
 * @LEASE_RECLAIMING:	The holder has ended. Next: ended.
 * @LEASE_ENDED:	Over.
 */
enum lease_state {
	LEASE_OFFERED,
	LEASE_CLAIMING,
	LEASE_HELD,
	LEASE_RECLAIMING,
	LEASE_ENDED,
	LEASE_STATE_COUNT
};

/**
 * enum lease_mode - How descriptors are handed over
 * @LEASE_TRANSFER:	Unbound devices and an empty iommufd; we keep nothing
 * @LEASE_HOLD:		Bound devices and their iommufd with spaces; we keep
 *			copies (ops/context.h)
 * @LEASE_GUARDED:	Bound devices alone; we keep the iommufd, and map memory
 *			for the holder (ops/guarded.h)
 */
enum lease_mode {
	LEASE_TRANSFER,
	LEASE_HOLD,
	LEASE_GUARDED,
	LEASE_MODE_COUNT
};

/**
 * struct holder - A process that holds or held a lease
 * @process:		Who
 * @boot_id:		In which boot
 * @pidfd_inode:	Of its pidfd, unique for a boot where the kernel has
 *			pidfs; 0 if unknown
 * @memlock_before:	Its soft limit of locked memory before us, bytes
 * @memlock_hard_before: Its hard limit, likewise; 0 if it is not known
 * @since_us:		When it got the descriptors
 * @until_us:		When it was seen to have ended; 0 before
 * @why:		Why it holds no more
 */
struct holder {
	struct process process;
	char boot_id[37];
	uint64_t pidfd_inode;
	uint64_t memlock_before, memlock_hard_before;
	uint64_t since_us, until_us;
	char why[128];
};

/**
 * struct lease_node - The node of a group that a holder opens itself
 * @node:	It
 * @group:	Name of the group
 * @open:	An entry for the holder's uid is in its list, or is about to be;
 *		durable before it is
 * @before:	With @open: the list that it had
 */
struct lease_node {
	struct kernel_node node;
	char group[NAME_SIZE];
	bool open;
	struct acl before;
};

/**
 * struct lease - One lease
 * @name:		"leases/<ULID>"
 * @revision:		Of its last change
 * @request_id:		Of the request that made it; empty for none
 * @fingerprint:	Of that request; empty if it is not known
 * @state:		Where it stands
 * @mode:		How descriptors are handed over
 * @devices:		Names, in the order of their descriptors
 * @labels:		Pairs: key, value, key, value
 * @owner:		Who asked for it, by name, see struct caller
 * @owner_uid:		Its uid; (uid_t)-1 for none
 * @claimant_uid:	Who may claim it; (uid_t)-1 for only who has the token
 * @claimant_pid:	0 for any process of that uid
 * @claimant_unit:	The systemd unit that it must run in; empty for any
 * @has_token:		Who shows the token that @token_hash is of may claim it
 * @token_hash:		SHA-256 of it; the token itself is kept nowhere
 * @token_expires_us:	It is good until then; 0 for as long as the offer
 * @memlock:		What the holder may lock for it, bytes
 * @memlock_unlimited:	It may lock any amount
 * @expires_us:		An offer is over by then; 0 for never
 * @incarnation:	How many times it was handed over
 * @acknowledged:	The holder said that the descriptors have arrived
 * @restore_after:	Devices go back to their former driver at its end
 * @grace_ms:		If lease_is_kept(): for so long after its holder's end a
 *			successor may claim it
 * @spaces:		Likewise: its spaces; @n_spaces of them
 * @tables:		Likewise: its page tables, parents before what hangs on
 *			them; @n_tables of them
 * @kept:		Likewise: we have its descriptors. Not in the database
 * @container:		Likewise: they are of a VFIO container, on a host without
 *			iommufd, where nothing has an id. Not in the database
 * @device_ids:		Likewise: of @devices, in the iommufd; @n_device_ids is
 *			as many, or 0 if there is no iommufd
 * @volatile_lease:	Of LEASE_GUARDED: nobody keeps it while we are started
 *			anew
 * @mapped:		Likewise: what is mapped for it, shared by all copies of
 *			the lease; NULL of other modes
 * @nodes:		Of LEASE_TRANSFER on a host without iommufd: the nodes of
 *			its groups, in the order of their first devices;
 *			@n_nodes of them. Then it is of nodes, not descriptors
 * @shared_uid:		Likewise: they are opened to the holder's uid although
 *			others have it
 * @released_us:	Likewise: when its release was asked for, though its
 *			holder lived; 0 before
 * @holders:		Oldest first; @n_holders of them
 * @reclaim:		Name of the operation that made its devices safe
 * @created_us:		When it was made
 * @ended_us:		When it ended; 0 before
 * @end_reason:		Why
 */
struct lease {
	char name[NAME_SIZE];
	uint64_t revision;
	char request_id[REQUEST_ID_MAX + 1];
	char fingerprint[REQUEST_FINGERPRINT_SIZE];
	enum lease_state state;
	enum lease_mode mode;
	struct strv devices;
	struct strv labels;
	char owner[PRINCIPAL_SIZE];
	uid_t owner_uid;
	uid_t claimant_uid;
	pid_t claimant_pid;
	char claimant_unit[UNIT_SIZE];
	bool has_token;
	uint8_t token_hash[TOKEN_HASH_SIZE];
	uint64_t token_expires_us;
	uint64_t memlock;
	bool memlock_unlimited;
	uint64_t expires_us;
	uint32_t incarnation;
	bool acknowledged;
	bool restore_after;
	uint32_t grace_ms;
	struct space *spaces;
	size_t n_spaces;
	struct page_table *tables;
	size_t n_tables;
	bool kept;
	bool container;
	uint32_t device_ids[LEASE_DEVICES_MAX];
	size_t n_device_ids;
	bool volatile_lease;
	struct mapped *mapped;
	struct lease_node *nodes;
	size_t n_nodes;
	bool shared_uid;
	uint64_t released_us;
	struct holder *holders;
	size_t n_holders;
	char reclaim[NAME_SIZE];
	uint64_t created_us, ended_us;
	char end_reason[128];
};

/* lease_new() - An empty offer without a name. Return: NULL without memory. */
struct lease *lease_new(void);

/* lease_copy() - A copy of all of it. Return: NULL without memory. */
struct lease *lease_copy(const struct lease *lease);

/* lease_free() - NULL is allowed. Return: NULL. */
struct lease *lease_free(struct lease *lease);

/* lease_add_holder() - Append a holder; of more than LEASE_HOLDERS_MAX the oldest
 * is forgotten. Return: 0 or -ENOMEM.
 */
int lease_add_holder(struct lease *lease, const struct holder *holder);

/* lease_add_space() - Append a space. Return: 0: @space is empty now; -ENOMEM. */
int lease_add_space(struct lease *lease, struct space *space);

/* lease_drop_space() - Take the @i-th space out. */
void lease_drop_space(struct lease *lease, size_t i);

/* lease_add_node() - Append a node. Return: 0 or -ENOMEM. */
int lease_add_node(struct lease *lease, const struct lease_node *node);

/* lease_drop_nodes() - Take all nodes out. */
void lease_drop_nodes(struct lease *lease);

/* lease_is_open() - Is an entry for the holder in the list of any of its nodes? */
bool lease_is_open(const struct lease *lease);

/* lease_is_kept() - Is it of a mode of which we keep descriptors? */
bool lease_is_kept(const struct lease *lease);

/* lease_space() - A space by its name; NULL if the lease has none of it. */
struct space *lease_space(const struct lease *lease, const char *name);

/* lease_space_of() - The space that a device is on; NULL for none. */
struct space *lease_space_of(const struct lease *lease, const char *device);

/* lease_add_table() - Append a page table. Return: 0: @table is empty now;
 * -ENOMEM.
 */
int lease_add_table(struct lease *lease, struct page_table *table);

/* lease_drop_table() - Take the @i-th page table out. */
void lease_drop_table(struct lease *lease, size_t i);

/* lease_table() - A page table by its name; NULL if the lease has none of it. */
struct page_table *lease_table(const struct lease *lease, const char *name);

/* lease_table_of() - The page table that a device is on, without a PASID; NULL for
 * none.
 */
struct page_table *lease_table_of(const struct lease *lease,
				  const char *device);

/* lease_place_of() - The kernel's id of what a device is on, space or page table,
 * without a PASID; 0 for nothing.
 */
uint32_t lease_place_of(const struct lease *lease, const char *device);

/* lease_root_of() - The space that a page table hangs on, at last; NULL if the
 * lease has none of it.
 */
struct space *lease_root_of(const struct lease *lease,
			    const struct page_table *table);

/* lease_users_of() - The devices whose DMA a space is for: those on it, and on
 * page tables that hang on it. Return: 0; -ENOMEM.
 */
int lease_users_of(const struct lease *lease, const struct space *space,
		   struct strv *ret);

/* lease_move() - Devices leave what they are on, without a PASID, but for a space or
 * page table of this name; NULL for all.
 */
void lease_move(struct lease *lease, const struct strv *devices,
		const char *but);

/* lease_forget_ids() - There is no iommufd any more: what it called things means
 * nothing.
 */
void lease_forget_ids(struct lease *lease);

/* lease_holder() - The holder of now, the last one; NULL if there was none. */
struct holder *lease_holder(struct lease *lease);

const char *lease_state_name(enum lease_state state);
int lease_state_from_name(const char *name, enum lease_state *ret);
const char *lease_mode_name(enum lease_mode mode);
int lease_mode_from_name(const char *name, enum lease_mode *ret);

#endif
