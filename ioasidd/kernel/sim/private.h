/* SPDX-License-Identifier: Apache-2.0
 *
 * private.h - what the parts of client.h share
 *
 *	client.c	the machine found or started; the table
 *	client-view.c	what there is, and who has it open
 *	client-driver.c	calls that may not come back
 *	client-pagetable.c	page tables
 */
#ifndef IOASIDD_KERNEL_SIM_PRIVATE_H
#define IOASIDD_KERNEL_SIM_PRIVATE_H

#include "kernel/sim/control.h"

/**
 * struct client - The machine; nothing in it changes after kernel_sim_new()
 * @kernel:	What callers see
 * @dir:	State folder
 * @proc:	An open procfs
 * @present:	The connection that says that we need the machine
 * @hello:	What it says of itself
 */
struct client {
	struct kernel kernel;
	int dir, proc;
	int present;
	struct control_hello hello;
};

/* client_of() - The machine behind what callers see */
static inline struct client *client_of(struct kernel *k)
{
	return (struct client *)k; /* it is the first member */
}

/* client_no_answer() - The machine does not answer. Return: @r. */
int client_no_answer(int r, struct error *err);

/* client_not_found() - There is no such function. Return: -ENODEV. */
int client_not_found(const char *bdf, struct error *err);

/**
 * client_ask() - Ask the machine something that it answers at once
 * @k:		The machine
 * @op:		What
 * @request:	With what
 * @ret:	The answer; its @result is the caller's to look at
 * @ret_fd:	See link_receive()
 *
 * Return: 0; -errno if there is no answer.
 */
int client_ask(struct kernel *k, enum control_op op,
	       struct control_request *request, struct control_reply *ret,
	       int *ret_fd, struct error *err);

/**
 * client_ask_about() - Ask the machine about a function
 * @bdf:	The function
 *
 * The rest as in client_ask().
 *
 * Return: 0; -ENODEV, device.not-found; -errno if there is no answer.
 */
int client_ask_about(struct kernel *k, enum control_op op, const char *bdf,
		     struct control_reply *ret, int *ret_fd, struct error *err);

/**
 * client_find_holders() - Which processes have a function's cdev open?
 * @k:		The machine
 * @dev:	The function; for its names only
 * @found:	A filled error: each process is added as a cause
 *
 * Return: how many; -errno.
 */
int client_find_holders(struct kernel *k, const struct kernel_device *dev,
			struct error *found, struct error *err);

/* --- of the table; each as in struct kernel_ops --- */

/* client_backend() - What it has: iommufd, or nothing */
enum kernel_backend client_backend(struct kernel *k);

int client_inventory(struct kernel *k, struct kernel_inventory **ret,
		     struct error *err);
int client_device(struct kernel *k, const char *bdf,
		  struct kernel_device *ret, struct error *err);
int client_device_users(struct kernel *k, const char *bdf,
			struct error *err);
int client_cdev_holders(struct kernel *k, const char *bdf, struct error *err);

int client_get_override(struct kernel *k, const char *bdf,
			unsigned int timeout_ms, char ret[DRIVER_SIZE],
			struct kernel_stuck *ret_stuck, struct error *err);
int client_set_override(struct kernel *k, const char *bdf, const char *driver,
			unsigned int timeout_ms,
			struct kernel_stuck *ret_stuck, struct error *err);
int client_unbind(struct kernel *k, const char *bdf, unsigned int timeout_ms,
		  struct kernel_stuck *ret_stuck, struct error *err);
int client_probe(struct kernel *k, const char *bdf, unsigned int timeout_ms,
		 struct kernel_stuck *ret_stuck, struct error *err);
int client_mend_config(struct kernel *k, const char *bdf,
		       unsigned int timeout_ms, bool *ret_mended,
		       struct kernel_stuck *ret_stuck, struct error *err);
int client_wait_earlier(struct kernel *k, const char *bdf,
			unsigned int timeout_ms,
			struct kernel_stuck *ret_stuck, struct error *err);
bool client_stuck_ended(struct kernel *k, const struct kernel_stuck *stuck);

int client_hwpt_alloc(struct kernel *k, int iommufd,
		      const struct kernel_hwpt *wish, uint32_t *ret_id,
		      struct error *err);
int client_hwpt_invalidate(struct kernel *k, int iommufd, uint32_t hwpt_id,
			   uint32_t data_type, const void *entries,
			   uint32_t entry_len, uint32_t *inout_n,
			   struct error *err);
int client_hwpt_set_dirty(struct kernel *k, int iommufd, uint32_t hwpt_id,
			  bool on, struct error *err);
int client_hwpt_get_dirty(struct kernel *k, int iommufd, uint32_t hwpt_id,
			  uint64_t iova, uint64_t length, uint64_t page_size,
			  bool keep, uint64_t *bitmap, struct error *err);
int client_fault_queue_alloc(struct kernel *k, int iommufd, uint32_t *ret_id,
			     int *ret_fd, struct error *err);
int client_viommu_alloc(struct kernel *k, int iommufd, uint32_t type,
			uint32_t dev_id, uint32_t hwpt_id, uint32_t *ret_id,
			struct error *err);
int client_vdevice_alloc(struct kernel *k, int iommufd, uint32_t viommu_id,
			 uint32_t dev_id, uint64_t virt_id, uint32_t *ret_id,
			 struct error *err);
int client_vfio_attach_pasid(struct kernel *k, int cdev, uint32_t pasid,
			     uint32_t pt_id, uint32_t *ret_pt_id,
			     struct error *err);
int client_vfio_detach_pasid(struct kernel *k, int cdev, uint32_t pasid,
			     struct error *err);

#endif
