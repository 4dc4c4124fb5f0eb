/* SPDX-License-Identifier: Apache-2.0
 *
 * sim.h - the simulated machine: what its parts share
 *
 * DOC: Theory of Operation
 *
 * A machine is made from a description (describe.c) and lives in a process of
 * its own (server.c), so that the death of ioasidd-sim is to it what the death
 * of ioasidd is to a real one: nothing. ioasidd-sim reaches it by a socket
 * (client.c), behind the same table as the real kernel.
 *
 *	machine.c	what there is: devices, groups, IOMMUs; inventory
 *	driver.c	driver_override, probe, bind, unbind, uevents; sriov.c: VFs
 *	function.c	a PCI function: configuration space, BARs, resets
 *	view.c		what vfio-pci shows of configuration space
 *	edu.c		QEMU's edu, the function that does DMA
 *	file.c		open files: what a descriptor stands for
 *	vfio.c		calls on a VFIO cdev
 *	bind.c		BIND, and the last close
 *	reset.c		resets of functions and of buses
 *	iommufd.c	calls on an iommufd
 *	object.c	contexts and what is in them
 *	space.c		address spaces
 *	map.c		calls that map memory
 *	table.c		page tables
 *	attach.c	devices on page tables
 *	dma.c		what devices do with memory
 *	ioas.c		an I/O address space: ranges, windows, mappings; pure
 *	place.c		where a mapping goes that has no address of its own
 *	memory.c	the memory behind mappings: of processes, of files
 *	pin.c		memory that is pinned, and moved by devices
 *	account.c	whose pinned memory it is
 *	rule.c		every rule by number, so that a test can switch it off
 *
 * A descriptor of the simulated machine is one end of a socketpair whose other
 * end the machine has. So it is passed on, inherited and closed like any other,
 * and the machine hears of the last close, wherever the copies were; on that
 * hang, as in the kernel, unbind, the reset of a device and the life of a
 * context. A call on it is a message (base/simfd.h), with the address of the
 * structure; the machine reads and writes the caller's memory by
 * process_vm_readv(2), as the kernel does by copy_from_user().
 *
 * All of the machine is under one lock, struct sim.lock. Every function here is
 * called with it held unless it says otherwise. One that waits (a driver that
 * takes its time, the last close) lets go of it meanwhile, by sim_wait() or
 * sim_delay(): what was looked up before must be looked up again after it.
 *
 * What the kernel refuses is refused with the same errno. Functions that a
 * process could have called through ioctl(2) return that number negated and no
 * words: the words are made by who has called.
 */
#ifndef IOASIDD_KERNEL_SIM_SIM_H
#define IOASIDD_KERNEL_SIM_SIM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/kernel.h"

#define SIM_PAGE 4096ULL
#define SIM_VFIO_DRIVERS_MAX 8
#define SIM_USERS_MAX 8
#define SIM_BARS 6
#define SIM_DEVICES_MAX 65536

struct sim;
struct sim_account;
struct sim_backing;
struct sim_context;
struct sim_device;
struct sim_file;
struct sim_function;

/* --- what there is --- */

/**
 * struct sim_iommu - A translation unit, and what it can do
 * @facts:		As sysfs shows it
 * @aperture:		Addresses that a page table of it can translate
 * @alignment:		Of every mapping, bytes
 * @hw:			What IOMMU_GET_HW_INFO says; type 0 for nothing
 * @hw_supported:	IOMMU_GET_HW_INFO is answered at all
 * @nest_parent:	Page tables that can be made: IOMMU_HWPT_ALLOC_NEST_PARENT
 * @dirty_tracking:	IOMMU_HWPT_ALLOC_DIRTY_TRACKING
 * @pasid:		IOMMU_HWPT_ALLOC_PASID
 * @nested_type:	enum iommu_hwpt_data_type of a nested one; 0 for none
 * @first_stage:	Its usual page tables are such, which cannot let a device
 *			write to what it may not read
 */
struct sim_iommu {
	struct kernel_iommu facts;
	struct kernel_range aperture;
	uint64_t alignment;
	struct kernel_hw_info hw;
	bool hw_supported;
	bool nest_parent, dirty_tracking, pasid, first_stage;
	uint32_t nested_type;
};

/**
 * struct sim_group - An IOMMU group
 * @facts:	As sysfs shows it; owns its reserved regions
 * @iommu:	Borrowed from the machine; NULL for none
 * @owner:	The context that devices of it are bound to; NULL for none
 * @n_bound:	How many are
 */
struct sim_group {
	struct kernel_group facts;
	struct sim_iommu *iommu;
	struct sim_context *owner;
	unsigned int n_bound;
};

/**
 * struct sim_user - Something on the host that uses a function that is with
 *		     its host driver; for device.in-use
 */
struct sim_user {
	char kind[16];
	char name[112];
	char detail[128];
};

/**
 * struct sim_device - A PCI function
 * @facts:		As sysfs shows it now: driver, cdev, reset methods, ...
 * @group:		Borrowed; NULL for none
 * @host_driver:	The driver that probe finds without an override; empty
 *			for none
 * @override:		driver_override
 * @users:		What uses it while it is with @host_driver
 * @n_users:		How many
 * @bind_ms:		How long a driver's probe takes
 * @unbind_ms:		How long a driver's remove takes
 * @reset_ms:		How long a reset takes
 * @reset_error:	errno with which every reset fails; 0 for none
 * @probe_error:	errno with which its VFIO driver refuses it; 0 for none
 * @bar_size:		Bytes of each memory BAR; 0 for none
 * @bus_dead:		The bus in front of it leads nowhere: it answers ones
 * @lock_owner:		Of the device's lock: a number of sim.next_call; 0 free
 * @n_files:		Open files of its cdev, as long as it is that cdev
 * @bound:		The file by which it is bound to an iommufd; NULL
 * @function:		What answers on the bus
 * @vf_of:		Index of a VF behind its PF; meaningful with facts.physfn
 * @vf_template:	Of a PF: what its VFs are like; NULL if it has none
 * @present:		It is there; one that was pulled keeps its place
 */
struct sim_device {
	struct kernel_device facts;
	struct sim_group *group;
	char host_driver[DRIVER_SIZE];
	char override[DRIVER_SIZE];
	struct sim_user users[SIM_USERS_MAX];
	size_t n_users;
	unsigned int bind_ms, unbind_ms, reset_ms;
	int reset_error, probe_error;
	uint64_t bar_size[SIM_BARS];
	bool bus_dead;
	uint64_t lock_owner;
	unsigned int n_files;
	struct sim_file *bound;
	struct sim_function *function;
	unsigned int vf_of;
	struct sim_device *vf_template;
	bool present;
};

/**
 * struct sim - The machine
 * @lock:		Guards all of it
 * @changed:		Broadcast whenever something ends that could be waited
 *			for: a file, a call, a lock of a device
 * @info:		release, boot id, whether there is an iommufd
 * @isolated_msi:	As the inventory says it
 * @allow_unsafe:	iommufd.allow_unsafe_interrupts
 * @vfio_drivers:	VFIO drivers in this kernel
 * @n_vfio_drivers:	How many
 * @generic_drivers:	Others that take any function that is overridden to them,
 *			uio_pci_generic
 * @n_generic_drivers:	How many
 * @devices:		By address; each is an allocation of its own, so that a
 *			pointer stays good until sim_free(), also of one that
 *			was pulled
 * @groups:		likewise, by number
 * @iommus:		likewise, by name
 * @files:		Open files
 * @accounts:		Users and processes that have mapped memory
 * @backings:		Files that are mapped
 * @minors:		Bits of the numbers of VFIO devices that are taken: the next
 *			one gets the lowest that is free
 * @next_call:		Number of the next call that takes a device's lock
 * @announce:		Hears each uevent; set by the server; may be NULL
 * @announce_data:	For @announce
 */
struct sim {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct kernel_info info;
	enum kernel_isolated_msi isolated_msi;
	bool allow_unsafe;
	char vfio_drivers[SIM_VFIO_DRIVERS_MAX][DRIVER_SIZE];
	size_t n_vfio_drivers;
	char generic_drivers[SIM_VFIO_DRIVERS_MAX][DRIVER_SIZE];
	size_t n_generic_drivers;
	struct sim_device **devices;
	size_t n_devices;
	struct sim_group **groups;
	size_t n_groups;
	struct sim_iommu **iommus;
	size_t n_iommus;
	struct sim_file *files;
	struct sim_account *accounts;
	struct sim_backing *backings;
	uint8_t minors[SIM_DEVICES_MAX / 8];
	uint64_t next_call;
	void (*announce)(void *data, const struct kernel_uevent *event);
	void *announce_data;
};

/* --- machine.c --- */

/**
 * sim_new() - An empty machine, to be filled by describe.c
 * @ret:	sim_free()
 *
 * The lock is not held.
 *
 * Return: 0 or -ENOMEM.
 */
int sim_new(struct sim **ret);

/* sim_free() - NULL is allowed; no file may be open any more. Return: NULL. */
struct sim *sim_free(struct sim *sim);

void sim_lock(struct sim *sim);
void sim_unlock(struct sim *sim);

/**
 * sim_wait() - Wait until something has changed
 * @deadline_ns:	CLOCK_MONOTONIC; 0 for none
 *
 * Return: 0; -ETIMEDOUT.
 */
int sim_wait(struct sim *sim, uint64_t deadline_ns);

/* sim_changed() - Wake those that wait. */
void sim_changed(struct sim *sim);

/* sim_delay() - Let time go by without the lock. 0: nothing. */
void sim_delay(struct sim *sim, unsigned int ms);

/* sim_device() - A function that is there. Return: NULL if there is none. */
struct sim_device *sim_device(struct sim *sim, const char *bdf);

/* sim_add_device_consume() - Return: 0; -EEXIST; -ENOMEM. Freed on failure. */
int sim_add_device_consume(struct sim *sim, struct sim_device *device);
int sim_add_group_consume(struct sim *sim, struct sim_group *group);
int sim_add_iommu_consume(struct sim *sim, struct sim_iommu *iommu);

/* sim_inventory() - As inventory in struct kernel_ops. */
int sim_inventory(struct sim *sim, struct kernel_inventory **ret);

/* --- describe.c --- */

/**
 * sim_describe() - Make a machine from its description
 * @text:	JSON, see packaging/machines/README.md
 * @name:	Of the file, for messages: "server.json:12: devices[3].bdf: ..."
 * @ret:	sim_free()
 *
 * Return: 0; -EINVAL request.invalid with line and reason; -ENOMEM.
 */
int sim_describe(const char *text, const char *name, struct sim **ret,
		 struct error *err);

/* --- driver.c: what sysfs does; each may wait --- */

/**
 * sim_unbind() - Take the driver off
 * @call:	A number of sim_call_new(): holds the device's lock meanwhile
 *
 * Waits for the device's lock, for the driver, and for the last close of its
 * cdev, for ever. No driver: 0. -ENODEV.
 */
int sim_unbind(struct sim *sim, const char *bdf, uint64_t call);

/* sim_probe() - Let the kernel find a driver; that there is none is 0, and so
 * is one that does not want the device (@probe_error). -EINVAL: the group
 * belongs to a context, and the driver is a host driver. -ENODEV. May wait.
 */
int sim_probe(struct sim *sim, const char *bdf, uint64_t call);

int sim_get_override(struct sim *sim, const char *bdf, uint64_t call,
		     char ret[DRIVER_SIZE]);
int sim_set_override(struct sim *sim, const char *bdf, const char *driver,
		     uint64_t call);

/* sim_mend_config() - As mend_config in struct kernel_ops. -EIO: all ones. */
int sim_mend_config(struct sim *sim, const char *bdf, uint64_t call,
		    bool *ret_mended);

/* sim_call_new() - A number for a call that takes a device's lock. */
uint64_t sim_call_new(struct sim *sim);

/* sim_remove() - The card is pulled: it answers ones from now on. As the kernel
 * does, waits for the last close of its cdev before it is forgotten. -ENODEV.
 */
int sim_remove(struct sim *sim, const char *bdf);

/* sim_add() - One that was pulled is put in again. -EEXIST; -ENODEV: there never
 * was one, or it is a VF that its PF does not have.
 */
int sim_add(struct sim *sim, const char *bdf);

/* sim_set_numvfs() - Write sriov_numvfs of a PF. -EBUSY between two numbers
 * that are not 0; -ERANGE beyond sriov_total; -ENOENT: no PF, or not with a host
 * driver; -ENODEV. Waits for the drivers of VFs.
 */
int sim_set_numvfs(struct sim *sim, const char *bdf, unsigned int n);

/* --- file.c: what descriptors stand for --- */

enum sim_file_kind {
	SIM_FILE_IOMMUFD,
	SIM_FILE_CDEV,
	SIM_FILE_FAULTS,
};

/**
 * struct sim_made - A file that a call has made, besides its answer
 * @file:	It; NULL for none
 * @offset:	Where in the call's structure the number of its descriptor
 *		belongs
 */
struct sim_made {
	struct sim_file *file;
	size_t offset;
};

/**
 * struct sim_caller - Who calls, for the calls on files
 * @pid:	Whose memory and descriptors the numbers in structures mean
 * @uid:	As the socket says it
 * @root:	It is the machine's ioasidd: there it has every capability, also
 *		where a developer runs it who has none
 * @made:	Where calls that make a file put it; NULL: he can be given none
 */
struct sim_caller {
	pid_t pid;
	uid_t uid;
	bool root;
	struct sim_made *made;
};

/**
 * struct sim_file - An open file
 * @sim:	The machine
 * @kind:	What of
 * @inode:	Of the end that the descriptor is: by it a number in a process
 *		is found (sim_caller_file()); set by the server
 * @context:	SIM_FILE_IOMMUFD: its context, a reference; SIM_FILE_CDEV: the
 *		one that the device is bound to by this file, a reference; NULL;
 *		SIM_FILE_FAULTS: the one that the queue is in, a reference
 * @device:	SIM_FILE_CDEV: the function; borrowed, it outlives files
 * @minor:	SIM_FILE_CDEV: which cdev it was opened as: once the function is
 *		registered anew, this file is of one that is no more
 * @dev_id:	SIM_FILE_CDEV, bound: its id in the context; SIM_FILE_FAULTS:
 *		the queue's
 * @next:	In sim.files
 */
struct sim_file {
	struct sim *sim;
	enum sim_file_kind kind;
	ino_t inode;
	struct sim_context *context;
	struct sim_device *device;
	unsigned int minor;
	uint32_t dev_id;
	struct sim_file *next;
};

/* sim_open_iommufd() - open(2) of /dev/iommu. -ENOENT: not in this kernel. */
int sim_open_iommufd(struct sim *sim, struct sim_file **ret);

/* sim_open_cdev() - open(2) of the function's cdev. -ENOENT; -ENODEV. */
int sim_open_cdev(struct sim *sim, const char *bdf, struct sim_file **ret);

/* sim_open_faults() - The descriptor of a fault queue. -ENOMEM. */
int sim_open_faults(struct sim_context *context, uint32_t id,
		    struct sim_file **ret);

/* sim_close() - The last close. Return: NULL. */
struct sim_file *sim_close(struct sim_file *file);

/**
 * sim_ioctl() - ioctl(2)
 * @request:	A number of uapi.h
 * @arg:	Address in the caller
 *
 * Return: 0 or positive as the kernel does; -errno, -ENOTTY for what there is
 * not.
 */
long sim_ioctl(struct sim_file *file, const struct sim_caller *caller,
	       unsigned long request, uint64_t arg);

/* sim_pread() - pread(2) of a cdev's regions into the caller's memory; read(2)
 * of a fault queue.
 */
ssize_t sim_pread(struct sim_file *file, const struct sim_caller *caller,
		  uint64_t buf, size_t size, uint64_t at);

ssize_t sim_pwrite(struct sim_file *file, const struct sim_caller *caller,
		   uint64_t buf, size_t size, uint64_t at);

/* sim_copy_in() - Read the caller's memory. Return: 0; -EFAULT. */
int sim_copy_in(const struct sim_caller *caller, void *to, uint64_t from,
		size_t size);
int sim_copy_out(const struct sim_caller *caller, uint64_t to,
		 const void *from, size_t size);

/**
 * sim_caller_fd() - A copy of a descriptor of the caller's
 * @fd:		Its number there
 * @ret_fd:	Ours
 *
 * Return: 0; -EBADF; -EPERM if we may not look into the process.
 */
int sim_caller_fd(const struct sim_caller *caller, int fd, int *ret_fd);

/* sim_caller_file() - The file behind a descriptor of the caller's. Return: 0;
 * -EBADF if it is no descriptor; -EINVAL if it is none of this machine's.
 */
int sim_caller_file(struct sim *sim, const struct sim_caller *caller, int fd,
		    struct sim_file **ret);

/* --- for tests --- */

/**
 * sim_poke() - Do something to the machine that no client can do
 * @command:	A line of words, see poke.c; "help" lists them
 * @ret_text:	What it answers, lines of text, or empty; to be freed
 *
 * May wait.
 *
 * Return: 0; -EINVAL request.invalid with what there is; others as the call.
 */
int sim_poke(struct sim *sim, const char *command, char **ret_text,
	     struct error *err);

/**
 * sim_state() - All that a test could find changed, as text, a line each
 * @ret:	To be freed
 *
 * Devices with driver, override, cdev, files and what they are bound to;
 * contexts with their objects and mappings; pinned memory.
 *
 * Return: 0 or -ENOMEM.
 */
int sim_state(struct sim *sim, char **ret);

#endif
