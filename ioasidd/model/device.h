/* SPDX-License-Identifier: Apache-2.0
 *
 * device.h - devices and groups: whose they are, what is known of them
 *
 * Pure: no system calls, SQL or wire formats. Everything here is guarded by the
 * registry's lock, unless it says otherwise; strings are copied out under it.
 */
#ifndef IOASIDD_MODEL_DEVICE_H
#define IOASIDD_MODEL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "kernel/kernel.h"
#include "model/changes.h"

/* Resource names: "devices/pci-0000-3b-00.0", "leases/<ULID>". */
#define NAME_SIZE 64

/**
 * enum device_state - Whose a device is
 * @DEVICE_HOST:	With a host driver, or none. Next: preparing, foreign.
 * @DEVICE_PREPARING:	An operation takes it to VFIO, or back. Next: ready,
 *			host, stuck.
 * @DEVICE_READY:	On VFIO, probed, free. Next: leased, preparing (back).
 * @DEVICE_LEASED:	A lease that has not ended names it. Next: reclaiming,
 *			ready if the offer was never claimed.
 * @DEVICE_RECLAIMING:	Its holder has ended. Nobody may have a descriptor of
 *			it. Next: ready, host, quarantined, stuck.
 * @DEVICE_QUARANTINED:	Kept out of use. Next: reclaiming, by recover.
 * @DEVICE_STUCK:	A helper hangs in the kernel about it: no call that
 *			takes its lock. Next: reclaiming, by recover.
 * @DEVICE_GONE:	Not on this host any more; our record of it stays.
 * @DEVICE_FOREIGN:	On a VFIO driver, not by us. Never touched.
 */
enum device_state {
	DEVICE_HOST,
	DEVICE_PREPARING,
	DEVICE_READY,
	DEVICE_LEASED,
	DEVICE_RECLAIMING,
	DEVICE_QUARANTINED,
	DEVICE_STUCK,
	DEVICE_GONE,
	DEVICE_FOREIGN,
	DEVICE_STATE_COUNT
};

enum device_trouble {
	TROUBLE_NONE,
	TROUBLE_QUARANTINED,
	TROUBLE_STUCK,
	DEVICE_TROUBLE_COUNT
};

/**
 * struct device_record - What of a device must outlive ioasidd
 * @vendor:		With the next four: which device it is, so that another
 *			one in its slot is not taken for it
 * @prepared:		We took it to VFIO and have not given it back
 * @vfio_driver:	The VFIO driver we put it on
 * @former_driver:	What it goes back to; empty for none
 * @former_override:	driver_override before us; empty for none
 * @no_reset:		Prepared although no reset works
 * @unsafe_interrupts:	Prepared although its interrupts are not isolated
 * @no_iommu:		Prepared although there is no IOMMU in front of it
 * @trouble:		Why it is kept out of use, with @reason and @remedy
 * @stuck:		With TROUBLE_STUCK: the helper that hangs
 * @last_lease:		The lease that had it last; empty for none
 * @last_uid:		The holder's uid
 */
struct device_record {
	uint16_t vendor, device, subsystem_vendor, subsystem_device;
	uint32_t class;
	bool prepared;
	char vfio_driver[DRIVER_SIZE];
	char former_driver[DRIVER_SIZE];
	char former_override[DRIVER_SIZE];
	bool no_reset;
	bool unsafe_interrupts;
	bool no_iommu;
	enum device_trouble trouble;
	char reason[256];
	char remedy[256];
	struct kernel_stuck stuck;
	char last_lease[NAME_SIZE];
	uid_t last_uid;
};

/* The functions that one hot reset can reset: more than any slot has. */
#define RESET_SET_MAX 64
#define CAPABILITY_RANGES_MAX 32

/**
 * struct capabilities - What a probe found; true for one driver, one boot and one
 *			 backend
 * @driver:		The VFIO driver it ran on
 * @backend:		What it was done by
 * @boot_id:		The boot it ran in
 * @probed_us:		When it ran
 * @ranges:		Usable I/O virtual addresses; @n_ranges of them
 * @alignment:		Of every mapping, bytes
 * @hw:			IOMMU_GET_HW_INFO
 * @nest_parent:	Page table kinds that can be made
 * @dirty_tracking:	likewise
 * @pasid:		likewise
 * @bind_us:		How long BIND took, or to get the device from its group
 * @dma_entries:	How many mappings a container takes; 0 if nothing says so
 * @tce:		With backend spapr: which windows a container can have
 * @reset_set:		What a hot reset resets, itself included
 */
struct capabilities {
	char driver[DRIVER_SIZE];
	enum kernel_backend backend;
	char boot_id[37];
	uint64_t probed_us;
	struct kernel_range ranges[CAPABILITY_RANGES_MAX];
	size_t n_ranges;
	uint64_t alignment;
	struct kernel_hw_info hw;
	bool nest_parent;
	bool dirty_tracking;
	bool pasid;
	uint64_t bind_us;
	uint32_t dma_entries;
	struct kernel_tce_info tce;
	char reset_set[RESET_SET_MAX][BDF_SIZE];
	size_t n_reset_set;
};

/**
 * struct device - One device
 * @name:	"devices/pci-0000-3b-00.0"; never changes
 * @revision:	Of its last change
 * @state:	Whose it is
 * @facts:	What sysfs said last
 * @record:	What must outlive us; meaningful if @recorded
 * @recorded:	There is a row for it
 * @caps:	What the probe found; NULL before, or of another boot or driver
 * @lease:	Name of the lease that has it; empty for none
 * @operation:	Name of the operation, or of the change of a lease, that has
 *		claimed it; empty for none. Only that may change the device.
 * @claimed_at:	Its revision when it was claimed
 * @audience:	Who could see it when it was last entered in the log of changes
 */
struct device {
	char name[NAME_SIZE];
	uint64_t revision;
	enum device_state state;
	struct kernel_device facts;
	struct device_record record;
	bool recorded;
	struct capabilities *caps;
	char lease[NAME_SIZE];
	char operation[NAME_SIZE];
	uint64_t claimed_at;
	struct audience audience;
};

/**
 * struct group - One IOMMU group, as last scanned
 * @name:	"groups/<its lowest device>"
 * @revision:	Of its last change
 * @facts:	What sysfs said; owns its reserved regions
 * @iommu:	Name in /sys/class/iommu; empty for none
 * @devices:	Its devices by address; borrowed from the registry
 */
struct group {
	char name[NAME_SIZE];
	uint64_t revision;
	struct kernel_group facts;
	char iommu[64];
	struct device **devices;
	size_t n_devices;
};

/**
 * struct iommu - One translation unit, as last scanned
 * @name:	"iommus/dmar0"
 * @revision:	Of its last change
 * @facts:	What sysfs said
 * @content:	A hash of its registers and of the devices behind it
 */
struct iommu {
	char name[CHANGE_NAME_SIZE];
	uint64_t revision;
	struct kernel_iommu facts;
	uint64_t content;
};

/* iommu_name_from_sysfs() - "iommus/smmu3.0x9050000" of what sysfs calls it;
 * empty of nothing.
 */
void iommu_name_from_sysfs(const char *sysfs, char ret[CHANGE_NAME_SIZE]);

/* device_state_name() - "host" .. "foreign". */
const char *device_state_name(enum device_state state);

const char *device_trouble_name(enum device_trouble trouble);
int device_trouble_from_name(const char *name, enum device_trouble *ret);

/* device_name_from_bdf() - "devices/pci-0000-3b-00.0" of "0000:3b:00.0". */
void device_name_from_bdf(const char *bdf, char ret[NAME_SIZE]);

/**
 * device_resting_state() - The state that facts, record and lease add up to
 *			    when no operation is at work
 */
enum device_state device_resting_state(const struct device *device);

/* device_caps_free() - Drop what the probe found. */
void device_caps_free(struct device *device);

/* device_facts_equal() - Do two scans say the same of a device? */
bool device_facts_equal(const struct kernel_device *a,
			const struct kernel_device *b);

/* device_identify() - Write into the record which device it is, for
 * device_same().
 */
void device_identify(const struct kernel_device *facts,
		     struct device_record *record);

/* device_same() - Is the device in the slot the one on record? */
bool device_same(const struct kernel_device *facts,
		 const struct device_record *record);

/**
 * device_check_endpoint() - Can it ever be assigned, as it stands in its group?
 * @device:	The device
 * @group:	Its group; NULL for none
 *
 * Return: 0; -EINVAL device.bridge, device.no-group, device.direct-mapped;
 * -ENODEV device.not-found.
 */
int device_check_endpoint(const struct device *device,
			  const struct group *group, struct error *err);

/* group_unassignable() - Does a direct reserved region forbid assignment? */
bool group_unassignable(const struct group *group);

/**
 * group_blockers() - What keeps the group from being viable as it stands
 * @err:	Each blocker becomes a cause; may be NULL
 *
 * Endpoints with a host driver that does DMA block; driverless ones, those on
 * VFIO, pci-stub and bridges do not.
 *
 * Return: 0 if it is viable, else -EPERM, group.not-viable.
 */
int group_blockers(const struct group *group, struct error *err);

/* group_deinit() - Free what a group owns. */
void group_deinit(struct group *group);

#endif
