/* SPDX-License-Identifier: Apache-2.0
 *
 * object.h - contexts of the simulated machine, and what is in them
 *
 * An object is in its context under its id from the moment that nothing can
 * fail any more. Who uses it is counted; one that is used is not destroyed.
 */
#ifndef IOASIDD_KERNEL_SIM_OBJECT_H
#define IOASIDD_KERNEL_SIM_OBJECT_H

#include "base/uapi.h"
#include "kernel/sim/ioas.h"
#include "kernel/sim/iommufd.h"

enum sim_object_kind {
	SIM_OBJECT_SPACE,
	SIM_OBJECT_TABLE,	/* that translates a space */
	SIM_OBJECT_NESTED,	/* on another table */
	SIM_OBJECT_DEVICE,
	SIM_OBJECT_FAULTS,	/* a queue of page faults */
	SIM_OBJECT_VIOMMU,
	SIM_OBJECT_VDEVICE,
	SIM_OBJECT_GONE,	/* nothing, but its id is not free */
};

/**
 * struct sim_object - What all kinds begin with
 * @users:	Objects and attachments that need it
 */
struct sim_object {
	uint32_t id;
	enum sim_object_kind kind;
	unsigned int users;
};

/* struct sim_space - An I/O address space; used by its page tables. */
struct sim_space {
	struct sim_object object;
	struct sim_ioas ioas;
};

/* struct sim_faults - A queue; used by its descriptor and page tables. */
struct sim_faults {
	struct sim_object object;
};

/**
 * struct sim_viommu - A guest's share of an IOMMU; used by what is in it
 * @parent:	What a guest's page tables are nested on
 */
struct sim_viommu {
	struct sim_object object;
	struct sim_iommu *iommu;
	struct sim_table *parent;
};

struct sim_bound;

/**
 * struct sim_vdevice - What a guest calls a device
 * @virt_id:	The guest's number
 */
struct sim_vdevice {
	struct sim_object object;
	struct sim_viommu *viommu;
	struct sim_bound *bound;
	uint64_t virt_id;
};

/**
 * struct sim_table - A page table; used by attachments and those nested on it
 * @space:	What it translates; of a nested one that of its parent
 * @parent:	Of a nested one; NULL
 * @viommu:	Of one that is nested by way of a vIOMMU; NULL
 * @faults:	Where faults of its devices go; NULL
 * @iommu:	What it was made for; NULL for a device without
 * @automatic:	Made by an attach to a space: ends with its last attachment
 * @nest_parent: Others may be nested on it
 * @pasid:	PASIDs may be attached to it, and beside it
 * @needs_vdevice: The guest has to have a name for its devices
 * @installed:	It translates @space
 * @dirty_tracking: What devices write can be watched
 * @watched:	It is
 * @dirty:	Addresses of pages that were written, sorted; @n_dirty of them
 */
struct sim_table {
	struct sim_object object;
	struct sim_space *space;
	struct sim_table *parent;
	struct sim_viommu *viommu;
	struct sim_faults *faults;
	struct sim_iommu *iommu;
	bool automatic, nest_parent, pasid, needs_vdevice, installed;
	bool dirty_tracking, watched;
	uint64_t *dirty;
	size_t n_dirty;
};

/**
 * struct sim_attachment - A device, or one PASID of it, on a page table
 * @pasid:	SIM_NO_PASID, or which
 */
struct sim_attachment {
	uint32_t pasid;
	struct sim_table *table;
};

/**
 * struct sim_bound - A bound device
 * @vdevice:	What a guest calls it; NULL
 * @attachments: @n of them, one for each PASID at most
 */
struct sim_bound {
	struct sim_object object;
	struct sim_device *device;
	struct sim_vdevice *vdevice;
	struct sim_attachment *attachments;
	size_t n;
};

/**
 * struct sim_context - An open iommufd
 * @refs:	See sim_context_ref()
 * @per_process: IOMMU_OPTION_RLIMIT_MODE is 1
 * @objects:	Sorted by id; @n_objects of them
 */
struct sim_context {
	struct sim *sim;
	unsigned int refs;
	bool per_process;
	uint32_t highest_id;
	struct sim_object **objects;
	size_t n_objects;
};

/* sim_object_find() - Return: NULL if there is none of that id. */
struct sim_object *sim_object_find(const struct sim_context *context,
				   uint32_t id);

/* sim_object_get() - One of a kind. Return: 0; -ENOENT. */
int sim_object_get(const struct sim_context *context, uint32_t id,
		   enum sim_object_kind kind, void *ret);

/* sim_object_add() - Give it an id and put it in. Return: 0 or -ENOMEM. */
int sim_object_add(struct sim_context *context, struct sim_object *object);

/* sim_object_end() - Take an object that nobody uses out, and free it. */
void sim_object_end(struct sim_context *context, struct sim_object *object);

/* --- space.c --- */

/* sim_space_unmap() - End all mappings of areas [at, at + n). */
void sim_space_unmap(struct sim_space *space, size_t at, size_t n);

/* sim_space_pin() - Pin what areas [at, at + n) map. Return: 0; as
 * sim_memory_pin(): then nothing of them is.
 */
int sim_space_pin(struct sim_space *space, size_t at, size_t n);

/* sim_space_unpin() - Undo it. */
void sim_space_unpin(struct sim_space *space, size_t at, size_t n);

/* The calls: @cmd is uapi.h's structure, whole. Each returns 0 or -errno. */
int sim_ioas_alloc(struct sim_context *context, const struct sim_caller *caller,
		   void *cmd);
int sim_ioas_iova_ranges(struct sim_context *context,
			 const struct sim_caller *caller, void *cmd);
int sim_ioas_allow_iovas(struct sim_context *context,
			 const struct sim_caller *caller, void *cmd);
int sim_ioas_unmap(struct sim_context *context, const struct sim_caller *caller,
		   void *cmd);

/* --- map.c --- */

int sim_ioas_map(struct sim_context *context, const struct sim_caller *caller,
		 void *cmd);
int sim_ioas_map_file(struct sim_context *context,
		      const struct sim_caller *caller, void *cmd);
int sim_ioas_copy(struct sim_context *context, const struct sim_caller *caller,
		  void *cmd);

/* --- table.c --- */

/**
 * sim_table_new() - Make a page table and put it in its context
 * @space:	What it is to translate; it does not yet
 * @bound:	The device it is made for
 *
 * Return: 0 or -ENOMEM.
 */
int sim_table_new(struct sim_context *context, struct sim_space *space,
		  const struct sim_bound *bound, struct sim_table **ret);

/**
 * sim_table_install() - From now on it translates its space
 *
 * Return: 0; as sim_ioas_add_table(), sim_space_pin().
 */
int sim_table_install(struct sim_table *table);

/* sim_table_free() - For sim_object_end(). */
void sim_table_free(struct sim_table *table);

int sim_hwpt_alloc(struct sim_context *context, const struct sim_caller *caller,
		   void *cmd);
int sim_get_hw_info(struct sim_context *context,
		    const struct sim_caller *caller, void *cmd);

/* sim_table_iommu() - The translation unit of a device; NULL for none. */
struct sim_iommu *sim_table_iommu(const struct sim_bound *bound);

/* --- nested.c --- */

/**
 * sim_nested_alloc() - IOMMU_HWPT_ALLOC of a guest's page table
 * @on:		The page table, or vIOMMU, that it is nested on
 * @cmd:	The call
 *
 * Return: 0 or -errno.
 */
int sim_nested_alloc(struct sim_context *context,
		     const struct sim_caller *caller, struct sim_object *on,
		     const struct sim_bound *bound,
		     const struct uapi_hwpt_alloc *cmd,
		     struct sim_table **ret);

int sim_hwpt_invalidate(struct sim_context *context,
			const struct sim_caller *caller, void *cmd);

/* --- viommu.c --- */

/* sim_viommu_find() - The device of a guest's number; NULL for none. */
struct sim_vdevice *sim_viommu_find(const struct sim_context *context,
				    const struct sim_viommu *viommu,
				    uint64_t virt_id);

/* sim_viommu_free(), sim_vdevice_free() - For sim_object_end(). */
void sim_viommu_free(struct sim_viommu *viommu);
void sim_vdevice_free(struct sim_vdevice *vdevice);

/* sim_vdevice_lost() - Its device is closed: it ends, and its id stays taken
 * as long as the context is there.
 */
void sim_vdevice_lost(struct sim_vdevice *vdevice);

int sim_viommu_alloc(struct sim_context *context,
		     const struct sim_caller *caller, void *cmd);
int sim_vdevice_alloc(struct sim_context *context,
		      const struct sim_caller *caller, void *cmd);

/* --- faults.c --- */

int sim_fault_queue_alloc(struct sim_context *context,
			  const struct sim_caller *caller, void *cmd);

/* --- dirty.c --- */

/* sim_dirty_mark() - A device has written to a page. -ENOMEM: then it cannot. */
int sim_dirty_mark(struct sim_table *table, uint64_t iova);

/* sim_dirty_forget() - What is in [@iova, @last] was not written. */
void sim_dirty_forget(struct sim_table *table, uint64_t iova, uint64_t last);

int sim_hwpt_set_dirty(struct sim_context *context,
		       const struct sim_caller *caller, void *cmd);
int sim_hwpt_get_dirty(struct sim_context *context,
		       const struct sim_caller *caller, void *cmd);

/* --- attach.c --- */

/* sim_attachment_find() - Return: NULL if that part is not attached. */
struct sim_attachment *sim_attachment_find(const struct sim_bound *bound,
					   uint32_t pasid);

#endif
