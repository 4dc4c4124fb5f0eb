/* SPDX-License-Identifier: Apache-2.0
 *
 * uapi.h - what we need of the interfaces of iommufd, VFIO and KVM, in our words
 *
 * DOC: Theory of Operation
 *
 * Distributions build us against headers that are older than the kernel we run
 * on, and some have no <linux/iommufd.h> at all. So the binary interface is
 * declared here: each structure under the name that the kernel gives it with
 * "uapi_" for "iommu_" or "vfio_", each constant with UAPI_ for IOMMU_ or
 * VFIO_, and before KVM's. It is declared up to the kernel named beside it; the kernel is told
 * our size in the first field and takes an older one. tests/unit/test-uapi.c
 * compares every size, offset and number with the newest kernel's headers.
 *
 * The interfaces are documented in the kernel's Documentation/userspace-api/
 * iommufd.rst and Documentation/driver-api/vfio.rst. "Since" is the release.
 */
#ifndef IOASIDD_BASE_UAPI_H
#define IOASIDD_BASE_UAPI_H

#include <stdint.h>
#include <sys/ioctl.h>

/* What the kernel leaves in its byte order (registers of an IOMMU, an edu
 * device's) and what we store or send is taken as little-endian in places;
 * nobody has looked at this on another machine.
 */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "ioasidd runs on little-endian machines only");

/* A 64-bit field is aligned to 8 bytes on 32-bit machines too. */
typedef uint64_t __attribute__((aligned(8))) uapi_u64;

/* --- iommufd: <linux/iommufd.h>, calls on an open /dev/iommu -------------- */

#define UAPI_IOMMUFD(nr) _IO(';', nr)

#define UAPI_DESTROY UAPI_IOMMUFD(0x80)		  /* since 6.2 */
#define UAPI_IOAS_ALLOC UAPI_IOMMUFD(0x81)	  /* since 6.2 */
#define UAPI_IOAS_ALLOW_IOVAS UAPI_IOMMUFD(0x82)  /* since 6.2 */
#define UAPI_IOAS_COPY UAPI_IOMMUFD(0x83)	  /* since 6.2 */
#define UAPI_IOAS_IOVA_RANGES UAPI_IOMMUFD(0x84)  /* since 6.2 */
#define UAPI_IOAS_MAP UAPI_IOMMUFD(0x85)	  /* since 6.2 */
#define UAPI_IOAS_UNMAP UAPI_IOMMUFD(0x86)	  /* since 6.2 */
#define UAPI_OPTION UAPI_IOMMUFD(0x87)		  /* since 6.2 */
#define UAPI_HWPT_ALLOC UAPI_IOMMUFD(0x89)	  /* since 6.6 */
#define UAPI_GET_HW_INFO UAPI_IOMMUFD(0x8a)	  /* since 6.6 */
#define UAPI_HWPT_SET_DIRTY_TRACKING UAPI_IOMMUFD(0x8b) /* since 6.7 */
#define UAPI_HWPT_GET_DIRTY_BITMAP UAPI_IOMMUFD(0x8c)	/* since 6.7 */
#define UAPI_HWPT_INVALIDATE UAPI_IOMMUFD(0x8d)	  /* since 6.8 */
#define UAPI_FAULT_QUEUE_ALLOC UAPI_IOMMUFD(0x8e) /* since 6.11 */
#define UAPI_IOAS_MAP_FILE UAPI_IOMMUFD(0x8f)	  /* since 6.13 */
#define UAPI_VIOMMU_ALLOC UAPI_IOMMUFD(0x90)	  /* since 6.13 */
#define UAPI_VDEVICE_ALLOC UAPI_IOMMUFD(0x91)	  /* since 6.13 */

/**
 * struct uapi_destroy - IOMMU_DESTROY: end an object
 * @size:	Of this structure, as in all that follow
 * @id:		Which
 *
 * EBUSY: something uses it. ENOENT: there is none.
 */
struct uapi_destroy {
	uint32_t size;
	uint32_t id;
};

/**
 * struct uapi_ioas_alloc - IOMMU_IOAS_ALLOC: make an I/O address space
 * @flags:	0
 * @out_ioas_id: Its id
 */
struct uapi_ioas_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t out_ioas_id;
};

/**
 * struct uapi_iova_range - A range of addresses
 * @start:	First, bytes
 * @last:	Last, inclusive
 */
struct uapi_iova_range {
	uapi_u64 start;
	uapi_u64 last;
};

/**
 * struct uapi_ioas_iova_ranges - IOMMU_IOAS_IOVA_RANGES: what can be mapped
 * @num_iovas:	Room in the array; the kernel says how many there are
 * @allowed_iovas: Address of an array of struct uapi_iova_range
 * @out_iova_alignment: What addresses have to be aligned to
 *
 * EMSGSIZE: there are more than room; @num_iovas says how many.
 */
struct uapi_ioas_iova_ranges {
	uint32_t size;
	uint32_t ioas_id;
	uint32_t num_iovas;
	uint32_t reserved;
	uapi_u64 allowed_iovas;
	uapi_u64 out_iova_alignment;
};

/**
 * struct uapi_ioas_allow_iovas - IOMMU_IOAS_ALLOW_IOVAS: ranges that every
 *				  attachment has to leave usable
 * @num_iovas:	How many; they replace those set before
 * @allowed_iovas: Address of an array of struct uapi_iova_range
 *
 * EADDRINUSE: a device that is attached reserves part of them.
 */
struct uapi_ioas_allow_iovas {
	uint32_t size;
	uint32_t ioas_id;
	uint32_t num_iovas;
	uint32_t reserved;
	uapi_u64 allowed_iovas;
};

/* enum iommufd_ioas_map_flags */
#define UAPI_IOAS_MAP_FIXED_IOVA (1U << 0)
#define UAPI_IOAS_MAP_WRITEABLE (1U << 1)
#define UAPI_IOAS_MAP_READABLE (1U << 2)

/**
 * struct uapi_ioas_map - IOMMU_IOAS_MAP: map memory of the calling process
 * @flags:	UAPI_IOAS_MAP_*
 * @user_va:	Where it is in the process
 * @length:	Bytes
 * @iova:	Where it shall be; without FIXED_IOVA where it came to be
 */
struct uapi_ioas_map {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	uint32_t reserved;
	uapi_u64 user_va;
	uapi_u64 length;
	uapi_u64 iova;
};

/**
 * struct uapi_ioas_map_file - IOMMU_IOAS_MAP_FILE: map pages of a memfd
 * @flags:	UAPI_IOAS_MAP_*
 * @fd:		Of shmem or hugetlbfs; its access mode is not looked at
 * @start:	Offset in it, bytes
 * @length:	Bytes
 * @iova:	As in struct uapi_ioas_map
 */
struct uapi_ioas_map_file {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	int32_t fd;
	uapi_u64 start;
	uapi_u64 length;
	uapi_u64 iova;
};

/**
 * struct uapi_ioas_copy - IOMMU_IOAS_COPY: map again what another space maps
 * @flags:	UAPI_IOAS_MAP_*
 * @length:	Bytes, within one mapping of the source
 */
struct uapi_ioas_copy {
	uint32_t size;
	uint32_t flags;
	uint32_t dst_ioas_id;
	uint32_t src_ioas_id;
	uapi_u64 length;
	uapi_u64 dst_iova;
	uapi_u64 src_iova;
};

/**
 * struct uapi_ioas_unmap - IOMMU_IOAS_UNMAP: end mappings, whole ones only
 * @iova:	From where; 0 with the longest @length ends all
 * @length:	Bytes; the kernel says how many were unmapped
 */
struct uapi_ioas_unmap {
	uint32_t size;
	uint32_t ioas_id;
	uapi_u64 iova;
	uapi_u64 length;
};

/* enum iommufd_option, enum iommufd_option_ops */
#define UAPI_OPTION_RLIMIT_MODE 0
#define UAPI_OPTION_HUGE_PAGES 1
#define UAPI_OPTION_OP_SET 0
#define UAPI_OPTION_OP_GET 1

/**
 * struct uapi_option - IOMMU_OPTION: read or set an option
 * @option_id:	UAPI_OPTION_*
 * @op:		UAPI_OPTION_OP_*
 * @object_id:	Of the object the option belongs to; 0 for the context
 * @val64:	The value
 *
 * RLIMIT_MODE: EBUSY once the context has an object; EPERM without
 * CAP_SYS_RESOURCE.
 */
struct uapi_option {
	uint32_t size;
	uint32_t option_id;
	uint16_t op;
	uint16_t reserved;
	uint32_t object_id;
	uapi_u64 val64;
};

/* enum iommufd_hwpt_alloc_flags */
#define UAPI_HWPT_ALLOC_NEST_PARENT (1U << 0)
#define UAPI_HWPT_ALLOC_DIRTY_TRACKING (1U << 1)
#define UAPI_HWPT_FAULT_ID_VALID (1U << 2)
#define UAPI_HWPT_ALLOC_PASID (1U << 3)

/* enum iommu_hwpt_data_type */
#define UAPI_HWPT_DATA_NONE 0
#define UAPI_HWPT_DATA_VTD_S1 1
#define UAPI_HWPT_DATA_ARM_SMMUV3 2
#define UAPI_HWPT_DATA_AMD_GUEST 3

/* enum iommu_hwpt_vtd_s1_flags: what a guest's page table may use */
#define UAPI_VTD_S1_SRE (1U << 0)
#define UAPI_VTD_S1_EAFE (1U << 1)
#define UAPI_VTD_S1_WPE (1U << 2)

/**
 * struct uapi_hwpt_vtd_s1 - What a page table of a guest with VT-d is
 * @flags:	UAPI_VTD_S1_*: supervisor requests, extended accessed flag,
 *		write protection
 * @pgtbl_addr:	Where it is in the parent's addresses
 * @addr_width:	Bits
 */
struct uapi_hwpt_vtd_s1 {
	uapi_u64 flags;
	uapi_u64 pgtbl_addr;
	uint32_t addr_width;
	uint32_t reserved;
};

/**
 * struct uapi_hwpt_arm_smmuv3 - What a page table of a guest with SMMUv3 is
 * @ste:	First half of its stream table entry, little-endian
 *
 * EIO: a field in it that a guest may not set.
 */
struct uapi_hwpt_arm_smmuv3 {
	uapi_u64 ste[2];
};

/**
 * struct uapi_hwpt_amd_guest - What a page table of a guest with AMD-Vi is
 * @dte:	Its device table entry
 */
struct uapi_hwpt_amd_guest {
	uapi_u64 dte[4];
};

/**
 * struct uapi_hwpt_alloc - IOMMU_HWPT_ALLOC: make a page table for a device
 * @flags:	UAPI_HWPT_*
 * @dev_id:	The device it has to suit
 * @pt_id:	The IOAS it translates, or the page table or vIOMMU it is
 *		nested on
 * @out_hwpt_id: Its id
 * @data_type:	What @data_uptr points to, enum iommu_hwpt_data_type
 * @fault_id:	With FAULT_ID_VALID, where faults go
 */
struct uapi_hwpt_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t dev_id;
	uint32_t pt_id;
	uint32_t out_hwpt_id;
	uint32_t reserved;
	uint32_t data_type;
	uint32_t data_len;
	uapi_u64 data_uptr;
	uint32_t fault_id;
	uint32_t reserved2;
};

/* enum iommu_hw_info_type */
#define UAPI_HW_INFO_TYPE_NONE 0
#define UAPI_HW_INFO_TYPE_INTEL_VTD 1
#define UAPI_HW_INFO_TYPE_ARM_SMMUV3 2
#define UAPI_HW_INFO_TYPE_TEGRA241_CMDQV 3
#define UAPI_HW_INFO_TYPE_AMD 4

/* enum iommufd_hw_info_flags */
#define UAPI_HW_INFO_FLAG_INPUT_TYPE (1U << 0)

/* enum iommufd_hw_capabilities */
#define UAPI_HW_CAP_DIRTY_TRACKING (1U << 0)
#define UAPI_HW_CAP_PCI_PASID_EXEC (1U << 1)
#define UAPI_HW_CAP_PCI_PASID_PRIV (1U << 2)
#define UAPI_HW_CAP_PCI_ATS_NOT_SUPPORTED (1U << 3)

/**
 * struct uapi_hw_info - IOMMU_GET_HW_INFO: what a device's IOMMU can do
 * @flags:	UAPI_HW_INFO_FLAG_*
 * @dev_id:	Of a bound device
 * @data_len:	Room at @data_uptr; the kernel says how much it has
 * @data_uptr:	Where the registers go
 * @out_data_type: UAPI_HW_INFO_TYPE_*; with the flag which one is asked for
 * @out_max_pasid_log2: Width of PASIDs (since 6.15)
 * @out_capabilities: UAPI_HW_CAP_* (since 6.7)
 */
struct uapi_hw_info {
	uint32_t size;
	uint32_t flags;
	uint32_t dev_id;
	uint32_t data_len;
	uapi_u64 data_uptr;
	uint32_t out_data_type;
	uint8_t out_max_pasid_log2;
	uint8_t reserved[3];
	uapi_u64 out_capabilities;
};

/* enum iommufd_hwpt_set_dirty_tracking_flags */
#define UAPI_HWPT_DIRTY_TRACKING_ENABLE 1

/**
 * struct uapi_hwpt_set_dirty_tracking - IOMMU_HWPT_SET_DIRTY_TRACKING
 * @flags:	UAPI_HWPT_DIRTY_TRACKING_ENABLE to begin, 0 to end
 * @hwpt_id:	A page table made with DIRTY_TRACKING
 *
 * EINVAL: it was made without.
 */
struct uapi_hwpt_set_dirty_tracking {
	uint32_t size;
	uint32_t flags;
	uint32_t hwpt_id;
	uint32_t reserved;
};

/* enum iommufd_hwpt_get_dirty_bitmap_flags */
#define UAPI_HWPT_GET_DIRTY_BITMAP_NO_CLEAR 1

/**
 * struct uapi_hwpt_get_dirty_bitmap - IOMMU_HWPT_GET_DIRTY_BITMAP: what was
 *				       written since the last time
 * @flags:	UAPI_HWPT_GET_DIRTY_BITMAP_*
 * @iova:	Of bit 0; a multiple of @page_size, as is @length
 * @length:	Bytes
 * @page_size:	What a bit stands for, bytes; a power of two
 * @data:	Address of the bits, 64 to a word. Set where something was
 *		written, never cleared: begin with zeros
 */
struct uapi_hwpt_get_dirty_bitmap {
	uint32_t size;
	uint32_t hwpt_id;
	uint32_t flags;
	uint32_t reserved;
	uapi_u64 iova;
	uapi_u64 length;
	uapi_u64 page_size;
	uapi_u64 data;
};

/* enum iommu_hwpt_invalidate_data_type */
#define UAPI_HWPT_INVALIDATE_DATA_VTD_S1 0
#define UAPI_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 1

/* enum iommu_hwpt_vtd_s1_invalidate_flags */
#define UAPI_VTD_INV_FLAGS_LEAF (1U << 0)

/**
 * struct uapi_hwpt_vtd_s1_invalidate - What a guest with VT-d has changed
 * @addr:	First address, a multiple of 4 KiB
 * @npages:	Of 4 KiB; all of the page table: @addr 0, UINT64_MAX
 * @flags:	UAPI_VTD_INV_FLAGS_*
 */
struct uapi_hwpt_vtd_s1_invalidate {
	uapi_u64 addr;
	uapi_u64 npages;
	uint32_t flags;
	uint32_t reserved;
};

/**
 * struct uapi_viommu_arm_smmuv3_invalidate - A command of a guest's SMMUv3
 * @cmd:	As in its command queue, little-endian
 */
struct uapi_viommu_arm_smmuv3_invalidate {
	uapi_u64 cmd[2];
};

/**
 * struct uapi_hwpt_invalidate - IOMMU_HWPT_INVALIDATE: a guest has changed its
 *				 page table
 * @hwpt_id:	A nested page table, or a vIOMMU
 * @data_uptr:	Address of an array of what is invalid
 * @data_type:	What that is, UAPI_*_INVALIDATE_DATA_*
 * @entry_len:	Of one of them, bytes
 * @entry_num:	How many; the kernel says how many were done, on failure too
 *
 * None: only whether the kernel knows @data_type.
 */
struct uapi_hwpt_invalidate {
	uint32_t size;
	uint32_t hwpt_id;
	uapi_u64 data_uptr;
	uint32_t data_type;
	uint32_t entry_len;
	uint32_t entry_num;
	uint32_t reserved;
};

/**
 * struct uapi_fault_alloc - IOMMU_FAULT_QUEUE_ALLOC: where page faults of
 *			     devices are read and answered
 * @flags:	0
 * @out_fault_id: Its id
 * @out_fault_fd: Read struct uapi_hwpt_pgfault from it, write struct
 *		uapi_hwpt_page_response to it. Close it before the object
 */
struct uapi_fault_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t out_fault_id;
	uint32_t out_fault_fd;
};

/* enum iommu_hwpt_pgfault_flags */
#define UAPI_PGFAULT_FLAGS_PASID_VALID (1U << 0)
#define UAPI_PGFAULT_FLAGS_LAST_PAGE (1U << 1)

/* enum iommu_hwpt_pgfault_perm */
#define UAPI_PGFAULT_PERM_READ (1U << 0)
#define UAPI_PGFAULT_PERM_WRITE (1U << 1)
#define UAPI_PGFAULT_PERM_EXEC (1U << 2)
#define UAPI_PGFAULT_PERM_PRIV (1U << 3)

/**
 * struct uapi_hwpt_pgfault - A device wants a page: read from a fault queue
 * @flags:	UAPI_PGFAULT_FLAGS_*
 * @dev_id:	Which device
 * @pasid:	With PASID_VALID, which of its
 * @grpid:	The device's number for the group of faults
 * @perm:	What it wants to do, UAPI_PGFAULT_PERM_*
 * @addr:	Where
 * @length:	How much it expects to want; 0 if it does not say
 * @cookie:	Of the last one of a group, what the answer has to name
 *
 * A read gives whole groups: with too little room none of one.
 */
struct uapi_hwpt_pgfault {
	uint32_t flags;
	uint32_t dev_id;
	uint32_t pasid;
	uint32_t grpid;
	uint32_t perm;
	uint32_t reserved;
	uapi_u64 addr;
	uint32_t length;
	uint32_t cookie;
};

/* enum iommufd_page_response_code */
#define UAPI_PAGE_RESP_SUCCESS 0
#define UAPI_PAGE_RESP_INVALID 1

/**
 * struct uapi_hwpt_page_response - The answer to a group of faults
 * @cookie:	Which
 * @code:	UAPI_PAGE_RESP_*: try again, or give up
 *
 * EINVAL: no group waits under that cookie.
 */
struct uapi_hwpt_page_response {
	uint32_t cookie;
	uint32_t code;
};

/* enum iommu_viommu_type */
#define UAPI_VIOMMU_TYPE_DEFAULT 0
#define UAPI_VIOMMU_TYPE_ARM_SMMUV3 1
#define UAPI_VIOMMU_TYPE_TEGRA241_CMDQV 2

/**
 * struct uapi_viommu_alloc - IOMMU_VIOMMU_ALLOC: a guest's share of an IOMMU
 * @flags:	0
 * @type:	UAPI_VIOMMU_TYPE_*
 * @dev_id:	A device behind that IOMMU
 * @hwpt_id:	A page table made with NEST_PARENT
 * @out_viommu_id: Its id
 * @data_len:	Of what the type wants; at @data_uptr (since 6.17). Behind what
 *		older kernels know, which take it as long as it is 0
 */
struct uapi_viommu_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t type;
	uint32_t dev_id;
	uint32_t hwpt_id;
	uint32_t out_viommu_id;
	uint32_t data_len;
	uint32_t reserved;
	uapi_u64 data_uptr;
};

/**
 * struct uapi_vdevice_alloc - IOMMU_VDEVICE_ALLOC: what a guest calls a device
 * @viommu_id:	The guest's IOMMU
 * @dev_id:	The device
 * @out_vdevice_id: Its id
 * @virt_id:	The guest's number for it there
 *
 * EEXIST: that number is another's.
 */
struct uapi_vdevice_alloc {
	uint32_t size;
	uint32_t viommu_id;
	uint32_t dev_id;
	uint32_t out_vdevice_id;
	uapi_u64 virt_id;
};

/* --- VFIO: <linux/vfio.h>, calls on a device's descriptor ----------------- */

#define UAPI_VFIO(nr) _IO(';', 100 + (nr))

#define UAPI_GET_API_VERSION UAPI_VFIO(0)	      /* on a container */
#define UAPI_CHECK_EXTENSION UAPI_VFIO(1)	      /* on a container */
#define UAPI_SET_IOMMU UAPI_VFIO(2)		      /* on a container */
#define UAPI_GROUP_GET_STATUS UAPI_VFIO(3)	      /* on a group */
#define UAPI_GROUP_SET_CONTAINER UAPI_VFIO(4)	      /* on a group */
#define UAPI_GROUP_UNSET_CONTAINER UAPI_VFIO(5)	      /* on a group */
#define UAPI_GROUP_GET_DEVICE_FD UAPI_VFIO(6)	      /* on a group */
#define UAPI_DEVICE_GET_INFO UAPI_VFIO(7)
#define UAPI_DEVICE_GET_REGION_INFO UAPI_VFIO(8)
#define UAPI_DEVICE_GET_IRQ_INFO UAPI_VFIO(9)
#define UAPI_DEVICE_SET_IRQS UAPI_VFIO(10)
#define UAPI_DEVICE_RESET UAPI_VFIO(11)		      /* no argument */
#define UAPI_DEVICE_GET_PCI_HOT_RESET_INFO UAPI_VFIO(12)
#define UAPI_DEVICE_PCI_HOT_RESET UAPI_VFIO(13)
#define UAPI_DEVICE_BIND_IOMMUFD UAPI_VFIO(18)	      /* since 6.6 */
#define UAPI_DEVICE_ATTACH_IOMMUFD_PT UAPI_VFIO(19)   /* since 6.6 */
#define UAPI_DEVICE_DETACH_IOMMUFD_PT UAPI_VFIO(20)   /* since 6.6 */

#define UAPI_DEVICE_FLAGS_RESET (1U << 0)
#define UAPI_DEVICE_FLAGS_PCI (1U << 1)

/**
 * struct uapi_device_info - VFIO_DEVICE_GET_INFO
 * @argsz:	Size of this structure, as in all that follow
 * @flags:	UAPI_DEVICE_FLAGS_*
 * @num_regions: Of regions
 * @num_irqs:	Of interrupt indexes
 * @cap_offset:	Of the first capability; 0 if none
 */
struct uapi_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
	uint32_t cap_offset;
	uint32_t pad;
};

/* Regions of a vfio-pci device: the BARs are 0 to 5. */
#define UAPI_PCI_BAR0_REGION_INDEX 0
#define UAPI_PCI_BAR5_REGION_INDEX 5
#define UAPI_PCI_CONFIG_REGION_INDEX 7

#define UAPI_REGION_INFO_FLAG_READ (1U << 0)
#define UAPI_REGION_INFO_FLAG_WRITE (1U << 1)
#define UAPI_REGION_INFO_FLAG_MMAP (1U << 2)

/**
 * struct uapi_region_info - VFIO_DEVICE_GET_REGION_INFO
 * @flags:	UAPI_REGION_INFO_FLAG_*
 * @index:	Which region
 * @region_size: Bytes; 0 for one that the device does not have
 * @offset:	Where it begins in the descriptor
 */
struct uapi_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uapi_u64 region_size;
	uapi_u64 offset;
};

/* Kinds of interrupts of a vfio-pci device; further: errors, requests. */
#define UAPI_PCI_INTX_IRQ_INDEX 0
#define UAPI_PCI_MSI_IRQ_INDEX 1
#define UAPI_PCI_MSIX_IRQ_INDEX 2

#define UAPI_IRQ_INFO_EVENTFD (1U << 0)
#define UAPI_IRQ_INFO_MASKABLE (1U << 1)
#define UAPI_IRQ_INFO_AUTOMASKED (1U << 2)
#define UAPI_IRQ_INFO_NORESIZE (1U << 3)

/**
 * struct uapi_irq_info - VFIO_DEVICE_GET_IRQ_INFO
 * @flags:	UAPI_IRQ_INFO_*
 * @index:	Which kind
 * @count:	How many there are of it
 */
struct uapi_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

#define UAPI_PCI_DEVID_OWNED 0U
#define UAPI_PCI_DEVID_NOT_OWNED 0xffffffffU
#define UAPI_PCI_HOT_RESET_FLAG_DEV_ID (1U << 0)
#define UAPI_PCI_HOT_RESET_FLAG_DEV_ID_OWNED (1U << 1)

/**
 * struct uapi_pci_dependent_device - A function that a hot reset resets too
 * @devid:	Its id in the iommufd, or UAPI_PCI_DEVID_*; with the group
 *		interface the number of its group
 * @segment:	PCI domain; only its low 16 bits
 * @bus:	Bus
 * @devfn:	Slot and function
 */
struct uapi_pci_dependent_device {
	uint32_t devid;
	uint16_t segment;
	uint8_t bus;
	uint8_t devfn;
};

/**
 * struct uapi_pci_hot_reset_info - VFIO_DEVICE_GET_PCI_HOT_RESET_INFO
 * @flags:	UAPI_PCI_HOT_RESET_FLAG_*
 * @count:	How many functions are concerned
 * @devices:	As many as there is room for in @argsz
 *
 * ENOSPC: more than there is room for, @count says how many. ENODEV: neither
 * slot nor bus can be reset.
 */
struct uapi_pci_hot_reset_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t count;
	struct uapi_pci_dependent_device devices[];
};

/**
 * struct uapi_pci_hot_reset - VFIO_DEVICE_PCI_HOT_RESET
 * @flags:	0
 * @count:	Of group descriptors; 0 for devices opened as cdev
 */
struct uapi_pci_hot_reset {
	uint32_t argsz;
	uint32_t flags;
	uint32_t count;
	int32_t group_fds[];
};

#define UAPI_DEVICE_BIND_FLAG_TOKEN (1U << 0)

/**
 * struct uapi_device_bind_iommufd - VFIO_DEVICE_BIND_IOMMUFD
 * @flags:	UAPI_DEVICE_BIND_FLAG_*
 * @iommufd:	An open /dev/iommu
 * @out_devid:	The device's id in it
 * @token_uuid_ptr: With FLAG_TOKEN (since 6.17): address of the VF token
 *
 * A kernel without token_uuid_ptr takes the longer structure as long as what it
 * does not know is 0.
 */
struct uapi_device_bind_iommufd {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t out_devid;
	uapi_u64 token_uuid_ptr;
};

#define UAPI_DEVICE_ATTACH_PASID (1U << 0)	/* since 6.15 */
#define UAPI_DEVICE_DETACH_PASID (1U << 0)	/* since 6.15 */

/**
 * struct uapi_device_attach_iommufd_pt - VFIO_DEVICE_ATTACH_IOMMUFD_PT
 * @flags:	0, or UAPI_DEVICE_ATTACH_PASID
 * @pt_id:	IOAS or page table; the kernel says which page table it is
 * @pasid:	Only with the flag
 */
struct uapi_device_attach_iommufd_pt {
	uint32_t argsz;
	uint32_t flags;
	uint32_t pt_id;
	uint32_t pasid;
};

/**
 * struct uapi_device_detach_iommufd_pt - VFIO_DEVICE_DETACH_IOMMUFD_PT
 * @flags:	0, or UAPI_DEVICE_DETACH_PASID
 * @pasid:	Only with the flag
 */
struct uapi_device_detach_iommufd_pt {
	uint32_t argsz;
	uint32_t flags;
	uint32_t pasid;
};

/* --- VFIO without iommufd: containers and groups -------------------------- */

#define UAPI_IOMMU_GET_INFO UAPI_VFIO(12)	      /* on a container */
#define UAPI_IOMMU_MAP_DMA UAPI_VFIO(13)	      /* on a container */
#define UAPI_IOMMU_UNMAP_DMA UAPI_VFIO(14)	      /* on a container */
#define UAPI_IOMMU_DIRTY_PAGES UAPI_VFIO(17)	      /* on a container */

/* What CHECK_EXTENSION and SET_IOMMU take: how a container translates. */
#define UAPI_TYPE1_IOMMU 1
#define UAPI_TYPE1v2_IOMMU 3
#define UAPI_SPAPR_TCE_v2_IOMMU 7

/* What CHECK_EXTENSION takes besides. */
#define UAPI_UNMAP_ALL 9			      /* since 5.12 */

#define UAPI_GROUP_FLAGS_VIABLE (1U << 0)
#define UAPI_GROUP_FLAGS_CONTAINER_SET (1U << 1)

/**
 * struct uapi_group_status - VFIO_GROUP_GET_STATUS
 * @flags:	UAPI_GROUP_FLAGS_*
 */
struct uapi_group_status {
	uint32_t argsz;
	uint32_t flags;
};

/**
 * struct uapi_info_cap_header - What begins each capability of an answer
 * @id:		Which
 * @version:	Of its layout
 * @next:	Offset of the next one in the answer; 0 if it is the last
 */
struct uapi_info_cap_header {
	uint16_t id;
	uint16_t version;
	uint32_t next;
};

#define UAPI_IOMMU_INFO_PGSIZES (1U << 0)
#define UAPI_IOMMU_INFO_CAPS (1U << 1)

/**
 * struct uapi_iommu_type1_info - VFIO_IOMMU_GET_INFO of type1
 * @argsz:	Room, capabilities included; on return what they need. If that is
 *		more than there was, there are none in the answer.
 * @flags:	UAPI_IOMMU_INFO_*
 * @iova_pgsizes: Bit map of page sizes
 * @cap_offset:	Of the first capability; 0 if there is none
 */
struct uapi_iommu_type1_info {
	uint32_t argsz;
	uint32_t flags;
	uapi_u64 iova_pgsizes;
	uint32_t cap_offset;
	uint32_t pad;
};

#define UAPI_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE 1	      /* since 5.4 */
#define UAPI_IOMMU_TYPE1_INFO_CAP_MIGRATION 2	      /* since 5.8 */
#define UAPI_IOMMU_TYPE1_INFO_DMA_AVAIL 3	      /* since 5.10 */

/**
 * struct uapi_iommu_type1_info_cap_iova_range - Where memory can be mapped
 * @nr_iovas:	How many ranges
 * @iova_ranges: They; like iommufd's, the last address is in
 */
struct uapi_iommu_type1_info_cap_iova_range {
	struct uapi_info_cap_header header;
	uint32_t nr_iovas;
	uint32_t reserved;
	struct uapi_iova_range iova_ranges[];
};

/**
 * struct uapi_iommu_type1_info_cap_migration - What is written can be told
 * @pgsize_bitmap: Page sizes of the bit maps
 * @max_dirty_bitmap_size: Of one bit map, bytes
 */
struct uapi_iommu_type1_info_cap_migration {
	struct uapi_info_cap_header header;
	uint32_t flags;
	uapi_u64 pgsize_bitmap;
	uapi_u64 max_dirty_bitmap_size;
};

/**
 * struct uapi_iommu_type1_info_dma_avail - How many mappings there can be yet
 */
struct uapi_iommu_type1_info_dma_avail {
	struct uapi_info_cap_header header;
	uint32_t avail;
};

#define UAPI_DMA_MAP_FLAG_READ (1U << 0)
#define UAPI_DMA_MAP_FLAG_WRITE (1U << 1)

/**
 * struct uapi_iommu_type1_dma_map - VFIO_IOMMU_MAP_DMA
 * @flags:	UAPI_DMA_MAP_FLAG_*
 * @vaddr:	Where it is in the caller's memory
 * @iova:	Where devices are to find it
 * @size:	Bytes
 *
 * EEXIST: something is mapped there. EINVAL: a device reserves it, or it is not
 * aligned. ENOSPC: no entries are left. ENOMEM: RLIMIT_MEMLOCK.
 */
struct uapi_iommu_type1_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uapi_u64 vaddr;
	uapi_u64 iova;
	uapi_u64 size;
};

#define UAPI_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP (1U << 0)
#define UAPI_DMA_UNMAP_FLAG_ALL (1U << 1)	      /* since 5.12 */

/**
 * struct uapi_iommu_type1_dma_unmap - VFIO_IOMMU_UNMAP_DMA of whole mappings
 * @flags:	UAPI_DMA_UNMAP_FLAG_*; ALL with @iova and @size 0
 * @iova:	From where
 * @size:	Bytes; on return how much was unmapped, which may be nothing
 *
 * EINVAL: the range cuts a mapping.
 */
struct uapi_iommu_type1_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uapi_u64 iova;
	uapi_u64 size;
};

#define UAPI_IOMMU_DIRTY_PAGES_FLAG_START (1U << 0)
#define UAPI_IOMMU_DIRTY_PAGES_FLAG_STOP (1U << 1)
#define UAPI_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP (1U << 2)

/**
 * struct uapi_bitmap - What was written
 * @pgsize:	A bit is for so many bytes
 * @size:	Of the bit map, bytes
 * @data:	Where it is; the address of a uint64_t
 */
struct uapi_bitmap {
	uapi_u64 pgsize;
	uapi_u64 size;
	uapi_u64 data;
};

/**
 * struct uapi_iommu_type1_dirty_bitmap - VFIO_IOMMU_DIRTY_PAGES
 * @flags:	UAPI_IOMMU_DIRTY_PAGES_FLAG_*, one of them
 */
struct uapi_iommu_type1_dirty_bitmap {
	uint32_t argsz;
	uint32_t flags;
};

/**
 * struct uapi_iommu_type1_dirty_bitmap_get - What follows with GET_BITMAP
 * @iova:	Of a whole mapping, or of several
 * @size:	Bytes
 */
struct uapi_iommu_type1_dirty_bitmap_get {
	uapi_u64 iova;
	uapi_u64 size;
	struct uapi_bitmap bitmap;
};

/* --- VFIO on POWER: containers of kind SPAPR TCE v2 ----------------------- */

#define UAPI_IOMMU_SPAPR_TCE_GET_INFO UAPI_VFIO(12)
#define UAPI_IOMMU_SPAPR_REGISTER_MEMORY UAPI_VFIO(17)
#define UAPI_IOMMU_SPAPR_UNREGISTER_MEMORY UAPI_VFIO(18)
#define UAPI_IOMMU_SPAPR_TCE_CREATE UAPI_VFIO(19)
#define UAPI_IOMMU_SPAPR_TCE_REMOVE UAPI_VFIO(20)

#define UAPI_IOMMU_SPAPR_INFO_DDW (1U << 0)

/**
 * struct uapi_iommu_spapr_tce_ddw_info - What dynamic windows there can be
 * @pgsizes:	Bit map of page sizes
 * @max_dynamic_windows_supported: How many windows at once, the default one
 *		counted; 0xffffffff where there are no dynamic ones at all
 * @levels:	Of a window's table, at most
 */
struct uapi_iommu_spapr_tce_ddw_info {
	uapi_u64 pgsizes;
	uint32_t max_dynamic_windows_supported;
	uint32_t levels;
};

/**
 * struct uapi_iommu_spapr_tce_info - VFIO_IOMMU_SPAPR_TCE_GET_INFO
 * @flags:	UAPI_IOMMU_SPAPR_INFO_DDW: @ddw means something
 * @dma32_window_start: Where the default window begins, bytes
 * @dma32_window_size: How long it is, bytes
 *
 * Unlike the calls that follow it does not tie the container to the caller.
 * ENXIO: no group is in the container.
 */
struct uapi_iommu_spapr_tce_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t dma32_window_start;
	uint32_t dma32_window_size;
	struct uapi_iommu_spapr_tce_ddw_info ddw;
};

/**
 * struct uapi_iommu_spapr_register_memory - VFIO_IOMMU_SPAPR_REGISTER_MEMORY
 *					     and _UNREGISTER_MEMORY
 * @flags:	0
 * @vaddr:	Where it is in the caller's memory
 * @size:	Bytes
 *
 * EBUSY: the same is registered. EINVAL: it overlaps what is, or is not made of
 * pages. ENOMEM: RLIMIT_MEMLOCK. ENOENT, of the second: it is not registered.
 */
struct uapi_iommu_spapr_register_memory {
	uint32_t argsz;
	uint32_t flags;
	uapi_u64 vaddr;
	uapi_u64 size;
};

/**
 * struct uapi_iommu_spapr_tce_create - VFIO_IOMMU_SPAPR_TCE_CREATE
 * @flags:	0
 * @page_shift:	Log2 of the size of its pages
 * @window_size: Bytes, a power of two
 * @levels:	Of its table
 * @start_addr:	The kernel says where it is
 *
 * ENOSPC: two there are. EINVAL: a size that cannot be. EPERM: while there is a
 * dynamic window. ENODEV: the platform refuses, now and until the next boot.
 */
struct uapi_iommu_spapr_tce_create {
	uint32_t argsz;
	uint32_t flags;
	uint32_t page_shift;
	uint32_t resv1;
	uapi_u64 window_size;
	uint32_t levels;
	uint32_t resv2;
	uapi_u64 start_addr;
};

/**
 * struct uapi_iommu_spapr_tce_remove - VFIO_IOMMU_SPAPR_TCE_REMOVE
 * @flags:	0
 * @start_addr:	Where the window begins; what is mapped in it ends
 */
struct uapi_iommu_spapr_tce_remove {
	uint32_t argsz;
	uint32_t flags;
	uapi_u64 start_addr;
};

/* --- KVM: <linux/kvm.h>, calls on a virtual machine and its devices ------- */

#define UAPI_KVM_CREATE_DEVICE _IOWR(0xae, 0xe0, struct uapi_kvm_create_device)
#define UAPI_KVM_SET_DEVICE_ATTR _IOW(0xae, 0xe1, struct uapi_kvm_device_attr)

/* On POWER alone: <asm/kvm.h> of other machines has neither. */
#define UAPI_KVM_CREATE_SPAPR_TCE_64 \
	_IOW(0xae, 0xa8, struct uapi_kvm_create_spapr_tce_64)

#define UAPI_KVM_DEV_TYPE_VFIO 4

/**
 * struct uapi_kvm_create_device - KVM_CREATE_DEVICE, on a virtual machine
 * @type:	UAPI_KVM_DEV_TYPE_*
 * @fd:		The device's descriptor
 * @flags:	0
 *
 * Of type VFIO a machine can have one: EBUSY for a second.
 */
struct uapi_kvm_create_device {
	uint32_t type;
	uint32_t fd;
	uint32_t flags;
};

#define UAPI_KVM_DEV_VFIO_FILE 1
#define UAPI_KVM_DEV_VFIO_FILE_ADD 1	/* since 6.6; before of groups only */
#define UAPI_KVM_DEV_VFIO_FILE_DEL 2
#define UAPI_KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE 3	/* of groups only */

/**
 * struct uapi_kvm_device_attr - KVM_SET_DEVICE_ATTR, on a device of a machine
 * @flags:	0
 * @group:	UAPI_KVM_DEV_VFIO_FILE
 * @attr:	UAPI_KVM_DEV_VFIO_FILE_*
 * @addr:	Address of an int32_t, the descriptor
 */
struct uapi_kvm_device_attr {
	uint32_t flags;
	uint32_t group;
	uapi_u64 attr;
	uapi_u64 addr;
};

/**
 * struct uapi_kvm_create_spapr_tce_64 - KVM_CREATE_SPAPR_TCE_64, on a virtual
 *					 machine: a table of the guest's own
 * @liobn:	The guest's number for the window
 * @page_shift:	Log2 of the size of its pages
 * @flags:	0
 * @offset:	Where it begins, in such pages
 * @size:	How long it is, in such pages
 *
 * The return value is the table's descriptor.
 */
struct uapi_kvm_create_spapr_tce_64 {
	uapi_u64 liobn;
	uint32_t page_shift;
	uint32_t flags;
	uapi_u64 offset;
	uapi_u64 size;
};

/**
 * struct uapi_kvm_vfio_spapr_tce - GROUP_SET_SPAPR_TCE: what a guest puts in a
 *				    table goes into a group's, too
 * @groupfd:	The group, added to the machine's device before
 * @tablefd:	The table
 */
struct uapi_kvm_vfio_spapr_tce {
	int32_t groupfd;
	int32_t tablefd;
};

#endif
