/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.h - the words for what the kernel refuses of mappings and spaces
 *
 * The kernel gives an errno for several reasons each. Which one it was is found
 * out afterwards, by further calls, and only for who wants to know: with @err
 * NULL each of these returns at once.
 */
#ifndef LIBIOASID_EXPLAIN_H
#define LIBIOASID_EXPLAIN_H

#include "libioasid/ioasid.h"

struct uapi_hwpt_alloc;
struct uapi_hwpt_invalidate;
struct uapi_vdevice_alloc;
struct uapi_viommu_alloc;

/* What is mapped. */
enum source {
	SOURCE_MEMORY,
	SOURCE_FILE,
	SOURCE_SPACE,
};

/**
 * struct wish - A mapping that the kernel refused
 * @iommufd:	The context
 * @ioas:	Id of the space
 * @source:	What @at and @from are
 * @from:	SOURCE_FILE: the descriptor; SOURCE_SPACE: id of the space
 * @at:		Address in the process, offset, address in the space
 * @iova:	Where to, with IOASID_MAP_FIXED
 * @length:	Bytes
 * @flags:	IOASID_MAP_*
 */
struct wish {
	int iommufd;
	uint32_t ioas;
	enum source source;
	uint32_t from;
	uint64_t at;
	uint64_t iova;
	uint64_t length;
	uint32_t flags;
};

/**
 * explain_map() - Why a mapping was refused
 * @error:	errno of it
 *
 * Return: -@error.
 */
int explain_map(int error, const struct wish *wish, struct ioasid_error *err)
	__attribute__((cold));

/* explain_unmap() - Why mappings in a range could not be ended, likewise. */
int explain_unmap(int error, int iommufd, uint32_t ioas, uint64_t iova,
		  uint64_t length, struct ioasid_error *err)
	__attribute__((cold));

/**
 * explain_allow() - Why a space cannot have windows
 * @windows:	@n of them
 *
 * Return: -@error.
 */
int explain_allow(int error, int iommufd, uint32_t ioas,
		  const struct ioasid_range *windows, size_t n,
		  struct ioasid_error *err) __attribute__((cold));

/**
 * explain_object() - Why a call on an object was refused
 * @call:	Name of the kernel's call
 * @kind:	What it should have been: "space", "device", "object"
 * @id:		Its id
 *
 * Return: -@error.
 */
int explain_object(int error, const char *call, int iommufd, const char *kind,
		   uint32_t id, struct ioasid_error *err)
	__attribute__((cold));

/**
 * explain_attach() - Why a device, or a page table, cannot use a space
 * @fd:		What the call was on
 * @what:	What that should have been: "a VFIO device"
 * @id:		Of the space
 *
 * Return: -@error.
 */
int explain_attach(int error, const char *call, int fd, const char *what,
		   uint32_t id, struct ioasid_error *err)
	__attribute__((cold));

/* explain_pin() - Why no page table can be made for a space, likewise. */
int explain_pin(int error, int iommufd, uint32_t ioas, uint32_t device,
		struct ioasid_error *err) __attribute__((cold));

/* --- explain-table.c: each with the structure as it was sent ------------- */

/* explain_table() - Why a page table cannot be made. Return: -@error. */
int explain_table(int error, int iommufd, const struct uapi_hwpt_alloc *alloc,
		  struct ioasid_error *err) __attribute__((cold));

/* explain_invalidate() - Why an entry was refused; @invalidate->entry_num is how
 * many were done. Return: -@error.
 */
int explain_invalidate(int error, int iommufd,
		       const struct uapi_hwpt_invalidate *invalidate,
		       struct ioasid_error *err) __attribute__((cold));

/* explain_dirty() - Why it cannot be told what was written. Return: -@error. */
int explain_dirty(int error, const char *call, int iommufd, uint32_t table,
		  struct ioasid_error *err) __attribute__((cold));

/* explain_fault() - Why faults cannot be read, or not be answered. @call: "read"
 * or "write". Return: -@error.
 */
int explain_fault(int error, const char *call, int fd, uint32_t cookie,
		  struct ioasid_error *err) __attribute__((cold));

/* explain_viommu() - Why there is no such vIOMMU. Return: -@error. */
int explain_viommu(int error, int iommufd,
		   const struct uapi_viommu_alloc *alloc,
		   struct ioasid_error *err) __attribute__((cold));

/* explain_vdevice() - Why a device has no such number. Return: -@error. */
int explain_vdevice(int error, int iommufd,
		    const struct uapi_vdevice_alloc *alloc,
		    struct ioasid_error *err) __attribute__((cold));

/* explain_pasid() - Why a PASID cannot be on a page table. Return: -@error. */
int explain_pasid(int error, const char *call, int cdev, uint32_t pasid,
		  uint32_t table, struct ioasid_error *err)
	__attribute__((cold));

/**
 * explain_descriptor() - What all calls on a descriptor can be refused for
 * @fd:		It
 * @what:	What it should have been: "an iommufd"
 *
 * Return: true if it was such a reason, and @err is filled.
 */
bool explain_descriptor(int error, const char *call, int fd, const char *what,
			struct ioasid_error *err) __attribute__((cold));

#endif
