/* SPDX-License-Identifier: Apache-2.0
 *
 * ops.h - what can be asked of the host; one file each beside this
 *
 * All of these run on a worker, block while the kernel or the disk works, and
 * return 0 or -errno with @err filled. What they answer is durable. Who may ask
 * for what is decided here where it depends on the object, and in front/ where
 * it depends on the method alone; both by authorize.h.
 * A request id (empty for none) of an earlier request of the same caller is
 * answered with what that one made; request.id-reused if it was for something
 * else.
 */
#ifndef IOASIDD_OPS_OPS_H
#define IOASIDD_OPS_OPS_H

#include "ops/host.h"

/**
 * struct change - What every change has in common
 * @name:	Resource name of the object to change
 * @request_id:	The caller's; at most REQUEST_ID_MAX bytes; empty for none
 * @etag:	Go on only if the object's etag is this; empty for any
 * @dry_run:	Check everything, change nothing
 * @fingerprint: Of the request, if it has an id, see front/repeat.h
 */
struct change {
	const char *name;
	const char *request_id;
	const char *etag;
	bool dry_run;
	const char *fingerprint;
};

/**
 * struct prepare_options - How to prepare
 * @driver:			The VFIO driver; empty for vfio-pci
 * @force:			Although something uses the devices
 * @allow_no_reset:		Although no reset works
 * @allow_unsafe_interrupts:	Although interrupts are not isolated
 * @allow_no_iommu:		Although no IOMMU contains their DMA
 */
struct prepare_options {
	const char *driver;
	bool force;
	bool allow_no_reset;
	bool allow_unsafe_interrupts;
	bool allow_no_iommu;
};

/**
 * prepare_start() - Take a device's group to VFIO (Devices.PrepareDevice)
 * @ret:	Name of the operation, which goes on; on a dry run "" - there
 *		is none
 *
 * Return: 0 when the operation is journalled and running, or there is nothing
 * to do (an operation that is done says so); else as in device.proto.
 */
int prepare_start(struct host *host, const struct caller *caller,
		  const struct change *change,
		  const struct prepare_options *options, char ret[NAME_SIZE],
		  struct error *err);

/* restore_start() - Give a group back to its drivers (RestoreDevice). */
int restore_start(struct host *host, const struct caller *caller,
		  const struct change *change, char ret[NAME_SIZE],
		  struct error *err);

/* recover_start() - Out of quarantine (RecoverDevice). */
int recover_start(struct host *host, const struct caller *caller,
		  const struct change *change, char ret[NAME_SIZE],
		  struct error *err);

/**
 * operation_cancel() - Ask an operation to stop (Operations.CancelOperation)
 *
 * From every thread; does not wait. Cancelling twice is the same as once.
 *
 * Return: 0; -ENOENT operation.not-found; -EINVAL operation.not-running,
 * operation.not-cancellable; -ESTALE request.etag-mismatch.
 */
int operation_cancel(struct host *host, const struct caller *caller,
		     const struct change *change, struct error *err);

/**
 * struct lease_terms - How an offer is to be made
 * @guest_memory:	Bytes; see lease_create()
 * @spaces:		If lease_is_kept(): what to make with it; @n_spaces of
 *			them
 * @dry_run:		Check everything, make nothing
 */
struct lease_terms {
	uint64_t guest_memory;
	const struct space_wish *spaces;
	size_t n_spaces;
	bool dry_run;
};

/**
 * lease_create() - Offer devices (Leases.CreateLease)
 * @offer:	devices, mode, claimant, labels, memlock, expires, restore_after,
 *		shared_uid, request_id, fingerprint and grace_ms filled; consumed in any
 *		case. Its memlock 0 means guest memory and 64 MiB.
 * @ret:	Name of the lease; "" on a dry run
 * @ret_dry:	On a dry run the lease that there would be; lease_free()
 */
int lease_create(struct host *host, const struct caller *caller,
		 struct lease *offer, const struct lease_terms *terms,
		 char ret[NAME_SIZE], struct lease **ret_dry,
		 struct error *err);

/* --- spaces of hold and guarded leases; errors as in space.proto --- */

/**
 * space_create() - Make a space (Spaces.CreateSpace)
 * @change:	Names the lease
 * @ret:	Name of the space; "" on a dry run
 * @ret_dry:	On a dry run the space that there would be; space_deinit()
 */
int space_create(struct host *host, const struct caller *caller,
		 const struct change *change, const struct space_wish *wish,
		 char ret[NAME_SIZE], struct space *ret_dry,
		 struct error *err);

/**
 * space_delete() - End a space (DeleteSpace)
 * @ret:	The space as it was; space_deinit()
 * @ret_lease:	The lease that had it
 */
int space_delete(struct host *host, const struct caller *caller,
		 const struct change *change, struct space *ret,
		 char ret_lease[NAME_SIZE], struct error *err);

/**
 * space_set_windows() - Change what a space promises (SetWindows)
 * @ret_dry:	On a dry run the space as it would be; space_deinit()
 */
int space_set_windows(struct host *host, const struct caller *caller,
		      const struct change *change,
		      const struct window_wish *wishes, size_t n,
		      struct space *ret_dry, struct error *err);

/* space_attach() - Put a device on a space, with its group (AttachDevice). */
int space_attach(struct host *host, const struct caller *caller,
		 const struct change *change, const char *device,
		 struct error *err);

/* space_detach() - Take one off, with its group (DetachDevice). */
int space_detach(struct host *host, const struct caller *caller,
		 const struct change *change, const char *device,
		 struct error *err);

/* --- page tables of hold leases; errors as in page_table.proto --- */

/**
 * page_table_create() - Make a page table (PageTables.CreatePageTable), or take
 *			 note of one (RegisterPageTable)
 * @change:	Names the lease
 * @wish:	What it is to be: all but names, ids of ours and times; with
 *		@registered its kernel_id. page_table_deinit() in any case; on a
 *		dry run it is the page table that there would be
 * @ret:	Name of the page table; "" on a dry run
 */
int page_table_create(struct host *host, const struct caller *caller,
		      const struct change *change, struct page_table *wish,
		      char ret[NAME_SIZE], struct error *err);

/**
 * page_table_delete() - End a page table (DeletePageTable)
 * @ret:	The page table as it was; page_table_deinit()
 * @ret_lease:	The lease that had it
 */
int page_table_delete(struct host *host, const struct caller *caller,
		      const struct change *change, struct page_table *ret,
		      char ret_lease[NAME_SIZE], struct error *err);

/* page_table_attach() - Put a device on a page table, with its group (BindDevice);
 * all its DMA, or that with a PASID.
 */
int page_table_attach(struct host *host, const struct caller *caller,
		      const struct change *change, const char *device,
		      uint32_t pasid, struct error *err);

/* page_table_detach() - Take one off, with its group (UnbindDevice). */
int page_table_detach(struct host *host, const struct caller *caller,
		      const struct change *change, const char *device,
		      uint32_t pasid, struct error *err);

/**
 * page_table_invalidate() - Drop what is remembered of it (InvalidatePageTable)
 * @data_type:	Of the entries
 * @entries:	Of @entry_size bytes each
 * @inout_n:	How many; how many were done, on failure too
 */
int page_table_invalidate(struct host *host, const struct caller *caller,
			  const struct change *change, uint32_t data_type,
			  const void *entries, uint32_t entry_size,
			  uint32_t *inout_n, struct error *err);

/* page_table_track() - Record what is written (SetDirtyTracking), or do not. */
int page_table_track(struct host *host, const struct caller *caller,
		     const struct change *change, bool on, struct error *err);

/**
 * struct dirty_range - What of the record is read
 * @iova:	From where, bytes
 * @length:	How much, bytes
 * @page_size:	What one bit stands for, bytes
 * @keep:	Clear nothing
 */
struct dirty_range {
	uint64_t iova, length, page_size;
	bool keep;
};

/**
 * page_table_read_dirty() - What was written (GetDirtyBitmap)
 * @bitmap:	Zeroes; a bit for each page of @range
 */
int page_table_read_dirty(struct host *host, const struct caller *caller,
			  const struct change *change,
			  const struct dirty_range *range, uint64_t *bitmap,
			  struct error *err);

/* page_table_open_faults() - A copy of the fault queue's descriptor, for the holder
 * (OpenFaultQueue).
 */
int page_table_open_faults(struct host *host, const struct caller *caller,
			   const struct change *change, int *ret_fd,
			   struct error *err);

/**
 * lease_claim() - Hand a lease's descriptors over (Leases.ClaimLease)
 * @token:	Of the lease: whoever has it may claim; empty to claim as whom it
 *		is addressed to
 * @own_nodes:	Of a lease with nodes: the caller has its own, see nodes.h
 * @send:	Sends the reply with the descriptors; called once, when the
 *		lease that names its holder is durable. It answers 0 or -errno
 *		of fd_send(), and does not take the descriptors over.
 * @data:	For @send
 *
 * On success, and on a dry run (@send not called), the reply has been, or is
 * to be, made of the lease in the registry.
 */
int lease_claim(struct host *host, const struct caller *caller,
		const struct change *change, const char *token, bool own_nodes,
		int (*send)(void *data, const struct lease *lease,
			    const int *fds, size_t n_fds),
		void *data, struct error *err);

/* lease_acknowledge() - The descriptors have arrived (AcknowledgeLease). */
int lease_acknowledge(struct host *host, const struct caller *caller,
		      const struct change *change, struct error *err);

/**
 * lease_reissue() - Give an offer a new token (ReissueToken)
 * @hash:	Of the token, 32 bytes
 * @expires_us:	When it is good no more; 0 for as long as the offer is
 *
 * What it had is burnt.
 */
int lease_reissue(struct host *host, const struct caller *caller,
		  const struct change *change, const uint8_t *hash,
		  uint64_t expires_us, struct error *err);

/* lease_release() - End a lease (ReleaseLease). */
int lease_release(struct host *host, const struct caller *caller,
		  const struct change *change, struct error *err);

/* etag_of() - An object's etag of its revision; at most 20 characters. */
void etag_of(uint64_t revision, char ret[24]);

#endif
