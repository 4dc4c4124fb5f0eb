/* SPDX-License-Identifier: Apache-2.0
 *
 * ioasid.h - libioasid: devices and their descriptors from ioasidd, in plain C
 *
 * DOC: Theory of Operation
 *
 * A program connects to the ioasidd of its host, claims a lease that is
 * addressed to it, and has the file descriptors of an iommufd and of VFIO
 * devices, without a privilege of its own:
 *
 *	struct ioasid_error err;
 *	struct ioasid *conn;
 *	struct ioasid_claim *claim;
 *
 *	if (ioasid_connect(NULL, -1, &conn, &err) < 0 ||
 *	    ioasid_lease_claim(conn, "leases/01k...", &claim, &err) < 0)
 *		die("%s: %s [%s]", err.object, err.message, err.id);
 *	... use claim->iommufd and claim->devices[0].fd ...
 *	ioasid_lease_acknowledge(conn, "leases/01k...", &err);
 *	ioasid_claim_free(claim);	closes the descriptors not taken out
 *	ioasid_disconnect(conn);
 *
 * Rules that hold everywhere:
 *
 * A function that can fail returns 0, or a negative errno value and fills the
 * struct ioasid_error that it is given (NULL if the words are not wanted).
 * What it returns through ret pointers is written on success only.
 *
 *	-EREMOTEIO	the daemon refused or failed; decide on error.id, which
 *			is one of its catalogue ("device.in-use")
 *	-EINVAL		the caller's arguments; nothing was sent
 *	-ETIMEDOUT	the time set was over		(IOASID_ERROR_TIMEOUT)
 *	-EPROTO		the daemon broke the protocol	(IOASID_ERROR_PROTOCOL)
 *	-ECONNRESET	the daemon closed the connection (IOASID_ERROR_CLOSED)
 *	-ENOMEM		no memory			(IOASID_ERROR_MEMORY)
 *	others		as connect(2) has them	    (IOASID_ERROR_UNREACHABLE)
 *
 * The functions under "mapping" do not ask the daemon: they return the kernel's
 * errno values, whose meaning is said there.
 *
 * After -ETIMEDOUT, -EPROTO and -ECONNRESET the connection is dead: each later
 * call on it is -ENOTCONN; connect anew. Leases do not hang on the connection
 * but on the process.
 *
 * Objects that the library gives are made and freed by it alone; a later
 * version may add members at their ends. Strings in them are never NULL, are
 * UTF-8, and live as long as their object.
 *
 * A connection may be used by one thread at a time. No function starts a
 * thread, installs a signal handler, raises SIGPIPE, or writes anywhere. All
 * descriptors are close-on-exec.
 */
#ifndef IOASID_H
#define IOASID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef IOASID_PUBLIC
#define IOASID_PUBLIC __attribute__((visibility("default")))
#endif

/* Where ioasidd listens. */
#define IOASID_DEFAULT_SOCKET "/run/ioasidd/ioasidd.sock"

/* The most devices that one lease can have. */
#define IOASID_MAX_DEVICES 64

/* The most causes in one error. */
#define IOASID_MAX_CAUSES 16

/* Errors of the library's own. All other ids are the daemon's. */
#define IOASID_ERROR_UNREACHABLE "client.unreachable"
#define IOASID_ERROR_TIMEOUT "client.timeout"
#define IOASID_ERROR_CLOSED "client.closed"
#define IOASID_ERROR_PROTOCOL "client.protocol"
#define IOASID_ERROR_ARGUMENT "client.argument"
#define IOASID_ERROR_MEMORY "client.no-memory"

/* --- errors -------------------------------------------------------------- */

/**
 * struct ioasid_cause - One thing that stands in the way
 * @kind:	"process", "mount", "swap", "holder", "netdev", "block",
 *		"device", "group", "range", "descriptor" or "operation"
 * @name:	Its name: a pid, a mount point, a device name
 * @detail:	What it does that stands in the way, for a person
 */
struct ioasid_cause {
	char kind[16];
	char name[112];
	char detail[128];
};

/**
 * struct ioasid_error - What was refused or failed, and what would work
 * @id:		Stable identifier; programs decide on this and nothing else
 * @message:	The words for a person; longer ones are cut
 * @object:	Resource name of the object it is about; empty if none
 * @remedy:	What would work; empty if nothing is known to
 * @n_causes:	How many @causes are filled
 * @causes:	What stands in the way
 *
 * A fixed buffer, so that reporting needs no memory and freeing. Not touched
 * by a call that succeeds.
 */
struct ioasid_error {
	char id[48];
	char message[512];
	char object[112];
	char remedy[256];
	size_t n_causes;
	struct ioasid_cause causes[IOASID_MAX_CAUSES];
};

/* --- the connection ------------------------------------------------------ */

struct ioasid;

/**
 * struct ioasid_hello - What the daemon said when the connection was made
 * @contract:	"ioasid.v1"
 * @daemon:	Its release
 * @max_packet:	The longest packet that either side may send, bytes
 * @uid:	As whom the kernel presents the caller to the daemon
 * @pid:	Likewise
 */
struct ioasid_hello {
	const char *contract;
	const char *daemon;
	uint32_t max_packet;
	uid_t uid;
	pid_t pid;
};

/**
 * ioasid_version() - The release of this library
 *
 * Return: such as "0.1.0".
 */
IOASID_PUBLIC const char *ioasid_version(void);

/**
 * ioasid_connect() - Connect to the daemon and hear its hello
 * @path:	Its socket; NULL for IOASID_DEFAULT_SOCKET. No environment
 *		variable is looked at.
 * @timeout_ms:	How long this and each later call may take, milliseconds; -1
 *		for no limit
 * @ret:	The connection; end it with ioasid_disconnect()
 * @err:	See the head of this file
 *
 * The daemon takes the caller for whom the kernel says it is at this moment:
 * a process that drops its privileges connects anew afterwards.
 *
 * Return: 0; connect(2) errors such as -ENOENT, -ECONNREFUSED and -EACCES with
 * IOASID_ERROR_UNREACHABLE; -EREMOTEIO if the daemon turned us away; others
 * as above.
 */
IOASID_PUBLIC int ioasid_connect(const char *path, int timeout_ms,
				 struct ioasid **ret, struct ioasid_error *err);

/**
 * ioasid_disconnect() - Close the connection
 * @conn:	NULL is allowed
 *
 * Leases and descriptors stay as they are.
 *
 * Return: NULL, to be assigned.
 */
IOASID_PUBLIC struct ioasid *ioasid_disconnect(struct ioasid *conn);

/**
 * ioasid_hello() - What the daemon said when the connection was made
 * @conn:	The connection
 *
 * Return: the hello; lives as long as @conn.
 */
IOASID_PUBLIC const struct ioasid_hello *
ioasid_hello(const struct ioasid *conn);

/**
 * ioasid_set_timeout() - Say how long each later call may take
 * @conn:	The connection
 * @timeout_ms:	Milliseconds; -1 for no limit, which is the default
 */
IOASID_PUBLIC void ioasid_set_timeout(struct ioasid *conn, int timeout_ms);

/* --- devices ------------------------------------------------------------- */

/* Whose a device is now; see Device.State in ioasid/v1/device.proto. */
enum ioasid_device_state {
	IOASID_DEVICE_UNSPECIFIED,
	IOASID_DEVICE_HOST,
	IOASID_DEVICE_PREPARING,
	IOASID_DEVICE_READY,
	IOASID_DEVICE_LEASED,
	IOASID_DEVICE_RECLAIMING,
	IOASID_DEVICE_QUARANTINED,
	IOASID_DEVICE_STUCK,
	IOASID_DEVICE_GONE,
	IOASID_DEVICE_FOREIGN,
	/* How many there are; a newer daemon may send larger ones. */
	IOASID_DEVICE_STATES,
};

/**
 * struct ioasid_range - I/O virtual addresses
 * @start:	First address, bytes
 * @last:	Last address, bytes, inclusive
 */
struct ioasid_range {
	uint64_t start;
	uint64_t last;
};

/**
 * struct ioasid_device - A device that can be assigned, or a bridge
 * @name:		"devices/pci-0000-3b-00.0"
 * @revision:		Of the change that made this version of the object
 * @etag:		Changes whenever the object does
 * @state:		Whose it is; values out of the enum are possible
 * @state_reason:	Why it is quarantined or stuck
 * @state_remedy:	What would bring it back
 * @bus:		"pci"
 * @bdf:		"0000:3b:00.0"; empty unless on PCI, as all ids then
 * @vendor:		Vendor id
 * @device:		Device id
 * @class_code:		Class, subclass, interface: 24 bits
 * @group:		Name of its group; empty if no IOMMU isolates it
 * @iommu:		Name of its IOMMU; empty if none
 * @driver:		The driver bound to it; empty if none
 * @former_driver:	The one that it goes back to; empty if none
 * @lease:		Name of the lease that has it; empty if none
 * @operation:		The operation at work on it; empty if none
 * @numa_node:		From 0; -1 if unknown
 * @bridge:		It is never assigned
 * @no_reset:		Prepared although no reset works on it
 * @unsafe_interrupts:	Prepared although its interrupts are not isolated
 * @no_iommu:		Prepared although no IOMMU is in front of it: its DMA
 *			reaches all memory of the host
 * @probed:		The following members are known
 * @n_iova_ranges:	How many @iova_ranges there are
 * @iova_ranges:	The addresses that it can use once attached
 * @iova_alignment:	Of every mapping's start and length, bytes
 * @backend:		What it was probed by: "iommufd", "type1" or "spapr"; empty
 *			before
 * @dirty_tracking:	What it has written can be asked for
 * @dma_entries:	How many mappings there can be at a time in a container; 0
 *			if nothing limits them
 */
struct ioasid_device {
	const char *name;
	uint64_t revision;
	const char *etag;
	enum ioasid_device_state state;
	const char *state_reason;
	const char *state_remedy;
	const char *bus;
	const char *bdf;
	uint32_t vendor;
	uint32_t device;
	uint32_t class_code;
	const char *group;
	const char *iommu;
	const char *driver;
	const char *former_driver;
	const char *lease;
	const char *operation;
	int32_t numa_node;
	bool bridge;
	bool no_reset;
	bool unsafe_interrupts;
	bool no_iommu;
	bool probed;
	size_t n_iova_ranges;
	const struct ioasid_range *iova_ranges;
	uint64_t iova_alignment;
	const char *backend;
	bool dirty_tracking;
	uint32_t dma_entries;
};

/**
 * struct ioasid_device_list - Devices, by name
 * @n:		How many
 * @items:	The devices
 * @revision:	What the list is of, to watch from: ioasid_watch_start()
 */
struct ioasid_device_list {
	size_t n;
	struct ioasid_device **items;
	uint64_t revision;
};

/**
 * ioasid_device_list() - List the devices of this host
 * @conn:	The connection
 * @all:	Bridges too, and devices that no IOMMU isolates
 * @ret:	The list; ioasid_device_list_free()
 * @err:	See the head of this file
 *
 * Return: 0; errors as above.
 */
IOASID_PUBLIC int ioasid_device_list(struct ioasid *conn, bool all,
				     struct ioasid_device_list **ret,
				     struct ioasid_error *err);

/* ioasid_device_list_free() - Free a list and its devices; returns NULL. */
IOASID_PUBLIC struct ioasid_device_list *
ioasid_device_list_free(struct ioasid_device_list *list);

/**
 * ioasid_device_get() - Read one device
 * @conn:	The connection
 * @name:	"devices/pci-0000-3b-00.0"
 * @ret:	The device; ioasid_device_free()
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: device.not-found.
 */
IOASID_PUBLIC int ioasid_device_get(struct ioasid *conn, const char *name,
				    struct ioasid_device **ret,
				    struct ioasid_error *err);

/* ioasid_device_free() - Free a device; NULL is allowed; returns NULL. */
IOASID_PUBLIC struct ioasid_device *
ioasid_device_free(struct ioasid_device *device);

/* --- windows ------------------------------------------------------------- */

/* The most windows that one space can have, and wishes in one request. */
#define IOASID_MAX_WINDOWS 64

/* What a window is for; see WindowPurpose in ioasid/v1/window.proto. */
enum ioasid_window_purpose {
	/* Nothing said: anywhere. */
	IOASID_WINDOW_ANY,
	/* Devices that can address 32 bits: below 4 GiB. */
	IOASID_WINDOW_DMA32,
	/* The guest's memory. */
	IOASID_WINDOW_RAM,
	/* How many there are; a newer daemon may send larger ones. */
	IOASID_WINDOW_PURPOSES,
};

/**
 * struct ioasid_window - I/O virtual addresses that a space promises
 * @start:	First address, bytes
 * @last:	Last address, bytes, inclusive
 * @page_sizes:	Sizes of pages that mappings in it can begin with, one bit for
 *		each: bit 12 for 4 KiB. As wished; for a wish of 0 the
 *		alignment of the devices
 * @purpose:	As wished; values out of the enum are possible
 */
struct ioasid_window {
	uint64_t start;
	uint64_t last;
	uint64_t page_sizes;
	enum ioasid_window_purpose purpose;
};

/**
 * struct ioasid_window_wish - A window that somebody needs
 * @size:		How long, bytes; not 0, a multiple of the devices'
 *			alignment and of every size in @page_sizes
 * @has_start:		It begins at @start; otherwise wherever there is room,
 *			the lowest place first
 * @start:		First address, bytes; a multiple as @size is
 * @page_sizes:		As in struct ioasid_window; 0 for the devices' smallest
 * @purpose:		What it is for
 * @around_reserved:	Leave out what the devices reserve in it (MSI on x86,
 *			say): one wish may then become several windows.
 *			Otherwise it is given whole or not at all
 *
 * What is wrong with one is said by the daemon: window.invalid,
 * window.unavailable.
 */
struct ioasid_window_wish {
	uint64_t size;
	bool has_start;
	uint64_t start;
	uint64_t page_sizes;
	enum ioasid_window_purpose purpose;
	bool around_reserved;
};

/**
 * enum ioasid_tce_step_kind - What is done with a container of POWER
 * @IOASID_TCE_KEEP_DEFAULT:	Nothing: the kernel makes the default window
 * @IOASID_TCE_REMOVE_DEFAULT:	It is removed, before anything is made
 * @IOASID_TCE_CREATE:		A dynamic window is made
 */
enum ioasid_tce_step_kind {
	IOASID_TCE_KEEP_DEFAULT = 1,
	IOASID_TCE_REMOVE_DEFAULT = 2,
	IOASID_TCE_CREATE = 3,
};

/**
 * struct ioasid_tce_step - One of the things that are done
 * @kind:	What; values out of the enum are possible
 * @start:	Where the window begins, bytes; of one that is made, where it is
 *		expected
 * @size:	How long it is, bytes; of one that is made a power of two
 * @page_shift:	Log2 of the size of its pages
 * @levels:	Of its table
 * @table_bytes: What that takes; it counts as locked memory of the process
 */
struct ioasid_tce_step {
	enum ioasid_tce_step_kind kind;
	uint64_t start;
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
	uint64_t table_bytes;
};

/**
 * struct ioasid_window_plan - Where windows can be
 * @revision:		What of the host it is of
 * @n_windows:		How many @windows there are
 * @windows:		The windows, by address
 * @n_iova_ranges:	How many @iova_ranges there are
 * @iova_ranges:	What all of the devices together can use, by address
 * @iova_alignment:	What start and size of every window are multiples of,
 *			bytes
 * @n_tce_steps:	How many @tce_steps there are; 0 but on POWER
 * @tce_steps:		What the holder has to do to have the windows, in that
 *			order: ioasid_tce_carry_out()
 */
struct ioasid_window_plan {
	uint64_t revision;
	size_t n_windows;
	const struct ioasid_window *windows;
	size_t n_iova_ranges;
	const struct ioasid_range *iova_ranges;
	uint64_t iova_alignment;
	size_t n_tce_steps;
	const struct ioasid_tce_step *tce_steps;
};

/**
 * ioasid_windows_plan() - Ask where windows can be, before anything is made
 * @conn:	The connection
 * @devices:	Names of the devices that are all to use them, each prepared
 * @n_devices:	How many, at most IOASID_MAX_DEVICES; 0 for a machine without
 *		limits
 * @wishes:	What is needed
 * @n_wishes:	How many, at most IOASID_MAX_WINDOWS; 0 to be told the ranges
 *		alone
 * @ret:	The plan; ioasid_window_plan_free()
 * @err:	See the head of this file; of window.unavailable each cause is a
 *		device with what it has there, and the remedy says what would
 *		fit
 *
 * Nothing is changed, and nothing kept free. Those with a start are placed
 * first, then those below 4 GiB, then the others, each at its lowest place,
 * which may be 0.
 *
 * Return: 0; errors as above, of the daemon: device.not-found,
 * device.not-ready, window.invalid, window.unavailable, limit.windows.
 */
IOASID_PUBLIC int ioasid_windows_plan(struct ioasid *conn,
				      const char *const *devices,
				      size_t n_devices,
				      const struct ioasid_window_wish *wishes,
				      size_t n_wishes,
				      struct ioasid_window_plan **ret,
				      struct ioasid_error *err);

/* ioasid_window_plan_free() - Free a plan; NULL is allowed; returns NULL. */
IOASID_PUBLIC struct ioasid_window_plan *
ioasid_window_plan_free(struct ioasid_window_plan *plan);

/* --- spaces -------------------------------------------------------------- */

/* The most spaces that can be made with a lease. */
#define IOASID_MAX_OFFERED_SPACES 16

/* The most labels of one object. */
#define IOASID_MAX_LABELS 32

/**
 * struct ioasid_label - What somebody calls an object
 * @key:	At most 63 bytes, not empty
 * @value:	At most 255 bytes
 */
struct ioasid_label {
	const char *key;
	const char *value;
};

/**
 * struct ioasid_attachment - A device on a space
 * @device:	Its name
 */
struct ioasid_attachment {
	const char *device;
};

/**
 * struct ioasid_space - An I/O address space (an IOAS) of a hold or guarded lease
 * @name:		"spaces/<ULID>"
 * @revision:		Of the lease
 * @etag:		The lease's: changes whenever the lease or a space of it
 *			does
 * @lease:		Name of its lease
 * @n_windows:		How many @windows there are
 * @windows:		What it promises to its devices, by address
 *			(IOMMU_IOAS_ALLOW_IOVAS): no device can be attached that
 *			would take it away. Not a fence: who has the iommufd can
 *			map outside
 * @n_attachments:	How many @attachments there are
 * @attachments:	Devices that use it
 * @kernel_id:		Its id in the lease's iommufd, for IOMMU_IOAS_MAP and
 *			its like (ioas_id); 0 if there is no iommufd now; of a
 *			lease with a container IOASID_SPACE_OF_CONTAINER, always
 * @n_iova_ranges:	How many @iova_ranges there are
 * @iova_ranges:	Where memory can be mapped with these devices, as the
 *			kernel had it (IOMMU_IOAS_IOVA_RANGES) when the daemon
 *			last changed the space
 * @iova_alignment:	Of every mapping's start and length, bytes; likewise
 * @n_labels:		How many @labels there are
 * @labels:		What its owner calls it
 * @created_us:		When it was made, microseconds since 1970
 */
struct ioasid_space {
	const char *name;
	uint64_t revision;
	const char *etag;
	const char *lease;
	size_t n_windows;
	const struct ioasid_window *windows;
	size_t n_attachments;
	const struct ioasid_attachment *attachments;
	uint32_t kernel_id;
	size_t n_iova_ranges;
	const struct ioasid_range *iova_ranges;
	uint64_t iova_alignment;
	size_t n_labels;
	const struct ioasid_label *labels;
	int64_t created_us;
};

/**
 * struct ioasid_space_list - Spaces, newest first
 * @n:		How many
 * @items:	The spaces
 * @revision:	What the list is of, to watch from: ioasid_watch_start()
 */
struct ioasid_space_list {
	size_t n;
	struct ioasid_space **items;
	uint64_t revision;
};

/**
 * struct ioasid_space_wish - A space that somebody needs; all may be zero
 * @windows:	What it has to promise
 * @n_windows:	How many, at most IOASID_MAX_WINDOWS
 * @devices:	Names of devices of the lease to be attached to it; those of one
 *		group are on the same space, or on none
 * @n_devices:	How many, at most IOASID_MAX_DEVICES
 * @labels:	What you call it
 * @n_labels:	How many, at most IOASID_MAX_LABELS
 */
struct ioasid_space_wish {
	const struct ioasid_window_wish *windows;
	size_t n_windows;
	const char *const *devices;
	size_t n_devices;
	const struct ioasid_label *labels;
	size_t n_labels;
};

/**
 * struct ioasid_terms - On which terms to change a space; zero for none
 * @etag:	Only if the lease's etag is this, otherwise it is
 *		request.etag-mismatch; NULL in any case
 * @request_id:	Tells a repeated request from a new one; NULL for none
 * @dry_run:	Check everything, change nothing
 */
struct ioasid_terms {
	const char *etag;
	const char *request_id;
	bool dry_run;
};

/**
 * ioasid_space_list() - List spaces
 * @conn:	The connection
 * @lease:	Only those of this lease, "leases/<ULID>"; NULL for all that the
 *		caller may see
 * @ret:	The list; ioasid_space_list_free()
 * @err:	See the head of this file
 *
 * Return: 0; errors as above.
 */
IOASID_PUBLIC int ioasid_space_list(struct ioasid *conn, const char *lease,
				    struct ioasid_space_list **ret,
				    struct ioasid_error *err);

/* ioasid_space_list_free() - Free a list and its spaces; returns NULL. */
IOASID_PUBLIC struct ioasid_space_list *
ioasid_space_list_free(struct ioasid_space_list *list);

/**
 * ioasid_space_get() - Read one space
 * @conn:	The connection
 * @name:	"spaces/<ULID>"
 * @ret:	The space; ioasid_space_free()
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: space.not-found.
 */
IOASID_PUBLIC int ioasid_space_get(struct ioasid *conn, const char *name,
				   struct ioasid_space **ret,
				   struct ioasid_error *err);

/* ioasid_space_free() - Free a space, but none of a lease; returns NULL. */
IOASID_PUBLIC struct ioasid_space *
ioasid_space_free(struct ioasid_space *space);

/**
 * ioasid_space_create() - Make a space in a hold or guarded lease
 * @conn:	The connection
 * @lease:	"leases/<ULID>"
 * @wish:	What is needed
 * @terms:	NULL for none
 * @ret:	The space; ioasid_space_free(); may be NULL
 * @err:	See the head of this file
 *
 * All of it, or nothing is made. Devices that are on another space of the lease
 * are moved, at one moment.
 *
 * Return: 0; errors as above, of the daemon: lease.not-found, lease.state,
 * lease.devices, space.mode, space.windows-differ, window.invalid,
 * window.unavailable, context.lost, limit.spaces, limit.windows, limit.quota,
 * permission.denied, kernel.*.
 */
IOASID_PUBLIC int ioasid_space_create(struct ioasid *conn, const char *lease,
				      const struct ioasid_space_wish *wish,
				      const struct ioasid_terms *terms,
				      struct ioasid_space **ret,
				      struct ioasid_error *err);

/**
 * ioasid_space_delete() - Destroy a space, with all that is mapped in it
 * @conn:	The connection
 * @name:	"spaces/<ULID>", without devices
 * @terms:	NULL for none
 * @ret:	The space as it was; ioasid_space_free(); may be NULL
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: space.not-found, space.in-use,
 * context.lost, permission.denied, kernel.*: the holder has made page tables of
 * it.
 */
IOASID_PUBLIC int ioasid_space_delete(struct ioasid *conn, const char *name,
				      const struct ioasid_terms *terms,
				      struct ioasid_space **ret,
				      struct ioasid_error *err);

/**
 * ioasid_space_set_windows() - Say what a space promises from now on
 * @conn:	The connection
 * @name:	"spaces/<ULID>"
 * @windows:	All of it, in place of what it promised before; to add to that
 *		or take from it, read it first and give its etag
 * @n_windows:	How many, at most IOASID_MAX_WINDOWS; 0 for no promise
 * @terms:	NULL for none
 * @ret:	The space as it is then; ioasid_space_free(); may be NULL
 * @err:	See the head of this file
 *
 * All of them, or nothing is changed. Mappings stay as they are; of a guarded
 * lease none may be left outside, and its other spaces have the same windows.
 *
 * Return: 0; errors as above, of the daemon: space.not-found, window.invalid,
 * window.unavailable, space.windows-differ, memory.outside-windows, context.lost,
 * limit.windows, permission.denied, kernel.*.
 */
IOASID_PUBLIC int ioasid_space_set_windows(
	struct ioasid *conn, const char *name,
	const struct ioasid_window_wish *windows, size_t n_windows,
	const struct ioasid_terms *terms, struct ioasid_space **ret,
	struct ioasid_error *err);

/**
 * ioasid_space_attach() - Put a device on a space
 * @conn:	The connection
 * @name:	"spaces/<ULID>"
 * @device:	Name of a device of the lease; with it come the others of its
 *		group. One that is on another space of the lease is moved, at
 *		one moment (VFIO_DEVICE_ATTACH_IOMMUFD_PT)
 * @terms:	NULL for none
 * @ret:	The space as it is then; ioasid_space_free(); may be NULL
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: space.not-found, lease.devices,
 * window.unavailable, context.lost, permission.denied, kernel.*.
 */
IOASID_PUBLIC int ioasid_space_attach(struct ioasid *conn, const char *name,
				      const char *device,
				      const struct ioasid_terms *terms,
				      struct ioasid_space **ret,
				      struct ioasid_error *err);

/**
 * ioasid_space_detach() - Take a device off a space
 * @conn:	The connection
 * @name:	"spaces/<ULID>"
 * @device:	Name of a device on it; with it go the others of its group
 * @terms:	NULL for none
 * @ret:	The space as it is then; ioasid_space_free(); may be NULL
 * @err:	See the head of this file
 *
 * Its DMA is blocked then.
 *
 * Return: 0; errors as above, of the daemon: space.not-found,
 * space.not-attached, lease.devices, context.lost, permission.denied, kernel.*.
 */
IOASID_PUBLIC int ioasid_space_detach(struct ioasid *conn, const char *name,
				      const char *device,
				      const struct ioasid_terms *terms,
				      struct ioasid_space **ret,
				      struct ioasid_error *err);

/* --- page tables of a lease ---------------------------------------------- */

/*
 * Page tables that ioasidd makes with its copy of a hold lease's iommufd, or that
 * the lease's holder has made (see "page tables" below) and registers, so that
 * they are known after a restart and ended in order.
 */

/**
 * struct ioasid_binding - A device on a page table
 * @device:	Its name
 * @pasid:	Of the DMA that goes through it; 0 for that without one
 */
struct ioasid_binding {
	const char *device;
	uint32_t pasid;
};

/**
 * struct ioasid_page_table - A page table of a hold lease
 * @name:	"pageTables/<ULID>"
 * @revision:	Of the lease
 * @etag:	The lease's
 * @lease:	Name of its lease
 * @parent:	Name of the space, or of a guest's the page table, that it hangs
 *		on
 * @device:	Name of the device that it was made for
 * @flags:	IOASID_TABLE_NEST_PARENT, _DIRTY, _PASID and _FAULTS
 * @data_type:	enum iommu_hwpt_data_type; 0 for a host's
 * @registered:	Its holder has made it
 * @dirty_on:	What is written is being recorded, as far as ioasidd knows
 * @kernel_id:	Its id in the lease's iommufd; 0 if there is none now
 * @n_bindings:	How many @bindings there are
 * @bindings:	Who is on it
 * @n_labels:	How many @labels there are
 * @labels:	What its owner calls it
 * @created_us:	When it was made, microseconds since 1970
 */
struct ioasid_page_table {
	const char *name;
	uint64_t revision;
	const char *etag;
	const char *lease;
	const char *parent;
	const char *device;
	uint32_t flags;
	uint32_t data_type;
	bool registered;
	bool dirty_on;
	uint32_t kernel_id;
	size_t n_bindings;
	const struct ioasid_binding *bindings;
	size_t n_labels;
	const struct ioasid_label *labels;
	int64_t created_us;
};

/**
 * struct ioasid_page_table_list - Page tables, newest first
 * @n:		How many
 * @items:	The page tables
 * @revision:	What the list is of, to watch from: ioasid_watch_start()
 */
struct ioasid_page_table_list {
	size_t n;
	struct ioasid_page_table **items;
	uint64_t revision;
};

/**
 * struct ioasid_page_table_wish - A page table that somebody needs, or has made
 * @parent:	Name of a space, or of a guest's of a page table made with
 *		IOASID_TABLE_NEST_PARENT
 * @device:	Name of the device of the lease that it suits
 * @flags:	IOASID_TABLE_*; a fault queue is made for what is made here only
 * @data_type:	enum iommu_hwpt_data_type; 0 for a host's
 * @data:	Of a guest's that is to be made: what describes it
 * @data_size:	Bytes of it, at most 256
 * @kernel_id:	Of one that its holder has made: its id. 0 of others
 * @labels:	What you call it
 * @n_labels:	How many, at most IOASID_MAX_LABELS
 */
struct ioasid_page_table_wish {
	const char *parent;
	const char *device;
	uint32_t flags;
	uint32_t data_type;
	const void *data;
	size_t data_size;
	uint32_t kernel_id;
	const struct ioasid_label *labels;
	size_t n_labels;
};

/* ioasid_page_table_list() - List page tables: of a lease, or with NULL all that
 * the caller may see. Return: 0; errors as above.
 */
IOASID_PUBLIC int ioasid_page_table_list(struct ioasid *conn, const char *lease,
					 struct ioasid_page_table_list **ret,
					 struct ioasid_error *err);

/* ioasid_page_table_list_free() - Free a list and its page tables; returns NULL. */
IOASID_PUBLIC struct ioasid_page_table_list *
ioasid_page_table_list_free(struct ioasid_page_table_list *list);

/* ioasid_page_table_get() - Read one, "pageTables/<ULID>". Return: 0; errors as
 * above, of the daemon: pagetable.not-found.
 */
IOASID_PUBLIC int ioasid_page_table_get(struct ioasid *conn, const char *name,
					struct ioasid_page_table **ret,
					struct ioasid_error *err);

/* ioasid_page_table_free() - Free a page table; returns NULL. */
IOASID_PUBLIC struct ioasid_page_table *
ioasid_page_table_free(struct ioasid_page_table *table);

/**
 * ioasid_page_table_create() - Have a page table made in a hold lease, or, if
 *				@wish has its id, tell of one that was made
 * @conn:	The connection
 * @lease:	"leases/<ULID>"
 * @wish:	What is needed
 * @terms:	NULL for none
 * @ret:	The page table; ioasid_page_table_free(); may be NULL
 * @err:	See the head of this file
 *
 * No device is put on it.
 *
 * Return: 0; errors as above, of the daemon: lease.not-found, lease.state,
 * lease.devices, space.mode, space.not-found, pagetable.not-found,
 * pagetable.parent, pagetable.invalid, pagetable.unsupported: the words name the
 * device, its IOMMU and what that cannot do; pagetable.kernel-id, context.lost,
 * limit.page-tables, permission.denied, kernel.*.
 */
IOASID_PUBLIC int ioasid_page_table_create(
	struct ioasid *conn, const char *lease,
	const struct ioasid_page_table_wish *wish,
	const struct ioasid_terms *terms, struct ioasid_page_table **ret,
	struct ioasid_error *err);

/* ioasid_page_table_delete() - End one that no device is on and no other hangs on;
 * @ret is as it was, may be NULL. Return: 0; errors as above, of the daemon:
 * pagetable.not-found, pagetable.in-use, context.lost, permission.denied,
 * kernel.*.
 */
IOASID_PUBLIC int ioasid_page_table_delete(struct ioasid *conn,
					   const char *name,
					   const struct ioasid_terms *terms,
					   struct ioasid_page_table **ret,
					   struct ioasid_error *err);

/**
 * ioasid_page_table_bind() - Let a page table translate for a device
 * @conn:	The connection
 * @name:	"pageTables/<ULID>"
 * @device:	Name of a device of the lease; with it come the others of its
 *		group. Without a PASID it leaves what it is on at one moment
 * @pasid:	Only the DMA with this PASID; 0 for that without one
 * @terms:	NULL for none
 * @ret:	The page table as it is then; ioasid_page_table_free(); may be
 *		NULL
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: pagetable.not-found, lease.devices,
 * pagetable.unsupported, pagetable.invalid, window.unavailable, context.lost,
 * permission.denied, kernel.*.
 */
IOASID_PUBLIC int ioasid_page_table_bind(struct ioasid *conn, const char *name,
					 const char *device, uint32_t pasid,
					 const struct ioasid_terms *terms,
					 struct ioasid_page_table **ret,
					 struct ioasid_error *err);

/* ioasid_page_table_unbind() - Take it off: its DMA, or that with the PASID, is
 * blocked. Otherwise as ioasid_page_table_bind(); pagetable.not-bound.
 */
IOASID_PUBLIC int ioasid_page_table_unbind(struct ioasid *conn,
					   const char *name,
					   const char *device, uint32_t pasid,
					   const struct ioasid_terms *terms,
					   struct ioasid_page_table **ret,
					   struct ioasid_error *err);

/**
 * ioasid_page_table_invalidate() - Drop what the IOMMU remembers of a guest's
 * @conn:	The connection
 * @name:	"pageTables/<ULID>"
 * @type:	Of the entries: enum iommu_hwpt_invalidate_data_type
 * @entries:	One behind the other; at most 32 KiB
 * @entry_size:	Of one, bytes; at most 256
 * @n:		How many
 * @err:	See the head of this file; says how many were done
 *
 * The lease's holder does it faster on its own descriptor:
 * ioasid_table_invalidate().
 *
 * Return: 0: all were done; errors as above, of the daemon: pagetable.not-found,
 * pagetable.invalid, pagetable.unsupported, context.lost, permission.denied,
 * kernel.*.
 */
IOASID_PUBLIC int ioasid_page_table_invalidate(struct ioasid *conn,
					       const char *name, uint32_t type,
					       const void *entries,
					       uint32_t entry_size, uint32_t n,
					       struct ioasid_error *err);

/* ioasid_page_table_track() - Record what devices write through it from now on, or
 * do not. @ret may be NULL. Return: 0; errors as above, of the daemon:
 * pagetable.not-found, pagetable.unsupported, context.lost, permission.denied,
 * kernel.*.
 */
IOASID_PUBLIC int ioasid_page_table_track(struct ioasid *conn,
					  const char *name, bool on,
					  const struct ioasid_terms *terms,
					  struct ioasid_page_table **ret,
					  struct ioasid_error *err);

/**
 * ioasid_page_table_dirty() - Read what devices have written
 * @conn:	The connection
 * @name:	"pageTables/<ULID>"
 * @iova:	From where; a multiple of @page_size
 * @length:	How much, bytes; likewise. All of it has to be mapped: at the
 *		first hole the kernel ends without a word, and what is behind
 *		reads as not written
 * @page_size:	What one bit stands for: a power of two, 4,096 to 2^30
 * @keep:	Clear nothing
 * @bitmap:	A bit for each page, the lowest bit of the first word first; room
 *		for whole words of 64. On failure what was read before that
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: pagetable.not-found,
 * pagetable.invalid, pagetable.unsupported, context.lost, permission.denied,
 * kernel.*.
 */
IOASID_PUBLIC int ioasid_page_table_dirty(struct ioasid *conn,
					  const char *name, uint64_t iova,
					  uint64_t length, uint64_t page_size,
					  bool keep, uint64_t *bitmap,
					  struct ioasid_error *err);

/* ioasid_page_table_open_faults() - The descriptor of its fault queue, for the
 * lease's holder; close(2) ends it. Return: 0; errors as above, of the daemon:
 * pagetable.not-found, pagetable.no-faults, lease.not-claimant.
 */
IOASID_PUBLIC int ioasid_page_table_open_faults(struct ioasid *conn,
						const char *name, int *ret_fd,
						struct ioasid_error *err);

/* --- leases -------------------------------------------------------------- */

/* Where a lease stands; see Lease.State in ioasid/v1/lease.proto. */
enum ioasid_lease_state {
	IOASID_LEASE_UNSPECIFIED,
	IOASID_LEASE_OFFERED,
	IOASID_LEASE_CLAIMING,
	IOASID_LEASE_HELD,
	IOASID_LEASE_RECLAIMING,
	IOASID_LEASE_ENDED,
	/* How many there are; a newer daemon may send larger ones. */
	IOASID_LEASE_STATES,
};

/* How descriptors are handed over; see Lease.Mode in ioasid/v1/lease.proto. */
enum ioasid_lease_mode {
	/* Of an offer: the same as TRANSFER. */
	IOASID_LEASE_MODE_UNSPECIFIED,
	/* Unbound devices, an iommufd without objects; for one holder. */
	IOASID_LEASE_TRANSFER,
	/* Devices bound to the iommufd, with the spaces that were asked for.
	 * The daemon keeps copies for a successor of the holder.
	 */
	IOASID_LEASE_HOLD,
	/* The bound devices alone; the daemon has the iommufd and maps memory
	 * for the holder, ioasid_memory_map().
	 */
	IOASID_LEASE_GUARDED,
	/* How many there are; a newer daemon may send larger ones. */
	IOASID_LEASE_MODES,
};

/**
 * struct ioasid_node - The device node of a group
 * @path:	"/dev/vfio/12"
 * @group:	"groups/..."
 * @major:	Its device number
 * @minor:	Likewise
 * @n_devices:	How many @devices there are
 * @devices:	Names of the lease's devices in that group
 * @accessible:	The daemon lets the holder's uid open it, until the holder has
 */
struct ioasid_node {
	const char *path;
	const char *group;
	uint32_t major, minor;
	size_t n_devices;
	const char *const *devices;
	bool accessible;
};

/**
 * struct ioasid_lease - The recorded right of one holder to a set of devices
 * @name:		"leases/<ULID>"
 * @revision:		Of the change that made this version of the object
 * @etag:		Changes whenever the object does
 * @state:		Where it stands; values out of the enum are possible
 * @n_devices:		How many @devices there are
 * @devices:		Their names, in the order of their descriptors
 * @owner_uid:		Who asked for it and pays
 * @claimant_uid:	Who may claim it; (uid_t)-1: only who has the token
 * @claimant_pid:	Which process may; 0 for any of the uid
 * @memlock_bytes:	How much memory the holder may lock for it
 * @memlock_unlimited:	Any amount
 * @expires_us:		When the offer ends, microseconds since 1970; 0: never
 * @incarnation:	How many times its descriptors were handed over
 * @acknowledged:	The holder said that they have arrived
 * @holder_pid:		The last holder's process id; 0 if none so far
 * @holder_uid:		Its uid
 * @no_reset:		A device of it has no reset that works
 * @unsafe_interrupts:	The interrupts of a device of it are not isolated
 * @no_iommu:		A device of it has no IOMMU: nothing contains its holder
 * @end_reason:		Why it ended; empty before
 * @owner:		Who asked for it, "uid:<number>" or "cert:<name>"
 * @has_token:		Whoever shows its token may claim it
 * @claim_token:	The token, if it was made just now; else empty
 * @mode:		How descriptors are handed over; values out of the enum
 *			are possible
 * @grace_ms:		HOLD: when its holder has ended its claimant may claim
 *			it again for so long, milliseconds; 0 on POWER, where
 *			nobody can follow a holder
 * @kept:		HOLD: the daemon has copies of the descriptors. If not,
 *			spaces cannot be changed, and nobody can claim it again
 * @n_device_ids:	How many @device_ids there are: @n_devices, or 0 if
 *			there is no iommufd now, and unless HOLD
 * @device_ids:		HOLD: ids of the devices in the iommufd, in the order of
 *			@devices (VFIO_DEVICE_BIND_IOMMUFD gave them); in a
 *			container they have none
 * @n_spaces:		How many @spaces there are
 * @spaces:		HOLD: its spaces, as they were made; freed with it
 * @is_volatile:	GUARDED: it need not outlive the daemon
 * @n_mappings:		GUARDED: how many mappings there are for it
 * @mapped_bytes:	GUARDED: how much they pin
 *
 * @n_nodes:		How many @nodes there are; 0 unless TRANSFER, on a host
 *			without iommufd
 * @nodes:		TRANSFER: what its holder opens itself, since no
 *			descriptors come; freed with it
 * @released_us:	Its release was asked for while its holder lived,
 *			microseconds since 1970; 0: it was not
 *
 * What is said of HOLD is true of GUARDED too.
 */
struct ioasid_lease {
	const char *name;
	uint64_t revision;
	const char *etag;
	enum ioasid_lease_state state;
	size_t n_devices;
	const char *const *devices;
	uid_t owner_uid;
	uid_t claimant_uid;
	pid_t claimant_pid;
	uint64_t memlock_bytes;
	bool memlock_unlimited;
	int64_t expires_us;
	uint32_t incarnation;
	bool acknowledged;
	pid_t holder_pid;
	uid_t holder_uid;
	bool no_reset;
	bool unsafe_interrupts;
	bool no_iommu;
	const char *end_reason;
	const char *owner;
	bool has_token;
	const char *claim_token;
	enum ioasid_lease_mode mode;
	uint32_t grace_ms;
	bool kept;
	size_t n_device_ids;
	const uint32_t *device_ids;
	size_t n_spaces;
	const struct ioasid_space *const *spaces;
	bool is_volatile;
	uint32_t n_mappings;
	uint64_t mapped_bytes;
	size_t n_nodes;
	const struct ioasid_node *nodes;
	int64_t released_us;
};

/**
 * struct ioasid_lease_list - Leases, newest first
 * @n:		How many
 * @items:	The leases
 * @revision:	What the list is of, to watch from: ioasid_watch_start()
 */
struct ioasid_lease_list {
	size_t n;
	struct ioasid_lease **items;
	uint64_t revision;
};

/**
 * struct ioasid_offer - What to offer to whom; zero what is not wanted
 * @size:		sizeof(struct ioasid_offer), so that it can grow
 * @devices:		Names of ready devices
 * @n_devices:		How many, 1 to IOASID_MAX_DEVICES
 * @claimant_uid:	Who may claim
 * @claimant_pid:	Which process may; 0 for any of the uid
 * @memlock_bytes:	How much memory the holder may lock; 0 for
 *			@guest_memory and 64 MiB
 * @guest_memory:	The guest's memory, bytes; 0 if unknown
 * @expires_us:		The offer ends at this time, microseconds since 1970
 *			(CLOCK_REALTIME); 0 for never
 * @memlock_unlimited:	The holder may lock any amount; administrators only
 * @restore_after:	Give the devices back to their drivers when it ends
 * @dry_run:		Check everything, change nothing
 * @request_id:		Tells a repeated request from a new one; NULL for none
 * @claimant_unit:	The systemd unit that the claimant must run in; NULL for
 *			any
 * @with_token:		Whoever shows the lease's token may claim it; with
 *			@claimant_uid (uid_t)-1 nobody else may
 * @token_expires_us:	The token is good until then, as @expires_us; 0 for as
 *			long as the offer is
 * @mode:		How descriptors are handed over; 0 for TRANSFER
 * @grace_ms:		HOLD: how long a successor of the holder may claim it,
 *			milliseconds, at most 600,000; 0 for 10,000. On POWER
 *			there is none
 * @spaces:		HOLD: spaces to make with it, all or none
 * @n_spaces:		How many, at most IOASID_MAX_OFFERED_SPACES
 * @is_volatile:	GUARDED: the lease need not outlive the daemon; without
 *			it there must be a file descriptor store (store.absent)
 *
 * What is said of HOLD is true of GUARDED too; there all @spaces have the same
 * windows, and @memlock_bytes is how much may be mapped.
 */
struct ioasid_offer {
	size_t size;
	const char *const *devices;
	size_t n_devices;
	uid_t claimant_uid;
	pid_t claimant_pid;
	uint64_t memlock_bytes;
	uint64_t guest_memory;
	int64_t expires_us;
	bool memlock_unlimited;
	bool restore_after;
	bool dry_run;
	const char *request_id;
	const char *claimant_unit;
	bool with_token;
	int64_t token_expires_us;
	enum ioasid_lease_mode mode;
	uint32_t grace_ms;
	const struct ioasid_space_wish *spaces;
	size_t n_spaces;
	bool is_volatile;
};

/**
 * enum ioasid_backend - What gives a lease's devices their memory
 * @IOASID_BACKEND_IOMMUFD: An iommufd
 * @IOASID_BACKEND_TYPE1: A VFIO container, of a host without iommufd; of a lease of
 *			nodes, of whatever kind
 * @IOASID_BACKEND_SPAPR: One of SPAPR TCE, on POWER: see "containers of POWER"
 */
enum ioasid_backend {
	IOASID_BACKEND_IOMMUFD,
	IOASID_BACKEND_TYPE1,
	IOASID_BACKEND_SPAPR,
};

/* The id of a space that is a VFIO container's own: no iommufd has one of this
 * id.
 */
#define IOASID_SPACE_OF_CONTAINER 0u

/**
 * struct ioasid_claimed_group - A group of a claim with a container
 * @name:	"groups/<number>", as devices have it
 * @fd:		Its VFIO group, in the container; -1 once taken out. For
 *		ioasid_kvm_add(), and VFIO_DEVICE_PCI_HOT_RESET; the devices are
 *		open already
 */
struct ioasid_claimed_group {
	const char *name;
	int fd;
};

/**
 * struct ioasid_claimed_device - A device of a claim
 * @name:	Its name
 * @fd:		Its VFIO character device; -1 once taken out. TRANSFER: not
 *		bound to any iommufd: bind it to the claim's
 *		(VFIO_DEVICE_BIND_IOMMUFD), once; that resets it. HOLD: bound to
 *		the claim's; GUARDED: bound to the daemon's; binding it again
 *		is EINVAL. With a container: open, and on its space
 * @id:		HOLD, GUARDED: its id in that iommufd (dev_id), not 0;
 *		TRANSFER: 0, it is not bound; with a container 0, too
 */
struct ioasid_claimed_device {
	const char *name;
	int fd;
	uint32_t id;
};

/**
 * struct ioasid_claim - The descriptors of a lease
 * @lease:	The lease as it was when they were sent. HOLD: with the ids of
 *		its spaces
 * @iommufd:	An iommufd, memory accounted to the process that maps it
 *		(RLIMIT_MEMLOCK); -1 once taken out. TRANSFER: without objects;
 *		HOLD: with the lease's spaces and devices, and after a holder
 *		before with all that is mapped; GUARDED: -1, there is none.
 *		With IOASID_BACKEND_TYPE1 it is the VFIO container in its place,
 *		type1 (v2), with all groups in it: what takes an iommufd and the
 *		id of a space takes it and IOASID_SPACE_OF_CONTAINER. With
 *		IOASID_BACKEND_SPAPR it is a container that nobody has used yet:
 *		ioasid_tce_carry_out() and its like take it
 * @n_devices:	How many @devices there are
 * @devices:	The devices, in the lease's order
 * @simulated:	The descriptors are of a simulated machine (ioasidd-sim): no
 *		system call but close(2), dup(2) and the like means anything on
 *		them; ioasid_ioctl() and its like do
 * @backend:	What @iommufd is
 * @n_groups:	How many @groups there are: none with an iommufd
 * @groups:	The groups of @devices, each once, in the order of their first
 *		device
 *
 * To keep a descriptor, copy its number and put -1 in its place.
 */
struct ioasid_claim {
	const struct ioasid_lease *lease;
	int iommufd;
	size_t n_devices;
	struct ioasid_claimed_device *devices;
	bool simulated;
	enum ioasid_backend backend;
	size_t n_groups;
	struct ioasid_claimed_group *groups;
};

/**
 * ioasid_lease_create() - Offer ready devices to a claimant
 * @conn:	The connection
 * @offer:	What to whom
 * @ret:	The lease, offered; ioasid_lease_free(); may be NULL
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: device.not-found,
 * device.not-ready, lease.devices, lease.memlock, lease.mode,
 * permission.denied; of HOLD: window.invalid, window.unavailable, kernel.*.
 */
IOASID_PUBLIC int ioasid_lease_create(struct ioasid *conn,
				      const struct ioasid_offer *offer,
				      struct ioasid_lease **ret,
				      struct ioasid_error *err);

/**
 * ioasid_lease_list() - List the leases that the caller may see
 * @conn:	The connection
 * @all:	Those that have ended too
 * @ret:	The list; ioasid_lease_list_free()
 * @err:	See the head of this file
 *
 * Return: 0; errors as above.
 */
IOASID_PUBLIC int ioasid_lease_list(struct ioasid *conn, bool all,
				    struct ioasid_lease_list **ret,
				    struct ioasid_error *err);

/* ioasid_lease_list_free() - Free a list and its leases; returns NULL. */
IOASID_PUBLIC struct ioasid_lease_list *
ioasid_lease_list_free(struct ioasid_lease_list *list);

/**
 * ioasid_lease_get() - Read one lease
 * @conn:	The connection
 * @name:	"leases/<ULID>"
 * @ret:	The lease; ioasid_lease_free()
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: lease.not-found.
 */
IOASID_PUBLIC int ioasid_lease_get(struct ioasid *conn, const char *name,
				   struct ioasid_lease **ret,
				   struct ioasid_error *err);

/* ioasid_lease_free() - Free a lease; NULL is allowed; returns NULL. */
IOASID_PUBLIC struct ioasid_lease *
ioasid_lease_free(struct ioasid_lease *lease);

/**
 * ioasid_lease_claim() - Fetch the descriptors of a lease
 * @conn:	The connection, made by the process that is to hold the lease
 * @name:	"leases/<ULID>"
 * @ret:	The descriptors, close-on-exec; ioasid_claim_free()
 * @err:	See the head of this file
 *
 * Unless exactly the descriptors arrive that the lease has, and of HOLD and
 * GUARDED as many ids, all are closed and it is -EPROTO. From the moment of
 * sending the daemon takes the caller's process for the holder, also after such
 * a failure: the lease ends when the process does.
 *
 * One of HOLD or GUARDED is then offered again, to the same claimant, for its
 * grace_ms: a successor claims it by the same call and finds devices, spaces and
 * mappings as they were, with the same ids. Of HOLD map memory that it shall find
 * by its memfd (IOMMU_IOAS_MAP_FILE): a space with mappings by addresses of a
 * process that is gone (IOMMU_IOAS_MAP) takes no further device, attaching is
 * EFAULT.
 *
 * Return: 0; errors as above, of the daemon: lease.not-found,
 * lease.not-claimant, lease.state, lease.expired, lease.peer-unreachable.
 */
IOASID_PUBLIC int ioasid_lease_claim(struct ioasid *conn, const char *name,
				     struct ioasid_claim **ret,
				     struct ioasid_error *err);

/**
 * ioasid_lease_claim_token() - Fetch the descriptors of a lease by its token
 * @token:	From the answer that made the lease, or from
 *		ioasid_lease_reissue_token()
 *
 * As ioasid_lease_claim(), whatever the caller's uid. The token is burnt when
 * the descriptors have been sent. Overwrite it when it has done its work.
 */
IOASID_PUBLIC int ioasid_lease_claim_token(struct ioasid *conn,
					   const char *name, const char *token,
					   struct ioasid_claim **ret,
					   struct ioasid_error *err);

/**
 * ioasid_lease_claim_own_nodes() - Claim a lease of nodes, having some
 * @token:	As of ioasid_lease_claim_token(); empty for none
 *
 * For who has made the device nodes of lease->nodes for itself, in a mount
 * namespace, before it has given up the privilege to: the daemon changes nothing in
 * /dev, and does not mind who else has the caller's uid. Else as
 * ioasid_lease_claim().
 *
 * Return: 0; errors as there, and lease.nodes if it has none.
 */
IOASID_PUBLIC int ioasid_lease_claim_own_nodes(struct ioasid *conn,
					       const char *name,
					       const char *token,
					       struct ioasid_claim **ret,
					       struct ioasid_error *err);

/**
 * ioasid_lease_reissue_token() - Give an offered lease a new token
 * @conn:	The connection
 * @name:	"leases/<ULID>"
 * @expires_us:	The token is good until then, microseconds since 1970; 0 for as
 *		long as the offer is
 * @ret:	The lease, with its @claim_token; ioasid_lease_free()
 * @err:	See the head of this file
 *
 * The one that it had is burnt.
 *
 * Return: 0; errors as above, of the daemon: lease.not-found, lease.state,
 * permission.denied.
 */
IOASID_PUBLIC int ioasid_lease_reissue_token(struct ioasid *conn,
					     const char *name,
					     int64_t expires_us,
					     struct ioasid_lease **ret,
					     struct ioasid_error *err);

/**
 * ioasid_claim_free() - Close the descriptors that were not taken out, free
 * @claim:	NULL is allowed
 *
 * Return: NULL, to be assigned.
 */
IOASID_PUBLIC struct ioasid_claim *
ioasid_claim_free(struct ioasid_claim *claim);

/**
 * ioasid_lease_acknowledge() - Say that the descriptors have arrived
 * @conn:	A connection of the holder
 * @name:	"leases/<ULID>"
 * @err:	See the head of this file
 *
 * Of TRANSFER the daemon then drops its own copies at once; unasked it does so
 * after 5 seconds and records that nobody acknowledged. Of HOLD and GUARDED it
 * keeps them.
 *
 * Return: 0; errors as above, of the daemon: lease.not-found,
 * lease.not-claimant, lease.state.
 */
IOASID_PUBLIC int ioasid_lease_acknowledge(struct ioasid *conn,
					   const char *name,
					   struct ioasid_error *err);

/**
 * ioasid_lease_release() - End a lease
 * @conn:	The connection
 * @name:	"leases/<ULID>"
 * @ret:	The lease as it is then; ioasid_lease_free(); may be NULL
 * @err:	See the head of this file
 *
 * An offer ends at once. What is held ends with its holder: nothing can take
 * descriptors back from a living process.
 *
 * Return: 0; errors as above, of the daemon: lease.not-found, lease.state,
 * lease.held.
 */
IOASID_PUBLIC int ioasid_lease_release(struct ioasid *conn, const char *name,
				       struct ioasid_lease **ret,
				       struct ioasid_error *err);

/* --- operations ---------------------------------------------------------- */

/* Where an operation stands. */
enum ioasid_operation_state {
	IOASID_OPERATION_UNSPECIFIED,
	IOASID_OPERATION_RUNNING,
	IOASID_OPERATION_DONE,
	IOASID_OPERATION_FAILED,
	/* How many there are; a newer daemon may send larger ones. */
	IOASID_OPERATION_STATES,
};

/* What ioasid_device_prepare() may do all the same. */
enum ioasid_prepare_flags {
	/* Take devices that something uses. */
	IOASID_PREPARE_FORCE = 1 << 0,
	/* Take devices on which no reset works. */
	IOASID_PREPARE_ALLOW_NO_RESET = 1 << 1,
	/* Take devices whose interrupts are not isolated. */
	IOASID_PREPARE_ALLOW_UNSAFE_INTERRUPTS = 1 << 2,
	/* Check everything, change nothing. */
	IOASID_PREPARE_DRY_RUN = 1 << 3,
	/* Take devices without an IOMMU, which nothing contains. */
	IOASID_PREPARE_ALLOW_NO_IOMMU = 1 << 4,
};

/**
 * struct ioasid_operation - One change to the host
 * @name:	"operations/<ULID>"
 * @revision:	Of the change that made this version of the object
 * @etag:	Changes whenever the object does
 * @kind:	"prepare", "restore", "recover", "claim", "reclaim"
 * @target:	Resource name of the object it changes
 * @state:	Where it stands; values out of the enum are possible
 * @step:	The step at work, or the last one
 * @error:	Why it failed; NULL unless FAILED
 */
struct ioasid_operation {
	const char *name;
	uint64_t revision;
	const char *etag;
	const char *kind;
	const char *target;
	enum ioasid_operation_state state;
	const char *step;
	const struct ioasid_error *error;
};

/**
 * ioasid_device_prepare() - Take a device's group from its drivers to VFIO
 * @conn:	The connection
 * @name:	"devices/pci-0000-3b-00.0": any endpoint of the group
 * @driver:	The VFIO driver; NULL for vfio-pci
 * @flags:	enum ioasid_prepare_flags
 * @ret:	The operation, which may still run: ioasid_operation_wait();
 *		ioasid_operation_free()
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: see PrepareDevice in
 * ioasid/v1/device.proto.
 */
IOASID_PUBLIC int ioasid_device_prepare(struct ioasid *conn, const char *name,
					const char *driver, unsigned int flags,
					struct ioasid_operation **ret,
					struct ioasid_error *err);

/**
 * ioasid_device_restore() - Give a device's group back to its former drivers
 * @conn:	The connection
 * @name:	"devices/pci-0000-3b-00.0": any endpoint of the group
 * @ret:	The operation; ioasid_operation_free()
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: device.not-found, device.busy,
 * device.leased, device.not-prepared.
 */
IOASID_PUBLIC int ioasid_device_restore(struct ioasid *conn, const char *name,
					struct ioasid_operation **ret,
					struct ioasid_error *err);

/**
 * ioasid_device_recover() - Try to bring a quarantined or stuck device back
 * @conn:	The connection
 * @name:	"devices/pci-0000-3b-00.0"
 * @ret:	The operation; ioasid_operation_free()
 * @err:	See the head of this file
 *
 * Return: 0; errors as above, of the daemon: device.not-found, device.busy,
 * device.not-quarantined.
 */
IOASID_PUBLIC int ioasid_device_recover(struct ioasid *conn, const char *name,
					struct ioasid_operation **ret,
					struct ioasid_error *err);

/**
 * ioasid_operation_wait() - Wait until an operation has ended
 * @conn:	The connection; occupied meanwhile
 * @name:	"operations/<ULID>"
 * @timeout_ms:	How long at most, milliseconds; -1 for no limit. The
 *		connection's own limit counts on top of it.
 * @ret:	The operation as it then is, RUNNING if the time was up first;
 *		ioasid_operation_free()
 * @err:	See the head of this file
 *
 * That the operation itself failed is in @ret, not in @err.
 *
 * Return: 0; errors as above, of the daemon: operation.not-found.
 */
IOASID_PUBLIC int ioasid_operation_wait(struct ioasid *conn, const char *name,
					int timeout_ms,
					struct ioasid_operation **ret,
					struct ioasid_error *err);

/**
 * ioasid_operation_cancel() - Ask an operation to stop and walk back
 * @conn:	The connection
 * @name:	"operations/<ULID>", of a prepare or a restore
 * @ret:	The operation as it is then, mostly still RUNNING: wait for it;
 *		ioasid_operation_free()
 * @err:	See the head of this file
 *
 * It stops at its next step. One that was cancelled ends FAILED with the error
 * operation.cancelled; one that had no step left ends DONE. Cancelling twice is
 * the same as once.
 *
 * Return: 0; errors as above, of the daemon: operation.not-found,
 * operation.not-running, operation.not-cancellable, permission.denied.
 */
IOASID_PUBLIC int ioasid_operation_cancel(struct ioasid *conn,
					  const char *name,
					  struct ioasid_operation **ret,
					  struct ioasid_error *err);

/* ioasid_operation_free() - Free an operation; NULL allowed; returns NULL. */
IOASID_PUBLIC struct ioasid_operation *
ioasid_operation_free(struct ioasid_operation *operation);

/* --- changes ------------------------------------------------------------- */

/**
 * struct ioasid_change - One object as it was at one revision
 * @revision:	Of the change; those of one watch grow
 * @name:	Resource name of the object
 * @at_us:	When it was made, microseconds since 1970
 * @removed:	It is not there any more, or not for the caller to see
 * @device:	The object, if it is a device and was not removed; else NULL
 * @lease:	Likewise a lease
 * @operation:	Likewise an operation
 *
 * Of groups and IOMMUs it is only told that they have changed.
 */
struct ioasid_change {
	uint64_t revision;
	const char *name;
	int64_t at_us;
	bool removed;
	const struct ioasid_device *device;
	const struct ioasid_lease *lease;
	const struct ioasid_operation *operation;
};

/**
 * ioasid_watch_start() - Be told of changes
 * @conn:	The connection; taken until the watch has ended
 * @revision:	Of what is later than this: the revision of a list, or of the
 *		last change received. 0: from now on
 * @collections: "devices", "groups", "iommus", "leases", "operations"; each
 *		change is of one
 * @n_collections: How many; 0 for all
 * @err:	See the head of this file
 *
 * List first, then watch from the list's revision: no change is missed, none
 * comes twice. Whether the daemon agrees is heard of by ioasid_watch_next().
 * Another call on @conn meanwhile is -EBUSY.
 *
 * Return: 0; errors as above.
 */
IOASID_PUBLIC int ioasid_watch_start(struct ioasid *conn, uint64_t revision,
				     const char *const *collections,
				     size_t n_collections,
				     struct ioasid_error *err);

/**
 * ioasid_watch_fd() - What to poll(2) for POLLIN
 * @conn:	The connection; the descriptor stays its own
 *
 * Call ioasid_watch_next() with a timeout of 0 until it is -EAGAIN, then poll.
 *
 * Return: the descriptor; -1 if the connection is dead.
 */
IOASID_PUBLIC int ioasid_watch_fd(const struct ioasid *conn);

/**
 * ioasid_watch_next() - Receive the next change
 * @conn:	The connection, with a watch
 * @timeout_ms:	How long to wait for one, milliseconds; -1 for no limit. The
 *		connection's own limit does not count.
 * @ret:	The change; ioasid_change_free()
 * @err:	See the head of this file; not filled for -EAGAIN
 *
 * Return: 0; -EAGAIN if there is none yet, the watch goes on; errors as above,
 * with which the watch has ended. Of the daemon: watch.expired (list again and
 * watch from there), watch.slow (watch again from the last revision),
 * limit.watchers. After -ECONNRESET connect anew, and watch from the last
 * revision: if that is watch.expired the daemon was started anew.
 */
IOASID_PUBLIC int ioasid_watch_next(struct ioasid *conn, int timeout_ms,
				    struct ioasid_change **ret,
				    struct ioasid_error *err);

/**
 * ioasid_watch_stop() - End a watch
 * @conn:	The connection, which can be used for other calls afterwards
 * @err:	See the head of this file
 *
 * Changes that are on their way are dropped.
 *
 * Return: 0, also if there is no watch; errors as above.
 */
IOASID_PUBLIC int ioasid_watch_stop(struct ioasid *conn,
				    struct ioasid_error *err);

/* ioasid_change_free() - Free a change; NULL allowed; returns NULL. */
IOASID_PUBLIC struct ioasid_change *
ioasid_change_free(struct ioasid_change *change);

/* --- calls on claimed descriptors ---------------------------------------- */

/**
 * ioasid_ioctl() - As ioctl(2) on a claimed iommufd or device
 * @fd:		The descriptor, or a copy of it
 * @request:	Of <linux/iommufd.h> or <linux/vfio.h>
 * @arg:	Its structure
 *
 * On a real descriptor this is ioctl(2). On one of a simulated machine the
 * request is sent to that, which reads and writes the caller's memory as the
 * kernel would, and gives the same results and errno. A program that makes its
 * calls through these three functions runs on both. What it has no counterpart
 * for is mmap(2) of a device: use ioasid_pread() and ioasid_pwrite().
 *
 * Needs no connection; every thread may call it.
 *
 * Return: as ioctl(2): -1 with errno. ENODEV: the simulated machine is no more.
 */
IOASID_PUBLIC int ioasid_ioctl(int fd, unsigned long request, void *arg);

/* ioasid_pread() - As pread(2) of a device's regions, likewise. */
IOASID_PUBLIC ssize_t ioasid_pread(int fd, void *buf, size_t size, off_t at);

/* ioasid_pwrite() - As pwrite(2) of a device's regions, likewise. */
IOASID_PUBLIC ssize_t ioasid_pwrite(int fd, const void *buf, size_t size,
				    off_t at);

/* --- mapping -------------------------------------------------------------- */

/*
 * What a program with an iommufd does with it, one ioctl(2) a function: make
 * memory visible to devices, and end that. The iommufd is that of a claim:
 *
 *	of mode transfer	the holder makes its own spaces and puts the
 *				devices on them: ioasid_cdev_bind(),
 *				ioasid_ioas_new(), ioasid_cdev_attach()
 *	of mode hold		the daemon has done that; the ids come with the
 *				claim
 *	of mode guarded		there is none, and nothing of this applies:
 *				ioasid_memory_map()
 *
 * Or it is a VFIO container (IOASID_BACKEND_TYPE1), whose one space is
 * IOASID_SPACE_OF_CONTAINER. ioasid_map(), ioasid_unmap(), ioasid_unmap_all(),
 * their batches, ioasid_ioas_ranges(), ioasid_dirty_watch() and
 * ioasid_dirty_read() do the same there, by VFIO_IOMMU_MAP_DMA and its like, with
 * these differences, which are the kernel's:
 *
 *	- a mapping has to say its address (IOASID_MAP_FIXED), or is -EOPNOTSUPP:
 *	  a container has no windows and does not tell what is mapped
 *	- pages are pinned when they are mapped, so all refusals come then
 *	- what is mapped is memory of the process. Shared memory of a file is
 *	  mapped by its address, and stays reachable for devices when the process
 *	  has ended; there is no ioasid_map_file(), no ioasid_copy()
 *	- ioasid_unmap() that a mapping sticks out of ends none of those below it
 *	- a container has only so many mappings (65535; dma_entry_limit of
 *	  vfio_iommu_type1): -ENOSPC
 *
 * None of these functions needs a connection, allocates, takes a lock or talks
 * to the daemon; every thread may call them. They return 0 or an errno of the
 * kernel, negative; -ENODEV: the simulated machine is no more. The kernel has
 * several reasons for one errno. If @err is not NULL it is found out which it
 * was, after a failure and by further calls (IOMMU_IOAS_IOVA_RANGES); error.id
 * is IOASID_ERROR_ARGUMENT or one of these:
 */
#define IOASID_ERROR_MAP_TAKEN "client.map-taken"
#define IOASID_ERROR_MAP_RANGE "client.map-range"
#define IOASID_ERROR_MAP_ALIGNMENT "client.map-alignment"
#define IOASID_ERROR_MAP_FULL "client.map-full"
#define IOASID_ERROR_MAP_MEMORY "client.map-memory"
#define IOASID_ERROR_MAP_LIMIT "client.map-limit"
#define IOASID_ERROR_MAP_ACCESS "client.map-access"
#define IOASID_ERROR_NOT_MAPPED "client.not-mapped"
#define IOASID_ERROR_NO_OBJECT "client.no-object"
#define IOASID_ERROR_IN_USE "client.in-use"
#define IOASID_ERROR_UNSUPPORTED "client.unsupported"
#define IOASID_ERROR_KERNEL "client.kernel"

/* Flags of a mapping, those of the kernel: enum iommufd_ioas_map_flags. One of
 * READ and WRITE at least: what the device may do.
 */
#define IOASID_MAP_FIXED (1u << 0) /* where it is said, or not at all */
#define IOASID_MAP_WRITE (1u << 1)
#define IOASID_MAP_READ (1u << 2)

/**
 * ioasid_map() - Map memory of the calling process
 * @iommufd:	The context
 * @ioas:	Id of the space
 * @memory:	Where it is in the process
 * @length:	Bytes
 * @flags:	IOASID_MAP_*
 * @iova:	With IOASID_MAP_FIXED where it is to be; otherwise the kernel
 *		chooses and writes here where it came to be
 * @err:	See above
 *
 * Address, length and @memory have to be multiples of the space's alignment:
 * ioasid_ioas_ranges(). What the kernel chooses is free, is not 0, and lies in
 * a window of the space if it has windows. With IOASID_MAP_FIXED a mapping may
 * lie outside of them, wherever the devices can reach.
 *
 * The pages are pinned once a device is attached to the space, or a page table
 * was made for it, and count as locked memory of the process then. Not before
 * are alignment, memory and limit looked at: what is wrong with them is then a
 * refusal of the attach. After munmap(2) or the end of the process a device
 * that is attached still reaches the old pages, and no other can be attached to
 * the space. Memory that is to outlive the process is that of a memfd:
 * ioasid_map_file().
 *
 * Return: 0; -EEXIST: something is mapped there; -EINVAL: reserved by a device,
 * beyond what the IOMMU translates, unaligned, of length 0, or without READ
 * and WRITE; -EOVERFLOW: wraps; -ENOSPC: no room that the kernel could choose;
 * -EFAULT: there is no such memory, or not for writing; -ENOMEM: more than may
 * be locked; -ENOENT: no such space.
 */
IOASID_PUBLIC int ioasid_map(int iommufd, uint32_t ioas, void *memory,
			     uint64_t length, uint32_t flags, uint64_t *iova,
			     struct ioasid_error *err);

/**
 * ioasid_map_file() - Map pages of a file of memory
 * @file:	A memfd, or another file of shmem or hugetlbfs; it may be closed
 *		afterwards. Whether it is open for writing is not looked at.
 * @offset:	Where they begin in it, bytes
 *
 * Otherwise as ioasid_map(); needs Linux 6.13. The mapping outlives the
 * process, if the iommufd does: this is how memory of a guest is mapped.
 *
 * Return: as ioasid_map(); also -EBADF: no descriptor; -EINVAL: no file of
 * memory, or not so long.
 */
IOASID_PUBLIC int ioasid_map_file(int iommufd, uint32_t ioas, int file,
				  uint64_t offset, uint64_t length,
				  uint32_t flags, uint64_t *iova,
				  struct ioasid_error *err);

/**
 * ioasid_copy() - Map what another space of the context maps, or the same one
 * @ioas:	Where to
 * @from_ioas:	Where from
 * @from:	Address there; @length bytes without a hole, parts of mappings
 *		or several of them
 *
 * Otherwise as ioasid_map(). The copy stays when the source is unmapped. Pages
 * that a mapping has pinned are neither looked up nor counted again:
 * ioasid_ioas_pin() sees to it that all are.
 *
 * Return: as ioasid_map(); -ENOENT also: a hole; -EPERM: for writing, of what
 * was mapped for reading.
 */
IOASID_PUBLIC int ioasid_copy(int iommufd, uint32_t ioas, uint32_t from_ioas,
			      uint64_t from, uint64_t length, uint32_t flags,
			      uint64_t *iova, struct ioasid_error *err);

/**
 * ioasid_unmap() - End the mappings in a range
 * @iova:	Where it begins
 * @length:	Bytes, not 0
 * @ret_bytes:	How many bytes were mapped; may be NULL
 *
 * Mappings end whole, as they were made: one that sticks out of the range is
 * -ENOENT. Those below it have ended nevertheless. Afterwards no device reaches
 * the memory.
 *
 * Return: 0; -ENOENT: nothing is mapped there, a mapping sticks out, or there
 * is no such space; -EOVERFLOW, -EINVAL: the range; -EBUSY: somebody else is
 * mapping there at this moment.
 */
IOASID_PUBLIC int ioasid_unmap(int iommufd, uint32_t ioas, uint64_t iova,
			       uint64_t length, uint64_t *ret_bytes,
			       struct ioasid_error *err);

/**
 * ioasid_unmap_all() - End all mappings of a space
 * @ret_bytes:	As ioasid_unmap(); 0 if there was none
 *
 * Return: 0; -ENOENT: no such space; -EBUSY.
 */
IOASID_PUBLIC int ioasid_unmap_all(int iommufd, uint32_t ioas,
				   uint64_t *ret_bytes,
				   struct ioasid_error *err);

/**
 * struct ioasid_piece - One of many mappings
 * @iova:	As of ioasid_map()
 * @length:	Bytes
 * @at:		What: address in the process, offset in the file, or address in
 *		the space that is copied from
 * @flags:	IOASID_MAP_*
 * @reserved:	0
 */
struct ioasid_piece {
	uint64_t iova;
	uint64_t length;
	uint64_t at;
	uint32_t flags;
	uint32_t reserved;
};

/* Options of the calls with many pieces. */
#define IOASID_BATCH_UNDO (1u << 0) /* after a failure none is mapped */

/**
 * ioasid_map_batch() - Map many pieces of the process's memory
 * @pieces:	@n of them; one that is placed by the kernel gets its address
 * @options:	IOASID_BATCH_*
 * @done:	How many from the first on went well, also after a failure: the
 *		one that failed is pieces[*done]; may be NULL
 *
 * Otherwise as ioasid_map(), one ioctl(2) each; the first failure ends it. Then
 * the pieces before are mapped, or with IOASID_BATCH_UNDO are not any more.
 *
 * Return: 0; as ioasid_map(); -EINVAL also: an unknown option, @reserved.
 */
IOASID_PUBLIC int ioasid_map_batch(int iommufd, uint32_t ioas,
				   struct ioasid_piece *pieces, size_t n,
				   unsigned int options, size_t *done,
				   struct ioasid_error *err);

/* ioasid_map_file_batch() - Likewise, as ioasid_map_file(). */
IOASID_PUBLIC int ioasid_map_file_batch(int iommufd, uint32_t ioas, int file,
					struct ioasid_piece *pieces, size_t n,
					unsigned int options, size_t *done,
					struct ioasid_error *err);

/* ioasid_copy_batch() - Likewise, as ioasid_copy(). */
IOASID_PUBLIC int ioasid_copy_batch(int iommufd, uint32_t ioas,
				    uint32_t from_ioas,
				    struct ioasid_piece *pieces, size_t n,
				    unsigned int options, size_t *done,
				    struct ioasid_error *err);

/**
 * ioasid_unmap_batch() - End many mappings
 * @pieces:	@n of them, of which @iova and @length count
 * @done:	As of ioasid_map_batch()
 * @ret_bytes:	How many bytes were mapped, of all; may be NULL
 *
 * Otherwise as ioasid_unmap(). What was ended stays ended.
 */
IOASID_PUBLIC int ioasid_unmap_batch(int iommufd, uint32_t ioas,
				     const struct ioasid_piece *pieces,
				     size_t n, size_t *done,
				     uint64_t *ret_bytes,
				     struct ioasid_error *err);

/**
 * ioasid_ioas_new() - Make a space
 * @iommufd:	The context
 * @ret_ioas:	Its id; ioasid_object_destroy(), or the context's end
 * @err:	See above
 *
 * Return: 0; -ENOMEM.
 */
IOASID_PUBLIC int ioasid_ioas_new(int iommufd, uint32_t *ret_ioas,
				  struct ioasid_error *err);

/**
 * ioasid_object_destroy() - End a space, a page table, or what else has an id
 * @id:		Its id
 *
 * Return: 0; -EBUSY: something uses it; -ENOENT: there is none.
 */
IOASID_PUBLIC int ioasid_object_destroy(int iommufd, uint32_t id,
					struct ioasid_error *err);

/**
 * ioasid_ioas_ranges() - Read where a space can have mappings
 * @ranges:	Filled, in order
 * @n:		How many there is room for; how many there are, also with
 *		-EMSGSIZE
 * @ret_alignment: What addresses and lengths have to be multiples of, bytes;
 *		may be NULL
 *
 * Each attach and detach may change it.
 *
 * Return: 0; -EMSGSIZE: too little room; -ENOENT: no such space.
 */
IOASID_PUBLIC int ioasid_ioas_ranges(int iommufd, uint32_t ioas,
				     struct ioasid_range *ranges, size_t *n,
				     uint64_t *ret_alignment,
				     struct ioasid_error *err);

/**
 * ioasid_ioas_allow() - Say which windows a space has
 * @windows:	@n of them, in place of those it had; none: everywhere
 *
 * A container's has none: -EOPNOTSUPP; ioasid_space_set_windows().
 *
 * What the kernel places lies within, and no device can be attached that would
 * reserve a part of them. They are no fence for IOASID_MAP_FIXED.
 *
 * Return: 0; -EADDRINUSE: a device that is attached reserves a part; -EINVAL:
 * they overlap, or one has fewer than two addresses; -ENOENT: no such space.
 */
IOASID_PUBLIC int ioasid_ioas_allow(int iommufd, uint32_t ioas,
				    const struct ioasid_range *windows,
				    size_t n, struct ioasid_error *err);

/**
 * ioasid_ioas_pin() - Keep all that a space maps pinned
 * @device:	Id of a device of the context: ioasid_cdev_bind()
 * @ret_table:	Id of a page table that no device uses;
 *		ioasid_object_destroy() ends it, before the space
 *
 * A space without a device and without a page table pins nothing: each
 * ioasid_copy() out of it does that for its own piece. With the page table all
 * is pinned, and paid for, at once, and copies find it so.
 *
 * Return: 0; as ioasid_cdev_attach(); -ENOENT: no such device; -EINVAL: no such
 * space.
 */
IOASID_PUBLIC int ioasid_ioas_pin(int iommufd, uint32_t ioas, uint32_t device,
				  uint32_t *ret_table,
				  struct ioasid_error *err);

/**
 * ioasid_cdev_bind() - Bind a device to a context, once
 * @cdev:	The device's descriptor, of a transfer lease
 * @iommufd:	The context
 * @ret_device:	The device's id in it; may be NULL
 *
 * Resets the device. Undone by the last close of @cdev.
 *
 * Return: 0; -EINVAL: it is bound already, as those of a hold lease are;
 * -EPERM: a device of its group is with somebody else.
 */
IOASID_PUBLIC int ioasid_cdev_bind(int cdev, int iommufd, uint32_t *ret_device,
				   struct ioasid_error *err);

/**
 * ioasid_cdev_attach() - Put a device on a space, or move it to another
 * @cdev:	The device's descriptor, bound
 * @ioas:	Id of the space, or of a page table
 *
 * A move is at once: there is no moment without a space.
 *
 * Return: 0; -EADDRINUSE: it reserves, or its IOMMU does not translate, what is
 * mapped or in a window, or a mapping is unaligned; -EINVAL: not bound, another
 * device of its group is on another space, or a file has become shorter;
 * -EFAULT: memory that its process has no more; -ENOMEM: more than may be
 * locked; -EBUSY: it is being reset; -ENOENT: no such space.
 */
IOASID_PUBLIC int ioasid_cdev_attach(int cdev, uint32_t ioas,
				     struct ioasid_error *err);

/**
 * ioasid_cdev_detach() - Take a device off its space
 * @cdev:	The device's descriptor, bound
 *
 * It reaches nothing afterwards.
 *
 * Return: 0, also if it is on none; -EINVAL: not bound.
 */
IOASID_PUBLIC int ioasid_cdev_detach(int cdev, struct ioasid_error *err);

/**
 * ioasid_kvm_add() - Tell KVM that a virtual machine has a device
 * @vm:		The machine's descriptor, of KVM_CREATE_VM
 * @kvm_device:	-1, and KVM's VFIO device is made and its descriptor written
 *		here, for the caller to close; or what an earlier call gave:
 *		a machine has one of these devices
 * @cdev:	The device's descriptor; of a claim with a container that of its
 *		group, for all the devices in it
 * @err:	See above
 *
 * KVM then knows that the guest's device does DMA: where the IOMMU cannot
 * enforce coherence, it lets the guest's cache instructions and memory types
 * through. It has the device open until ioasid_kvm_remove() or the last close
 * of *@kvm_device: keep that as long as the machine, and no longer than the
 * lease. Only the process that made the machine can do this.
 *
 * Call it before ioasid_cdev_bind(). The kernel notes the machine in the open
 * file, and tells the device's driver at BIND, not later. A device of a hold
 * lease is bound already: coherence is seen to all the same, since KVM asks
 * the IOMMU itself; but its driver never learns of the machine. In Linux 7.3
 * that is nothing to vfio-pci except on s390 (instructions that are
 * interpreted), and too late for mediated devices that need the machine to be
 * opened at all (vfio-ap, GVT-g): those want a transfer lease.
 *
 * Seen on x86-64 with vfio-pci: adding, twice, removing, before BIND and after.
 * What KVM makes of it for a guest on an IOMMU that cannot enforce coherence,
 * and s390, were read in the kernel's source and not tried.
 *
 * Return: 0; -EBUSY: the machine has its VFIO device, pass it; -EEXIST: it was
 * added before; -EINVAL: @cdev is none, as those of a simulated machine;
 * -ENODEV: KVM without VFIO; -ENOTTY: @vm is no machine; -EIO: it is another
 * process's.
 */
IOASID_PUBLIC int ioasid_kvm_add(int vm, int *kvm_device, int cdev,
				 struct ioasid_error *err);

/**
 * ioasid_kvm_remove() - The virtual machine has it no more
 * @kvm_device:	Of ioasid_kvm_add()
 * @cdev:	The device's descriptor, or a copy
 *
 * Return: 0; -ENOENT: it was not added.
 */
IOASID_PUBLIC int ioasid_kvm_remove(int kvm_device, int cdev,
				    struct ioasid_error *err);

/* --- page tables ----------------------------------------------------------- */

/*
 * For programs that have a guest's IOMMU carried by the host's, copy a machine
 * while it runs, or share a device by PASIDs. As under "mapping": one ioctl(2) a
 * function, no connection, an errno of the kernel; error.id is IOASID_ERROR_
 * UNSUPPORTED for what the IOMMU cannot do, which is most of this on most
 * machines: the device's capabilities say so beforehand. Ids are of one context;
 * ioasid_object_destroy() ends what has one. A device is put on a page table by
 * ioasid_cdev_attach().
 *
 * Seen on the kernel's own mock of an IOMMU (CONFIG_IOMMUFD_TEST), Linux 7.3, and
 * on simulated machines. No emulated IOMMU carries a guest's page table, so none
 * of ours was seen to translate a device's accesses.
 */

/* Flags of a page table: enum iommufd_hwpt_alloc_flags. */
#define IOASID_TABLE_NEST_PARENT (1u << 0) /* guests' can be nested on it */
#define IOASID_TABLE_DIRTY (1u << 1)	   /* ioasid_dirty_watch() */
#define IOASID_TABLE_FAULTS (1u << 2)	   /* faults go to a queue */
#define IOASID_TABLE_PASID (1u << 3)	   /* for PASIDs, or beside them */

/**
 * ioasid_table_new() - Make a page table that translates a space
 * @iommufd:	The context
 * @device:	Id of a device that it has to suit
 * @ioas:	Id of the space; all that it maps is pinned from now on
 * @flags:	IOASID_TABLE_*
 * @fault_queue: With IOASID_TABLE_FAULTS the id of the queue
 * @ret_table:	Its id; ends before the space does
 * @err:	See under "mapping"
 *
 * Return: 0; -EOPNOTSUPP: this IOMMU cannot; -ENOENT: no such device or queue;
 * -EINVAL: no such space; -EADDRINUSE, -EFAULT, -ENOMEM: as
 * ioasid_cdev_attach().
 */
IOASID_PUBLIC int ioasid_table_new(int iommufd, uint32_t device, uint32_t ioas,
				   uint32_t flags, uint32_t fault_queue,
				   uint32_t *ret_table,
				   struct ioasid_error *err);

/**
 * ioasid_table_nest() - Let the IOMMU use a guest's page table
 * @parent:	Id of what the guest's memory is translated by: a page table made
 *		with IOASID_TABLE_NEST_PARENT, or a vIOMMU on one
 * @flags:	IOASID_TABLE_FAULTS, IOASID_TABLE_PASID
 * @type:	What @data is: enum iommu_hwpt_data_type
 * @data:	Where and how the guest has its page table, as the IOMMU's driver
 *		wants it; @length bytes
 *
 * Otherwise as ioasid_table_new(). What the guest changes in its page table has
 * to be said: ioasid_table_invalidate().
 *
 * Return: as ioasid_table_new(); -EINVAL also: @parent is none, or the data has
 * another length; -EIO: it has what a guest may not set.
 */
IOASID_PUBLIC int ioasid_table_nest(int iommufd, uint32_t device,
				    uint32_t parent, uint32_t flags,
				    uint32_t fault_queue, uint32_t type,
				    const void *data, uint32_t length,
				    uint32_t *ret_table,
				    struct ioasid_error *err);

/**
 * ioasid_table_nest_vtd() - The same for a guest with VT-d
 * @root:	Where its first-stage page table is, in the guest's addresses
 * @width:	Of what it translates: 48 or 57 bits
 * @vtd_flags:	enum iommu_hwpt_vtd_s1_flags
 *
 * Without a fault queue.
 */
IOASID_PUBLIC int ioasid_table_nest_vtd(int iommufd, uint32_t device,
					uint32_t parent, uint32_t flags,
					uint64_t root, uint32_t width,
					uint64_t vtd_flags, uint32_t *ret_table,
					struct ioasid_error *err);

/**
 * ioasid_table_invalidate() - A guest has changed its page table
 * @table:	Id of it, or of a vIOMMU
 * @type:	enum iommu_hwpt_invalidate_data_type
 * @entries:	What has changed; @length bytes each
 * @n:		How many; afterwards, also after a failure, how many were done.
 *		0: only whether @type is known is looked at
 *
 * Return: 0; -EINVAL, -EIO: entries[*n] is not as the IOMMU's driver wants it;
 * -EOPNOTSUPP: it has what the driver does not know; -ENOENT: no such object.
 */
IOASID_PUBLIC int ioasid_table_invalidate(int iommufd, uint32_t table,
					  uint32_t type, const void *entries,
					  uint32_t length, uint32_t *n,
					  struct ioasid_error *err);

/**
 * ioasid_table_invalidate_vtd() - The same of one range of a guest with VT-d
 * @address:	First address, a multiple of 4 KiB
 * @pages:	Of 4 KiB; everything: @address 0, UINT64_MAX
 * @leaf:	Only entries that map have changed, none that lead to others
 */
IOASID_PUBLIC int ioasid_table_invalidate_vtd(int iommufd, uint32_t table,
					      uint64_t address, uint64_t pages,
					      bool leaf,
					      struct ioasid_error *err);

/**
 * ioasid_dirty_watch() - Begin or end to watch what devices write
 * @table:	Id of a page table made with IOASID_TABLE_DIRTY, or
 *		IOASID_SPACE_OF_CONTAINER
 * @on:		Begin; what was written before does not count
 *
 * A container needs Linux 5.8. It does not know what devices write, and says of
 * all that is pinned for them that it was written, each time.
 *
 * Return: 0; -EOPNOTSUPP: it was made without; -ENOENT: it is none that
 * translates a space.
 */
IOASID_PUBLIC int ioasid_dirty_watch(int iommufd, uint32_t table, bool on,
				     struct ioasid_error *err);

/* Options of ioasid_dirty_read(). */
#define IOASID_DIRTY_KEEP (1u << 0) /* it stays written: an unmap comes next */

/**
 * ioasid_dirty_read() - Read what devices have written since the last time
 * @iova:	First address; a multiple of @page, as is @length
 * @length:	Bytes; all of them have to be mapped
 * @page:	What a bit stands for, bytes, a power of two; of a container the
 *		alignment of ioasid_ioas_ranges()
 * @options:	IOASID_DIRTY_*; of a container none
 * @bitmap:	Bit n % 64 of word n / 64 is set if something was written to
 *		@page bytes from @iova + n * @page on. None is cleared: begin with
 *		zeros, or collect
 *
 * The IOMMU counts in pages of its own, which may be longer: it may say that
 * more was written, never less. What was read counts as not written from then
 * on. At a hole in the mappings the kernel ends and says nothing of it (seen with
 * Linux 7.3): what is behind is not read. So read each mapping for itself.
 *
 * Return: 0; -EINVAL: numbers that do not fit each other, or, with some IOMMUs,
 * not watched; -EOPNOTSUPP: it cannot be; -ENOENT; -EOVERFLOW.
 */
IOASID_PUBLIC int ioasid_dirty_read(int iommufd, uint32_t table, uint64_t iova,
				    uint64_t length, uint64_t page,
				    unsigned int options, uint64_t *bitmap,
				    struct ioasid_error *err);

/**
 * ioasid_fault_queue_new() - Make a queue for page faults of devices
 * @ret_queue:	Its id; ends after its page tables, and after @ret_fd was closed
 * @ret_fd:	Readable, by poll(2), while faults are there; close-on-exec, the
 *		caller's to close. It keeps the context
 *
 * Needs Linux 6.11. Devices that ask for pages have PCI's PRI.
 *
 * Return: 0; -EMFILE; -ENOMEM; -ENOTTY: an older kernel.
 */
IOASID_PUBLIC int ioasid_fault_queue_new(int iommufd, uint32_t *ret_queue,
					 int *ret_fd,
					 struct ioasid_error *err);

/* @flags and @access of a fault. */
#define IOASID_FAULT_PASID (1u << 0) /* @pasid is one */
#define IOASID_FAULT_LAST (1u << 1)  /* of its group: to be answered */
#define IOASID_FAULT_READ (1u << 0)
#define IOASID_FAULT_WRITE (1u << 1)
#define IOASID_FAULT_EXECUTE (1u << 2)
#define IOASID_FAULT_PRIVILEGED (1u << 3)

/**
 * struct ioasid_fault - A device wants a page
 * @flags:	IOASID_FAULT_PASID, IOASID_FAULT_LAST
 * @device:	Id of the device
 * @pasid:	Which of its PASIDs
 * @group:	The device's number for faults that belong together
 * @access:	What it wants to do: IOASID_FAULT_READ, ...
 * @reserved:	0
 * @address:	Where
 * @length:	How much it expects to want, bytes; 0: it does not say
 * @cookie:	Of the last one of a group, what the answer has to name
 */
struct ioasid_fault {
	uint32_t flags;
	uint32_t device;
	uint32_t pasid;
	uint32_t group;
	uint32_t access;
	uint32_t reserved;
	uint64_t address;
	uint32_t length;
	uint32_t cookie;
};

/**
 * ioasid_fault_read() - Take faults out of a queue, without waiting
 * @fd:		Of ioasid_fault_queue_new()
 * @faults:	Where they go; whole groups only
 * @n:		How many there is room for; how many came, 0 for none
 *
 * Return: 0; -EINVAL: the first group needs more room.
 */
IOASID_PUBLIC int ioasid_fault_read(int fd, struct ioasid_fault *faults,
				    size_t *n, struct ioasid_error *err);

/**
 * ioasid_fault_answer() - Answer a group of faults
 * @cookie:	Of its last one
 * @retry:	The page is there now; otherwise the device has to give up
 *
 * What nobody has answered when its device is detached is answered by the
 * kernel: the device has to give up.
 *
 * Return: 0; -EINVAL: none waits under that cookie.
 */
IOASID_PUBLIC int ioasid_fault_answer(int fd, uint32_t cookie, bool retry,
				      struct ioasid_error *err);

/**
 * ioasid_viommu_new() - Make a guest's share of an IOMMU
 * @type:	enum iommu_viommu_type
 * @device:	Id of a device behind that IOMMU
 * @parent:	Id of a page table made with IOASID_TABLE_NEST_PARENT
 * @ret_viommu:	Its id; ends before @parent
 *
 * SMMUv3 nests a guest's page table on it; VT-d has none. Needs Linux 6.13.
 *
 * Return: 0; -EOPNOTSUPP: not this type, or none at all; -EINVAL: @parent is
 * none of that IOMMU; -ENOENT: no such device or page table.
 */
IOASID_PUBLIC int ioasid_viommu_new(int iommufd, uint32_t type,
				    uint32_t device, uint32_t parent,
				    uint32_t *ret_viommu,
				    struct ioasid_error *err);

/**
 * ioasid_vdevice_new() - Say what a guest calls a device
 * @viommu:	Id of the guest's share of the device's IOMMU
 * @number:	The guest's number for it there: of SMMUv3 its stream id
 * @ret_vdevice: Its id; ends before @viommu, and before the device is closed, or
 *		its id is lost to the context
 *
 * Return: 0; -EEXIST: the number is taken, or the device has one; -EINVAL: the
 * device is behind another IOMMU; -ENOENT: no such vIOMMU or device.
 */
IOASID_PUBLIC int ioasid_vdevice_new(int iommufd, uint32_t viommu,
				     uint32_t device, uint64_t number,
				     uint32_t *ret_vdevice,
				     struct ioasid_error *err);

/**
 * ioasid_cdev_attach_pasid() - Put one PASID of a device on a page table
 * @cdev:	The device's descriptor, bound
 * @pasid:	Which, 1 or higher
 * @table:	Id of a page table made with IOASID_TABLE_PASID, or of a space
 * @ret_table:	Id of the page table it is on now; may be NULL
 *
 * What is on one is moved, at once. Needs Linux 6.15.
 *
 * Return: as ioasid_cdev_attach(); -EOPNOTSUPP: the driver has no PASIDs;
 * -EINVAL: the device has no such PASID, or @table, or what the device itself is
 * on, is not made for them.
 */
IOASID_PUBLIC int ioasid_cdev_attach_pasid(int cdev, uint32_t pasid,
					   uint32_t table, uint32_t *ret_table,
					   struct ioasid_error *err);

/* ioasid_cdev_detach_pasid() - Take it off; on none: 0. */
IOASID_PUBLIC int ioasid_cdev_detach_pasid(int cdev, uint32_t pasid,
					   struct ioasid_error *err);

/* --- containers of POWER ---------------------------------------------------- */

/*
 * On POWER (backend "spapr") there is no iommufd, and a VFIO container of kind
 * SPAPR TCE v2 in its place. It has no addresses but those in its windows: the
 * default one, and a dynamic one that the platform makes on demand. It belongs to
 * the first process that makes or removes a window, or registers memory: so this
 * is done by the holder, and the daemon only plans (ioasid_windows_plan()). Who
 * claims a hold lease has to call these functions itself: after exec(2) it is
 * another process to the kernel, and so is a child. Nobody can follow the first:
 * the lease ends with its holder.
 *
 * A dynamic window that the platform refuses costs the device: until the next boot
 * the kernel makes none for it. Nothing is asked of the platform here that cannot
 * be told beforehand to be refused.
 *
 * Order: the plan, then memory registered, then mapped. Only memory that is
 * registered can be mapped. Numbers are bytes. Sources: <linux/vfio.h>,
 * drivers/vfio/vfio_iommu_spapr_tce.c and arch/powerpc/platforms/pseries/iommu.c
 * of Linux 7.3; tried on QEMU's pseries with Debian's 7.2 kernel.
 *
 * Errors are those of mappings: IOASID_ERROR_MAP_* and its like.
 */

/**
 * struct ioasid_tce_info - Which windows a container can have
 * @dma32_start: Where the default window begins
 * @dma32_size:	How long it is; its pages are of 4 KiB
 * @page_sizes:	Of dynamic windows, one bit for each size; 0 if there are none
 * @max_windows: At once, the default one counted
 * @levels:	That the table of a dynamic window can have
 */
struct ioasid_tce_info {
	uint64_t dma32_start;
	uint64_t dma32_size;
	uint64_t page_sizes;
	uint32_t max_windows;
	uint32_t levels;
};

/**
 * struct ioasid_tce_window - A window that was made
 * @start:	Where it begins; the platform has decided
 * @size:	How long it is
 * @page_shift:	Log2 of the size of its pages: mappings in it begin and end with
 *		one
 * @levels:	Of its table
 */
struct ioasid_tce_window {
	uint64_t start;
	uint64_t size;
	uint32_t page_shift;
	uint32_t levels;
};

/**
 * ioasid_tce_info() - Ask which windows a container can have
 * @container:	The container, with a group in it
 * @ret:	What it says
 * @err:	See the head of this file
 *
 * Source: VFIO_IOMMU_SPAPR_TCE_GET_INFO. Does not make the container this
 * process's.
 *
 * Return: 0; -ENXIO: there is no group in it; -ENOTTY: it is not of this kind.
 */
IOASID_PUBLIC int ioasid_tce_info(int container, struct ioasid_tce_info *ret,
				  struct ioasid_error *err);

/**
 * ioasid_tce_carry_out() - Have the windows of a plan
 * @container:	The container; nothing was made or mapped in it yet
 * @steps:	What to do, such as of a struct ioasid_window_plan
 * @n_steps:	How many
 * @ret:	The dynamic window, if the plan has one; may be NULL otherwise
 * @err:	See the head of this file
 *
 * All steps are checked against what the container can have before the first is
 * done: nothing that cannot be is asked of the platform. Sources:
 * VFIO_IOMMU_SPAPR_TCE_REMOVE, _CREATE. Undone by ioasid_tce_remove() and by the
 * last close of the container; but a default window that was removed is only had
 * again with a new container.
 *
 * Return: 0; -EINVAL IOASID_ERROR_ARGUMENT: the steps cannot be done in this
 * container; -EINVAL IOASID_ERROR_MAP_FULL: the platform has no room for the
 * window; -ENOMEM: its table is more than may be locked; -EPERM: the container is
 * another process's; -ENODEV: the platform has refused, now or since its last
 * boot.
 */
IOASID_PUBLIC int ioasid_tce_carry_out(int container,
				       const struct ioasid_tce_step *steps,
				       size_t n_steps,
				       struct ioasid_tce_window *ret,
				       struct ioasid_error *err);

/**
 * ioasid_tce_remove() - End a window, and all that is mapped in it
 * @container:	The container
 * @start:	Where it begins
 * @err:	See the head of this file
 *
 * Source: VFIO_IOMMU_SPAPR_TCE_REMOVE. The kernel ends what is mapped in it first.
 *
 * Return: 0; -EINVAL: no window begins there; -EPERM: the container is another
 * process's.
 */
IOASID_PUBLIC int ioasid_tce_remove(int container, uint64_t start,
				    struct ioasid_error *err);

/**
 * ioasid_tce_resize() - Have a dynamic window of another length in its place
 * @container:	The container
 * @window:	It; on return as it is now, maybe elsewhere
 * @size:	How long it shall be, a power of two
 * @err:	See the head of this file
 *
 * The kernel cannot change a window: it is removed, with all that is mapped in it,
 * and another one is made. Memory stays registered. If the platform has no room for
 * the new one, the old one is made again, empty.
 *
 * Return: 0; -EINVAL IOASID_ERROR_ARGUMENT: a length that cannot be, and nothing
 * was done; otherwise as ioasid_tce_carry_out(); @window->size is 0 if there is no
 * window any more.
 */
IOASID_PUBLIC int ioasid_tce_resize(int container,
				    struct ioasid_tce_window *window,
				    uint64_t size, struct ioasid_error *err);

/**
 * ioasid_tce_register() - Make memory known that shall be mapped
 * @container:	The container
 * @memory:	Where it is; at the beginning of a page
 * @length:	Whole pages
 * @err:	See the head of this file
 *
 * Source: VFIO_IOMMU_SPAPR_REGISTER_MEMORY. It is pinned, and counts as locked,
 * until ioasid_tce_unregister() or the last close of the container.
 *
 * Return: 0; -EBUSY: this very memory is registered; -EINVAL: it overlaps some that
 * is, or is not made of pages; -ENOMEM: more than may be locked; -EFAULT: there is
 * none; -EPERM: the container is another process's.
 */
IOASID_PUBLIC int ioasid_tce_register(int container, void *memory,
				      uint64_t length,
				      struct ioasid_error *err);

/**
 * ioasid_tce_unregister() - Forget memory that was registered
 * @container:	The container
 * @memory:	As it was registered
 * @length:	Likewise
 * @err:	See the head of this file
 *
 * Source: VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY. What of it is mapped has to be
 * unmapped before: the kernel says 0 all the same, and the memory stays pinned as
 * long as it is mapped.
 *
 * Return: 0; -ENOENT: it is not registered; -EINVAL: it is not made of pages.
 */
IOASID_PUBLIC int ioasid_tce_unregister(int container, void *memory,
					uint64_t length,
					struct ioasid_error *err);

/**
 * ioasid_tce_map() - Map memory in a window
 * @container:	The container
 * @memory:	Registered; at the beginning of a page of the window
 * @length:	Whole pages of the window
 * @flags:	IOASID_MAP_READ, IOASID_MAP_WRITE or both
 * @iova:	Where, in one window
 * @err:	See the head of this file
 *
 * Source: VFIO_IOMMU_MAP_DMA. What was mapped there is replaced without a word.
 * Where the pages of the window are larger than the kernel's, only memory in huge
 * pages (hugetlbfs, MAP_HUGETLB) can be mapped.
 *
 * Return: 0; -ENXIO IOASID_ERROR_MAP_RANGE: there is no window; -EINVAL
 * IOASID_ERROR_MAP_MEMORY: the memory is not registered, or not in huge pages;
 * -EINVAL IOASID_ERROR_MAP_ALIGNMENT: no whole pages of the window; -EPERM: nothing
 * was registered, or the container is another process's.
 */
IOASID_PUBLIC int ioasid_tce_map(int container, void *memory, uint64_t length,
				 uint32_t flags, uint64_t iova,
				 struct ioasid_error *err);

/**
 * ioasid_tce_unmap() - End mappings in a window
 * @container:	The container
 * @iova:	From where
 * @length:	Whole pages of the window
 * @err:	See the head of this file
 *
 * Source: VFIO_IOMMU_UNMAP_DMA. Page by page: what is not mapped is no error.
 *
 * Return: 0; -ENXIO IOASID_ERROR_MAP_RANGE: there is no window; -EINVAL: no whole
 * pages of it; -EPERM: as ioasid_tce_map().
 */
IOASID_PUBLIC int ioasid_tce_unmap(int container, uint64_t iova,
				   uint64_t length, struct ioasid_error *err);

/**
 * ioasid_kvm_tce_new() - Have KVM keep the table of a guest's window
 * @vm:		The machine's descriptor, of KVM_CREATE_VM
 * @liobn:	The guest's number for the window
 * @window:	The window, as the guest knows it
 * @ret_table:	The table's descriptor; for the caller to close
 * @err:	See the head of this file
 *
 * Source: KVM_CREATE_SPAPR_TCE_64. The guest's hypercalls on that number are then
 * done by KVM.
 *
 * Return: 0; -EINVAL IOASID_ERROR_ARGUMENT: a window that does not consist of its
 * pages; -EBUSY: the machine has that number; -ENOMEM; -ENOTTY: @vm is no machine of
 * a KVM of POWER.
 */
IOASID_PUBLIC int ioasid_kvm_tce_new(int vm, uint64_t liobn,
				     const struct ioasid_tce_window *window,
				     int *ret_table, struct ioasid_error *err);

/**
 * ioasid_kvm_tce_link() - What the guest puts in its table goes into a window, too
 * @kvm_device:	Of ioasid_kvm_add(), to which @group was added
 * @group:	The group's descriptor, in a container with a window that begins
 *		where the table's does, is as long or longer, and has pages as
 *		large or smaller
 * @table:	Of ioasid_kvm_tce_new()
 * @err:	See the head of this file
 *
 * Source: KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE. Memory of the guest
 * has to be registered before, and the window has to be there: the kernel makes a
 * default window that was kept when a dynamic one is made, or something is mapped or
 * unmapped for the first time (ioasid_tce_unmap() of a page will do). Undone by
 * ioasid_kvm_remove() of @group.
 *
 * Return: 0; -ENOENT: @group was not added; -EINVAL: no window of the group is like
 * the table.
 */
IOASID_PUBLIC int ioasid_kvm_tce_link(int kvm_device, int group, int table,
				      struct ioasid_error *err);

/* --- memory of guarded leases ---------------------------------------------- */

/* Room for the id of an error of the catalogue. */
#define IOASID_REFUSAL_SIZE 48

/**
 * struct ioasid_memory_entry - Memory that is to be mapped for a guarded lease
 * @space:	Name of a space of the lease
 * @fd:		Memory of ioasid_memory_create()
 * @offset:	From where on in it, bytes
 * @length:	How much, bytes
 * @iova:	Where, bytes: inside one window of the space
 * @writable:	Devices may write
 * @refusal:	Gets the id of the error for which it was not mapped; empty if
 *		it is
 */
struct ioasid_memory_entry {
	const char *space;
	int fd;
	uint64_t offset;
	uint64_t length;
	uint64_t iova;
	bool writable;
	char refusal[IOASID_REFUSAL_SIZE];
};

/**
 * struct ioasid_memory_range - What is to be unmapped
 * @space:	Name of a space of the lease
 * @iova:	Where, bytes
 * @length:	How much, bytes, cutting no mapping; UINT64_MAX with @iova 0 for
 *		all of the space
 * @refusal:	As in struct ioasid_memory_entry
 */
struct ioasid_memory_range {
	const char *space;
	uint64_t iova;
	uint64_t length;
	char refusal[IOASID_REFUSAL_SIZE];
};

/**
 * ioasid_memory_create() - Have memory made that can be mapped for a lease
 * @conn:	A connection of the process that holds the lease
 * @lease:	"leases/<ULID>", of mode GUARDED
 * @size:	Bytes, a multiple of its pages
 * @page_size:	Of hugetlbfs, bytes; 0 for other memory
 * @ret_fd:	A memfd, close-on-exec; the caller's
 * @err:	See the head of this file
 *
 * It can neither shrink nor grow, and has no pages: before it is mapped
 * fallocate(2) all of it, or write to it.
 *
 * Return: 0; errors as above, of the daemon: lease.not-found,
 * lease.not-claimant, lease.state, memory.mode, memory.range,
 * memory.page-size, limit.memories.
 */
IOASID_PUBLIC int ioasid_memory_create(struct ioasid *conn, const char *lease,
				       uint64_t size, uint64_t page_size,
				       int *ret_fd, struct ioasid_error *err);

/**
 * ioasid_memory_map() - Have memory mapped for a guarded lease
 * @conn:	A connection of the process that holds the lease
 * @lease:	"leases/<ULID>"
 * @entries:	What; any number, sent in as few requests as they fit
 * @n_entries:	How many
 * @err:	See the head of this file; of the first that was refused
 *
 * The daemon is asked, which writes it down before it is done: that takes about
 * as long as for a thousand at once.
 *
 * Return: 0: all are mapped; -EREMOTEIO: those are not that have a @refusal, or
 * the request was refused as a whole, then all that were not mapped by an earlier
 * one have the same; errors as above.
 */
IOASID_PUBLIC int ioasid_memory_map(struct ioasid *conn, const char *lease,
				    struct ioasid_memory_entry *entries,
				    size_t n_entries,
				    struct ioasid_error *err);

/**
 * ioasid_memory_unmap() - Have memory unmapped for a guarded lease
 * @conn:	A connection of the process that holds the lease
 * @lease:	"leases/<ULID>"
 * @ranges:	What
 * @n_ranges:	How many
 * @ret_bytes:	How much was unmapped; may be NULL
 * @err:	See the head of this file; of the first that was refused
 *
 * Return: as ioasid_memory_map().
 */
IOASID_PUBLIC int ioasid_memory_unmap(struct ioasid *conn, const char *lease,
				      struct ioasid_memory_range *ranges,
				      size_t n_ranges, uint64_t *ret_bytes,
				      struct ioasid_error *err);

#ifdef __cplusplus
}
#endif

#endif
