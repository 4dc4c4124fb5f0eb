/* SPDX-License-Identifier: Apache-2.0
 *
 * type1.h - VFIO containers and groups: what there was before iommufd
 *
 * DOC: Theory of Operation
 *
 * A container is an address space, a group is what is put into it as a whole,
 * and a device comes out of its group. A group can be open once on the whole
 * host, and a device's descriptor holds on to its group's: so it is free again
 * when both are closed, in whichever order. A container lives as long as it is
 * open or has a group; when the last group leaves, all its mappings end.
 *
 * To open the first descriptor of a device resets it, as BIND does with iommufd.
 * Closing the last one takes the bus from it and resets it again.
 *
 * Once all devices of a group are off VFIO, an open descriptor of that group is
 * worth nothing any more, whoever has it; an unbind does not wait for it. But as
 * long as one sibling stays, the descriptor lives, and nobody else can open the
 * group: what is then held shows by EBUSY here, even if no process shows it.
 *
 * iommufd can imitate containers (CONFIG_IOMMUFD_VFIO_CONTAINER). What it
 * imitates is an iommufd: it has neither dirty tracking nor entries to count, and
 * who wants that has /dev/iommu. It is not taken for a container here.
 */
#ifndef IOASIDD_KERNEL_TYPE1_H
#define IOASIDD_KERNEL_TYPE1_H

#include "kernel/kernel.h"

/**
 * type1_detect() - Which backend do containers offer?
 * @path:	Where they are opened, "/dev/vfio/vfio"; that loads VFIO's modules
 *
 * Return: KERNEL_BACKEND_TYPE1, KERNEL_BACKEND_SPAPR or KERNEL_BACKEND_NONE.
 */
enum kernel_backend type1_detect(const char *path);

/**
 * type1_open() - Make a container
 * @path:	"/dev/vfio/vfio"
 * @ret_fd:	The container, without groups
 * @err:	Filled on failure
 *
 * Return: 0; -ENOENT, kernel.no-container, also if it is an iommufd; open(2)
 * errors.
 */
int type1_open(const char *path, int *ret_fd, struct error *err);

/**
 * type1_group_open() - Open a group
 * @sysfs:	An open sysfs
 * @proc:	An open procfs, to find out who has it
 * @folder:	Where the nodes are, "/dev/vfio"
 * @group:	Its number
 * @ret_fd:	The group, in no container
 * @err:	Filled on failure
 *
 * sysfs says which device number is the group's, and is asked again afterwards:
 * a number is used anew when a group has left VFIO.
 *
 * Return: 0; -ENOENT, kernel.no-group; -EBUSY, device.held, with a cause for
 * each process that has it or a device of it open; -ESTALE if it is not the same
 * one any more; open(2) errors.
 */
int type1_group_open(int sysfs, int proc, const char *folder, int group,
		     int *ret_fd, struct error *err);

/**
 * type1_attach() - Put a group into a container
 * @sysfs:	An open sysfs, to find out why not
 * @proc:	An open procfs, likewise
 * @container:	The container
 * @group:	The group, open and in no container
 * @number:	Its number
 * @err:	Filled on failure; the group is in no container then
 *
 * Source: VFIO_GROUP_GET_STATUS, VFIO_GROUP_SET_CONTAINER, and with the first
 * group VFIO_SET_IOMMU: VFIO_TYPE1v2_IOMMU or VFIO_SPAPR_TCE_v2_IOMMU, whichever
 * there is.
 *
 * Return: 0; -EPERM as of blame_permission(); -EINVAL if it is in a container
 * already, or if a mapping lies where a device of it reserves; others unchanged.
 */
int type1_attach(int sysfs, int proc, int container, int group, int number,
		 struct error *err);

/**
 * type1_info() - Ask what a container can do
 * @container:	With a group in it
 * @ret:	@ranges is to be freed
 * @err:	Filled on failure
 *
 * Source: VFIO_IOMMU_GET_INFO. The kernel says how much room it wants, and is
 * asked again with that.
 *
 * Return: 0; -EINVAL without a group; -EPROTO if the answer is not understood;
 * -EAGAIN if it grows with each call; -ENOMEM; others unchanged.
 */
int type1_info(int container, struct kernel_container_info *ret,
	       struct error *err);

/**
 * type1_parse_info() - Read what VFIO_IOMMU_GET_INFO has answered
 * @answer:	struct uapi_iommu_type1_info with what follows
 * @size:	Its length, bytes
 * @ret:	@ranges is to be freed
 *
 * Return: 0; -EPROTO if it cannot be: a capability outside of it, or twice, or a
 * list that does not end; -ENOMEM.
 */
int type1_parse_info(const void *answer, size_t size,
		     struct kernel_container_info *ret);

/**
 * type1_device() - Have a device of a group
 * @group:	In a container
 * @bdf:	The device
 * @ret_fd:	The device
 * @err:	Filled on failure
 *
 * Source: VFIO_GROUP_GET_DEVICE_FD. The function is reset if a reset works.
 *
 * Return: 0; -ENODEV if it is not in the group, or not with VFIO; -EINVAL if the
 * group is in no container; -EAGAIN if somebody else has the function's lock
 * just now; others unchanged. All these are device.unusable.
 */
int type1_device(int group, const char *bdf, int *ret_fd, struct error *err);

/**
 * type1_unmap_all() - End all mappings of a container, whoever has made them
 * @sysfs:	An open sysfs, for how many mappings there can be
 * @container:	With a group in it
 * @ret_bytes:	How much was unmapped
 * @err:	Filled on failure
 *
 * Source: VFIO_IOMMU_UNMAP_DMA with VFIO_DMA_UNMAP_FLAG_ALL. Older kernels end
 * what the calling process has mapped, and say nothing of the rest [read in 7.3,
 * which has no such check]. So the entries that are left are counted: all of
 * dma_entry_limit, a parameter of vfio_iommu_type1, as it was when the container
 * was made. If somebody has changed it since then that is not to be told from
 * mappings that are left.
 *
 * Return: 0; -EPERM if there are mappings left, or it cannot be told; -EOPNOTSUPP
 * before Linux 5.12; others unchanged.
 */
int type1_unmap_all(int sysfs, int container, uint64_t *ret_bytes,
		    struct error *err);

/**
 * type1_is() - Is it a descriptor of that function?
 * @sysfs, @proc: Open
 * @fd:		A VFIO device of something
 * @bdf:	Of what it is to be
 * @err:	Filled on failure
 *
 * By vfio-device-syspath in fdinfo; before Linux 6.17 by vendor and device id, so
 * that two of one kind cannot be told from each other.
 *
 * Return: 0; -ESTALE if it is of another one; -errno.
 */
int type1_is(int sysfs, int proc, int fd, const char *bdf, struct error *err);

#endif
