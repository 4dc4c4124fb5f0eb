/* SPDX-License-Identifier: Apache-2.0
 *
 * object.h - contexts of the simulated machine, and what is in them
 *
 * An object is in its context under its id from the moment that nothing can
 * fail any more. Who uses it is counted; one that is used is not destroyed.
 */
#ifndef IOASIDD_KERNEL_SIM_OBJECT_H
#define IOASIDD_KERNEL_SIM_OBJECT_H

#include "kernel/sim/ioas.h"
#include "kernel/sim/iommufd.h"

enum sim_object_kind {
	SIM_OBJECT_SPACE,
	SIM_OBJECT_TABLE,	/* that translates a space */
	SIM_OBJECT_NESTED,	/* on another table */
	SIM_OBJECT_DEVICE,
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

/**
 * struct sim_table - A page table; used by attachments and those nested on it
 * @space:	What it translates; of a nested one that of its parent
 * @parent:	Of a nested one; NULL
 * @iommu:	What it was made for; NULL for a device without
 * @automatic:	Made by an attach to a space: ends with its last attachment
 * @nest_parent: Others may be nested on it
 * @pasid:	PASIDs may be attached to it, and beside it
 * @installed:	It translates @space
 */
struct sim_table {
	struct sim_object object;
	struct sim_space *space;
	struct sim_table *parent;
	struct sim_iommu *iommu;
	bool automatic, nest_parent, pasid, installed;
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
 * @attachments: @n of them, one for each PASID at most
 */
struct sim_bound {
	struct sim_object object;
	struct sim_device *device;
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

/* --- attach.c --- */

/* sim_attachment_find() - Return: NULL if that part is not attached. */
struct sim_attachment *sim_attachment_find(const struct sim_bound *bound,
					   uint32_t pasid);

#endif
