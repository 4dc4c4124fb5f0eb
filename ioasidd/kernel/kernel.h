/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel.h - the machine, behind one table
 *
 * DOC: Theory of Operation
 *
 * All that ioasidd asks of the kernel about devices, groups, IOMMUs, VFIO and
 * iommufd goes through struct kernel_ops, one function an operation. There is
 * one implementation for the real kernel (kernel_real_new()); the simulated
 * machine is another (sim/client.h). Functions may be called from every thread at once unless
 * they say otherwise, and keep no state that outlives a call, but for the
 * helper processes they left behind.
 *
 * A PCI function is named by its address, "dddd:bb:dd.f".
 *
 * Driver unbind and bind take device locks and wait for other people's
 * descriptors inside the kernel, where the wait cannot be killed. They run in
 * a short-lived helper process that holds nothing but the one sysfs file. Past
 * its time it is left behind: the call returns -ETIMEDOUT and says which
 * process that is, and until stuck_ended() says that it has ended nothing may
 * be called that takes the device's lock: unbind, probe, get_override,
 * set_override, vfio_bind.
 *
 * Some sysfs files take the device's lock even to be read, on one kernel or
 * another: driver_override and sriov_numvfs do. A read of one while a driver
 * hangs in unbind hangs too. So the inventory reads neither: how many VFs there
 * are is counted from their physfn links, and driver_override is read and
 * written in the helper as well.
 */
#ifndef IOASIDD_KERNEL_KERNEL_H
#define IOASIDD_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "kernel/acl.h"

#define BDF_SIZE 20	/* "dddd:bb:dd.f", domains of up to 8 digits */
#define DRIVER_SIZE 64

struct kernel;

/**
 * enum kernel_backend - By which of the kernel's interfaces devices get their
 *			 address spaces; one for the whole host
 * @KERNEL_BACKEND_NONE:	By none that we know
 * @KERNEL_BACKEND_IOMMUFD:	/dev/iommu and cdevs
 * @KERNEL_BACKEND_TYPE1:	VFIO containers and groups, VFIO_TYPE1v2_IOMMU
 * @KERNEL_BACKEND_SPAPR:	VFIO containers and groups on POWER,
 *				VFIO_SPAPR_TCE_v2_IOMMU
 */
enum kernel_backend {
	KERNEL_BACKEND_NONE,
	KERNEL_BACKEND_IOMMUFD,
	KERNEL_BACKEND_TYPE1,
	KERNEL_BACKEND_SPAPR,
	KERNEL_BACKEND_COUNT
};

/* kernel_has_groups() - Are devices had by containers and groups there? */
static inline bool kernel_has_groups(enum kernel_backend backend)
{
	return backend == KERNEL_BACKEND_TYPE1 ||
	       backend == KERNEL_BACKEND_SPAPR;
}

/* kernel_backend_name() - "none", "iommufd", "type1", "spapr". */
const char *kernel_backend_name(enum kernel_backend backend);

/* kernel_backend_from_name() - Its reverse. Return: 0 or -EINVAL. */
int kernel_backend_from_name(const char *name, enum kernel_backend *ret);

/**
 * struct kernel_info - What this kernel is
 * @release:	uname(2)
 * @boot_id:	/proc/sys/kernel/random/boot_id
 * @iommufd:	There is a /dev/iommu
 * @backend:	What is used of it; another one can come with a module, none goes
 * @simulated:	It is no kernel: descriptors are of a simulated machine
 */
struct kernel_info {
	char release[65];
	char boot_id[37];
	bool iommufd, simulated;
	enum kernel_backend backend;
};

enum kernel_isolated_msi {
	ISOLATED_MSI_UNKNOWN,	/* nothing in sysfs tells */
	ISOLATED_MSI_YES,	/* the host remaps interrupts */
	ISOLATED_MSI_NO,	/* it does not */
};

/**
 * struct kernel_device - What sysfs says of a PCI function; a snapshot
 * @bdf:		Its address
 * @vendor:		16 bits, as are @device and the subsystem's
 * @class:		24 bits
 * @revision:		8 bits
 * @bridge:		It has a header of type 1 or 2, or is a host bridge
 *			(class 06xx): never assigned
 * @numa_node:		-1 if unknown
 * @driver:		Name of the driver bound; empty if none
 * @vfio:		That driver is a VFIO driver: there is a vfio-dev folder
 * @group:		Number of its IOMMU group; -1 if none
 * @iommu:		Name in /sys/class/iommu; empty if none
 * @physfn:		Of a VF its PF; empty otherwise
 * @sriov_total:	How many VFs a PF can have
 * @sriov_num:		How many it has
 * @reset_methods:	reset_method as it is, "flr bus"; empty if none works
 * @cdev:		Device number of /dev/vfio/devices/vfioN; 0 if none
 * @cdev_name:		"vfioN", "noiommu-vfioN"; empty if none
 */
struct kernel_device {
	char bdf[BDF_SIZE];
	uint16_t vendor, device, subsystem_vendor, subsystem_device;
	uint32_t class;
	uint8_t revision;
	bool bridge;
	int numa_node;
	char driver[DRIVER_SIZE];
	bool vfio;
	int group;
	char iommu[64];
	char physfn[BDF_SIZE];
	unsigned int sriov_total, sriov_num;
	char reset_methods[64];
	dev_t cdev;
	char cdev_name[24];
};

/**
 * kernel_no_iommu() - Is there no IOMMU in front of a function?
 * @facts:	A function that is there
 *
 * Then it is in no group, until a VFIO driver takes it in no-IOMMU mode: for as
 * long as that has it, it is in one of its own named "vfio-noiommu" that isolates
 * nothing, and its cdev tells by its name. Without cdevs that group is not told.
 */
bool kernel_no_iommu(const struct kernel_device *facts);

/**
 * struct kernel_reserved - A reserved region of a group
 * @start:	First address, bytes
 * @last:	Last address, inclusive
 * @type:	"direct", "direct-relaxable", "reserved", "msi"
 */
struct kernel_reserved {
	uint64_t start, last;
	char type[24];
};

/**
 * struct kernel_group - An IOMMU group
 * @number:	The kernel's number, for this boot
 * @type:	The kernel's word for its default domain
 * @reserved:	Its reserved regions; @n_reserved of them
 */
struct kernel_group {
	int number;
	char type[24];
	struct kernel_reserved *reserved;
	size_t n_reserved;
};

struct kernel_register {
	char name[24];
	char value[40];
};

/**
 * struct kernel_iommu - One translation unit
 * @name:	In /sys/class/iommu
 * @family:	"vt-d", "amd-vi", "smmuv3", "virtio-iommu", "spapr-tce", "other"
 * @registers:	What sysfs shows of its registers
 */
struct kernel_iommu {
	char name[64];
	char family[16];
	struct kernel_register registers[8];
	size_t n_registers;
};

/**
 * struct kernel_inventory - The machine at one moment; devices sorted by @bdf,
 *			     groups by number, iommus by name
 * @no_iommu_mode:	VFIO takes functions without an IOMMU
 *			(vfio.enable_unsafe_noiommu_mode)
 * @backend:	As in struct kernel_info
 */
struct kernel_inventory {
	struct kernel_device *devices;
	size_t n_devices;
	struct kernel_group *groups;
	size_t n_groups;
	struct kernel_iommu *iommus;
	size_t n_iommus;
	enum kernel_isolated_msi isolated_msi;
	bool no_iommu_mode;
	enum kernel_backend backend;
};

/**
 * struct kernel_stuck - A helper process that was left behind
 * @pid:		0 for none
 * @start_ticks:	Its start, see struct process
 * @boot_id:		The boot it lives in
 * @call:		What it does, "unbind", "probe", "get_override" or
 *			"set_override"
 */
struct kernel_stuck {
	pid_t pid;
	uint64_t start_ticks;
	char boot_id[37];
	char call[16];
};

struct kernel_range {
	uint64_t start, last;	/* bytes, inclusive */
};

/**
 * struct kernel_node - The device node of a group
 * @path:	"/dev/vfio/12"
 * @number:	Its device number
 */
struct kernel_node {
	char path[40];
	dev_t number;
};

/**
 * struct kernel_container_info - What a container of type1 says of itself
 * @page_sizes:	Bit map of page sizes that the IOMMUs behind it have in common
 * @ranges:	Where memory can be mapped; to be freed
 * @n_ranges:	How many
 * @dirty:	It can tell what was written: VFIO_IOMMU_DIRTY_PAGES
 * @dirty_page_sizes: With @dirty: page sizes of its bit maps
 * @dirty_bitmap_max: With @dirty: the longest bit map, bytes
 * @counts_entries: It says how many mappings there can be
 * @entries:	How many more; 0 if it does not say
 */
struct kernel_container_info {
	uint64_t page_sizes;
	struct kernel_range *ranges;
	size_t n_ranges;
	bool dirty;
	uint64_t dirty_page_sizes, dirty_bitmap_max;
	bool counts_entries;
	uint32_t entries;
};

/**
 * struct kernel_tce_info - What a container of SPAPR TCE v2 says of itself
 * @dma32_start: Where its default window begins, bytes
 * @dma32_size:	How long that is, bytes
 * @page_sizes:	Bit map of page sizes of dynamic windows; 0 if there are none
 * @max_windows: How many windows at once, the default one counted; the kernel's
 *		number, which is 0xffffffff where there are no dynamic ones
 * @levels:	Of a dynamic window's table, at most
 * @kernel_page: The kernel's own page size, bytes
 */
struct kernel_tce_info {
	uint64_t dma32_start, dma32_size;
	uint64_t page_sizes;
	uint32_t max_windows, levels;
	uint64_t kernel_page;
};

/**
 * struct kernel_hw_info - IOMMU_GET_HW_INFO
 * @type:		enum iommu_hw_info_type
 * @data:		The type's struct; @data_len bytes
 * @capabilities:	enum iommufd_hw_capabilities
 * @max_pasid_log2:	Width of PASIDs, bits; 0 if none
 */
struct kernel_hw_info {
	uint32_t type;
	uint8_t data[256];
	uint32_t data_len;
	uint64_t capabilities;
	uint8_t max_pasid_log2;
};

/**
 * struct kernel_hwpt - The page table that is wished for
 * @dev_id:	The device that it has to suit
 * @pt_id:	The space it translates; with data the page table, or vIOMMU, it
 *		is nested on
 * @flags:	enum iommufd_hwpt_alloc_flags
 * @data_type:	What @data is, enum iommu_hwpt_data_type; 0 for none
 * @data:	@data_len bytes, as the IOMMU's driver wants them
 * @fault_id:	With UAPI_HWPT_FAULT_ID_VALID, where faults go
 */
struct kernel_hwpt {
	uint32_t dev_id, pt_id, flags, data_type;
	const void *data;
	uint32_t data_len;
	uint32_t fault_id;
};

/**
 * struct kernel_health - How a bound device answers
 * @vendor:		Vendor id read through the config region
 * @device:		Device id, likewise
 * @command:		PCI_COMMAND
 * @power_state:	PMCSR: 0 for D0; 0 too if it has no PM capability
 * @bar:		Number of the memory BAR that was read; -1 if none
 * @bar_ones:		The first 16 bytes of that BAR were all ones
 */
struct kernel_health {
	uint16_t vendor, device, command;
	unsigned int power_state;
	int bar;
	bool bar_ones;
};

/**
 * struct kernel_uevent - What a kernel uevent said about devices
 * @rescan:	Read everything anew: messages were lost (ENOBUFS)
 * @action:	"add", "remove", "bind", "unbind", "change"
 * @subsystem:	"pci", "vfio-dev", "iommu"
 * @bdf:	The PCI function concerned; empty if none
 */
struct kernel_uevent {
	bool rescan;
	char action[16];
	char subsystem[16];
	char bdf[BDF_SIZE];
};

/**
 * struct kernel_ops - The table
 *
 * Each returns 0 or -errno and fills @err on failure (it may be NULL).
 */
struct kernel_ops {
	/* --- what there is --- */

	void (*free)(struct kernel *k);
	int (*info)(struct kernel *k, struct kernel_info *ret,
		    struct error *err);

	/* inventory - Read the whole machine. @ret ends with
	 * kernel_inventory_free(). A device that vanishes while it is read is
	 * left out.
	 */
	int (*inventory)(struct kernel *k, struct kernel_inventory **ret,
			 struct error *err);

	/* device - Read one function anew. -ENODEV: it is gone. */
	int (*device)(struct kernel *k, const char *bdf,
		      struct kernel_device *ret, struct error *err);

	/* device_users - Does anything on the host use a function that is with
	 * its host driver? Mounts in any mount namespace, swap, dm, md and
	 * loop devices, exclusive opens of its block devices and writers of
	 * them, network interfaces in any namespace that are up with an
	 * address or have another one on them, VFs that exist, descriptors of
	 * any other node: UIO, VFIO group or cdev, DRM.
	 * -EBUSY, device.in-use: it does; each cause is one user.
	 */
	int (*device_users)(struct kernel *k, const char *bdf,
			    struct error *err);

	/* uevents - Open the kernel's announcements; non-blocking. Only what
	 * the kernel itself sends (nl_pid 0) is ever taken.
	 */
	int (*uevents)(struct kernel *k, int *ret_fd, struct error *err);

	/* uevent_read - The next announcement that concerns us.
	 * -EAGAIN: no more for now. -ENODEV: none any more, the machine has
	 * ended; a real one takes us with it.
	 */
	int (*uevent_read)(struct kernel *k, int fd, struct kernel_uevent *ret,
			   struct error *err);

	/* --- drivers --- */

	/* get_override - Read driver_override, in a helper process.
	 * @ret: empty for none
	 * @timeout_ms, @ret_stuck: see unbind
	 */
	int (*get_override)(struct kernel *k, const char *bdf,
			    unsigned int timeout_ms, char ret[DRIVER_SIZE],
			    struct kernel_stuck *ret_stuck,
			    struct error *err);

	/* set_override - Write driver_override, in a helper process; ""
	 * clears it.
	 * @timeout_ms, @ret_stuck: see unbind
	 */
	int (*set_override)(struct kernel *k, const char *bdf,
			    const char *driver, unsigned int timeout_ms,
			    struct kernel_stuck *ret_stuck,
			    struct error *err);

	/* unbind - Take the driver off, in a helper process. No driver: 0.
	 * @timeout_ms: how long to wait for the helper
	 * @ret_stuck: on -ETIMEDOUT the helper that was left behind
	 * -ETIMEDOUT, device.blocked.
	 */
	int (*unbind)(struct kernel *k, const char *bdf,
		      unsigned int timeout_ms, struct kernel_stuck *ret_stuck,
		      struct error *err);

	/* probe - Let the kernel find the driver, in a helper process. That
	 * none was found is no failure: look at the device afterwards.
	 */
	int (*probe)(struct kernel *k, const char *bdf,
		     unsigned int timeout_ms, struct kernel_stuck *ret_stuck,
		     struct error *err);

	/* mend_config - Does the function answer, and does it have the BARs that
	 * the kernel has given it? They are lost if it is reset or put to sleep
	 * while nobody can reach its configuration, and are written again here,
	 * because BIND takes what it finds for what is to be kept. In helper
	 * processes. @ret_mended is written on success only. -EIO,
	 * device.unhealthy: all ones, or the BARs cannot be written.
	 */
	int (*mend_config)(struct kernel *k, const char *bdf,
			   unsigned int timeout_ms, bool *ret_mended,
			   struct kernel_stuck *ret_stuck, struct error *err);

	/* wait_earlier - Wait for a helper that an earlier life of ioasidd has
	 * left at the function: what it does is not done, whatever sysfs shows.
	 * 0: there is none; 1: it has ended now; -ETIMEDOUT, device.blocked;
	 * -errno: it cannot be told.
	 */
	int (*wait_earlier)(struct kernel *k, const char *bdf,
			    unsigned int timeout_ms,
			    struct kernel_stuck *ret_stuck, struct error *err);

	/* stuck_ended - Has the helper that was left behind ended? */
	bool (*stuck_ended)(struct kernel *k,
			    const struct kernel_stuck *stuck);

	/* --- VFIO --- */

	/* cdev_open - Open the function's own cdev, checked to be the one that
	 * sysfs names. Opening changes nothing at the device.
	 * -ENOENT, kernel.no-cdev.
	 */
	int (*cdev_open)(struct kernel *k, const char *bdf, int *ret_fd,
			 struct error *err);

	/* cdev_holders - Which processes but ours have the function's cdev
	 * open, or memory of it mapped, by descriptor, map or VFIO group?
	 * -EBUSY, device.held: each cause is a process.
	 */
	int (*cdev_holders)(struct kernel *k, const char *bdf,
			    struct error *err);

	/* vfio_bind - VFIO_DEVICE_BIND_IOMMUFD. Resets the function.
	 * -EPERM, group.not-viable: a sibling is with a host driver or another
	 * owner; -EPERM, device.unsafe-interrupts: its interrupts are not
	 * isolated. Which one it was is found in sysfs. -EAGAIN: somebody
	 * has the function's lock just now; to be tried again.
	 */
	int (*vfio_bind)(struct kernel *k, const char *bdf, int cdev,
			 int iommufd, uint32_t *ret_dev_id, struct error *err);

	/* vfio_attach - VFIO_DEVICE_ATTACH_IOMMUFD_PT. Attached already: it
	 * moves, at one moment. -EADDRINUSE: it reserves something in what the
	 * IOAS promises; -EINVAL: a sibling of its group is elsewhere.
	 */
	int (*vfio_attach)(struct kernel *k, int cdev, uint32_t pt_id,
			   uint32_t *ret_pt_id, struct error *err);

	/* vfio_detach - VFIO_DEVICE_DETACH_IOMMUFD_PT: its DMA is blocked. On
	 * none: 0.
	 */
	int (*vfio_detach)(struct kernel *k, int cdev, struct error *err);

	/* vfio_attach_pasid - Likewise of one PASID of the device, 1 or higher:
	 * the page table is made with PASID, and so is the one that the rest of
	 * the device is on. -EOPNOTSUPP, -EINVAL: it cannot.
	 */
	int (*vfio_attach_pasid)(struct kernel *k, int cdev, uint32_t pasid,
				 uint32_t pt_id, uint32_t *ret_pt_id,
				 struct error *err);

	/* vfio_detach_pasid - Take a PASID off what it is on. On none: 0. */
	int (*vfio_detach_pasid)(struct kernel *k, int cdev, uint32_t pasid,
				 struct error *err);

	/* vfio_reset_set - The functions that a hot reset resets, itself
	 * included; to be freed. None: 0 and *@ret_n 0.
	 */
	int (*vfio_reset_set)(struct kernel *k, int cdev,
			      char (**ret)[BDF_SIZE], size_t *ret_n,
			      struct error *err);

	/* vfio_reset - VFIO_DEVICE_RESET of a bound device, to hear whether it
	 * works. -ENOTTY or -EINVAL: it has no function reset.
	 */
	int (*vfio_reset)(struct kernel *k, int cdev, struct error *err);

	/* vfio_health - Read what a bound device answers; no verdict. */
	int (*vfio_health)(struct kernel *k, int cdev,
			   struct kernel_health *ret, struct error *err);

	/* --- containers and groups, of backends other than iommufd. The
	 * descriptor that group_device gives is as good as one that vfio_bind
	 * has bound, for vfio_reset_set, vfio_reset and vfio_health. --- */

	/* container_open - A new VFIO container, and none of iommufd's
	 * imitation. It lives as long as it, or a group in it, is open.
	 * -ENOENT, kernel.no-container.
	 */
	int (*container_open)(struct kernel *k, int *ret_fd,
			      struct error *err);

	/* group_open - Open the VFIO group of a number, checked to be the one
	 * that sysfs names. A group is open once on the whole host, and as long
	 * as a device of it is. Opening changes nothing at its devices.
	 * -ENOENT, kernel.no-group: no device of it is with VFIO. -EBUSY,
	 * device.held: it is open, or a cdev of it is bound; each cause is a
	 * process.
	 */
	int (*group_open)(struct kernel *k, int group, int *ret_fd,
			  struct error *err);

	/* container_attach - Put an open group into a container; with the first
	 * one that becomes what the backend makes of it (VFIO_SET_IOMMU). What
	 * is mapped there its devices reach from then on; where memory can be
	 * mapped may become less.
	 * @number: the group's
	 * -EPERM, group.not-viable, with the devices in the way; -EPERM,
	 * device.unsafe-interrupts: as vfio_bind. -EINVAL: it is in a container
	 * already, or a mapping lies where a device of it reserves.
	 */
	int (*container_attach)(struct kernel *k, int container, int group,
				int number, struct error *err);

	/* container_info - VFIO_IOMMU_GET_INFO of type1. Only with a group in
	 * it. @ret->ranges is to be freed.
	 */
	int (*container_info)(struct kernel *k, int container,
			      struct kernel_container_info *ret,
			      struct error *err);

	/* container_tce_info - VFIO_IOMMU_SPAPR_TCE_GET_INFO of a container of
	 * SPAPR TCE. Only with a group in it; does not take the container for
	 * this process.
	 */
	int (*container_tce_info)(struct kernel *k, int container,
				  struct kernel_tce_info *ret,
				  struct error *err);

	/* group_device - VFIO_GROUP_GET_DEVICE_FD of a group in a container.
	 * The first open of a function resets it. -ENODEV: it is not in the
	 * group. -EAGAIN: somebody has the function's lock just now; to be tried
	 * again.
	 */
	int (*group_device)(struct kernel *k, int group, const char *bdf,
			    int *ret_fd, struct error *err);

	/* container_unmap_all - VFIO_IOMMU_UNMAP_DMA of all: the fence of a
	 * container. No device in it reaches anything afterwards, whoever has
	 * mapped it. Nothing mapped: 0 and *@ret_bytes 0. -EPERM: entries are
	 * left, as of older kernels, where only the process unmaps that has
	 * mapped; -EOPNOTSUPP: a kernel that cannot (before 5.12).
	 */
	int (*container_unmap_all)(struct kernel *k, int container,
				   uint64_t *ret_bytes, struct error *err);

	/* vfio_is - Is it a descriptor of that function? By what fdinfo says
	 * (since 6.17), else by its ids. -ESTALE: it is of another one.
	 */
	int (*vfio_is)(struct kernel *k, int fd, const char *bdf,
		       struct error *err);

	/* --- iommufd --- */

	/* iommufd_open - A new context. -ENOENT, kernel.no-iommufd. */
	int (*iommufd_open)(struct kernel *k, int *ret_fd, struct error *err);

	/* iommufd_rlimit_mode - Account pinned memory to the process that
	 * maps, not to its user: IOMMU_OPTION_RLIMIT_MODE 1. Only on a context
	 * without objects.
	 */
	int (*iommufd_rlimit_mode)(struct kernel *k, int iommufd,
				   struct error *err);

	int (*ioas_alloc)(struct kernel *k, int iommufd, uint32_t *ret_id,
			  struct error *err);

	/* ioas_ranges - IOMMU_IOAS_IOVA_RANGES; @ret to be freed. */
	int (*ioas_ranges)(struct kernel *k, int iommufd, uint32_t ioas_id,
			   struct kernel_range **ret, size_t *ret_n,
			   uint64_t *ret_alignment, struct error *err);

	/* ioas_allow - IOMMU_IOAS_ALLOW_IOVAS: what is promised from now on, in
	 * place of what was; none for nothing. -EADDRINUSE: a device that is
	 * attached reserves something in it.
	 */
	int (*ioas_allow)(struct kernel *k, int iommufd, uint32_t ioas_id,
			  const struct kernel_range *ranges, size_t n,
			  struct error *err);

	/* ioas_unmap_all - IOMMU_IOAS_UNMAP of 0 to 2^64 - 1: the fence. No
	 * device reaches anything through the IOAS afterwards, whoever has
	 * mapped it. Nothing mapped: 0 and *@ret_bytes 0.
	 */
	int (*ioas_unmap_all)(struct kernel *k, int iommufd, uint32_t ioas_id,
			      uint64_t *ret_bytes, struct error *err);

	/* ioas_map_file - IOMMU_IOAS_MAP_FILE at an address: @length bytes of a
	 * memfd from @offset on, to be read by devices, and written if
	 * @writable. Pins them. The kernel looks at neither access mode nor
	 * seals of @fd, and fills holes: whoever calls has looked.
	 * @lease: for whom; what it pins is of that lease's holder
	 * -EEXIST: something is mapped there; -EINVAL: a device reserves it, or
	 * @fd is no memory; -ENOMEM; -EOPNOTSUPP, -ENOTTY: older than 6.13.
	 */
	int (*ioas_map_file)(struct kernel *k, int iommufd, uint32_t ioas_id,
			     int fd, uint64_t offset, uint64_t length,
			     uint64_t iova, bool writable, const char *lease,
			     struct error *err);

	/* ioas_unmap - IOMMU_IOAS_UNMAP of whole mappings. -ENOENT: there is
	 * none, or the range cuts one.
	 */
	int (*ioas_unmap)(struct kernel *k, int iommufd, uint32_t ioas_id,
			  uint64_t iova, uint64_t length, uint64_t *ret_bytes,
			  struct error *err);

	int (*hw_info)(struct kernel *k, int iommufd, uint32_t dev_id,
		       struct kernel_hw_info *ret, struct error *err);

	/* --- page tables; see pagetable.h --- */

	/* hwpt_alloc - IOMMU_HWPT_ALLOC. -EOPNOTSUPP: this IOMMU cannot;
	 * -EINVAL: nor this, or @wish does not fit; -ENODEV: there is none.
	 */
	int (*hwpt_alloc)(struct kernel *k, int iommufd,
			  const struct kernel_hwpt *wish, uint32_t *ret_id,
			  struct error *err);

	/* hwpt_invalidate - IOMMU_HWPT_INVALIDATE of a nested page table or a
	 * vIOMMU. @inout_n: how many entries; on return, failure included, how
	 * many were done.
	 */
	int (*hwpt_invalidate)(struct kernel *k, int iommufd, uint32_t hwpt_id,
			       uint32_t data_type, const void *entries,
			       uint32_t entry_len, uint32_t *inout_n,
			       struct error *err);

	/* hwpt_set_dirty - IOMMU_HWPT_SET_DIRTY_TRACKING: begin or end to watch
	 * what devices write. -EOPNOTSUPP: the page table was made without.
	 */
	int (*hwpt_set_dirty)(struct kernel *k, int iommufd, uint32_t hwpt_id,
			      bool on, struct error *err);

	/* hwpt_get_dirty - IOMMU_HWPT_GET_DIRTY_BITMAP: bit (address - @iova) /
	 * @page_size is set in @bitmap for what was written, and that counts as
	 * not written from then on, unless @keep. At a hole in what is mapped
	 * it ends, and is 0: ask mapping by mapping.
	 */
	int (*hwpt_get_dirty)(struct kernel *k, int iommufd, uint32_t hwpt_id,
			      uint64_t iova, uint64_t length,
			      uint64_t page_size, bool keep, uint64_t *bitmap,
			      struct error *err);

	/* fault_queue_alloc - IOMMU_FAULT_QUEUE_ALLOC. @ret_fd is closed before
	 * @ret_id is destroyed.
	 */
	int (*fault_queue_alloc)(struct kernel *k, int iommufd,
				 uint32_t *ret_id, int *ret_fd,
				 struct error *err);

	/* viommu_alloc - IOMMU_VIOMMU_ALLOC, without data, on a nest parent. */
	int (*viommu_alloc)(struct kernel *k, int iommufd, uint32_t type,
			    uint32_t dev_id, uint32_t hwpt_id,
			    uint32_t *ret_id, struct error *err);

	/* vdevice_alloc - IOMMU_VDEVICE_ALLOC. -EEXIST: @virt_id is taken, or
	 * the device has one.
	 */
	int (*vdevice_alloc)(struct kernel *k, int iommufd, uint32_t viommu_id,
			     uint32_t dev_id, uint64_t virt_id,
			     uint32_t *ret_id, struct error *err);

	/* --- nodes of groups; see node.h --- */

	/* node_find - Which node has a group, by the kernel's number of it?
	 * -ENOENT, kernel.no-node.
	 */
	int (*node_find)(struct kernel *k, int group, struct kernel_node *ret,
			 struct error *err);

	/* node_get_acl - Who may open it? -ENOENT: it is not there, or another;
	 * -EOPNOTSUPP, kernel.no-acl.
	 */
	int (*node_get_acl)(struct kernel *k, const struct kernel_node *node,
			    struct acl *ret, struct error *err);

	/* node_set_acl - Say who may open it; likewise. */
	int (*node_set_acl)(struct kernel *k, const struct kernel_node *node,
			    const struct acl *acl, struct error *err);

	/* destroy - IOMMU_DESTROY. */
	int (*destroy)(struct kernel *k, int iommufd, uint32_t id,
		       struct error *err);
};

/* The machine. Implementations embed it first. */
struct kernel {
	const struct kernel_ops *ops;
};

/**
 * kernel_real_new() - The machine that this process runs on
 * @sysfs:	Where sysfs is, "/sys"; tests give a copy
 * @backend:	What to use of it; KERNEL_BACKEND_NONE for the newest that it has
 * @ret:	Ends with its ops->free()
 */
int kernel_real_new(const char *sysfs, enum kernel_backend backend,
		    struct kernel **ret, struct error *err);

/* kernel_inventory_free() - NULL is allowed. Return: NULL. */
struct kernel_inventory *kernel_inventory_free(struct kernel_inventory *inv);

/**
 * bdf_parse() - Read a PCI address as people write it
 * @s:		"0000:3b:00.0", "3b:00.0", either case
 * @ret:	As the kernel writes it
 *
 * Return: 0 or -EINVAL.
 */
int bdf_parse(const char *s, char ret[BDF_SIZE]);

#endif
