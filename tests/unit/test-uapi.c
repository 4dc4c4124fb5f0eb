/* SPDX-License-Identifier: Apache-2.0
 *
 * test-uapi.c - our declarations of the kernel's interfaces are the kernel's
 *
 * Every structure, field, flag and number of uapi.h is compared with the
 * headers of the newest kernel source, which tests/vm/kernel keeps beside the
 * kernel that it built, in $IOASIDD_CACHE. The headers this program is built
 * with may be older, so the comparison is a second compilation of this file, at
 * run time. IOASIDD_UAPI_INCLUDE names a folder of other headers.
 */
#ifdef COMPARE

#include <stddef.h>

#include <linux/iommufd.h>
#include <linux/kvm.h>
#include <linux/vfio.h>

#include "base/uapi.h"

#define SAME(a, b) _Static_assert((a) == (b), #a " is not " #b)
#define SIZE(s) SAME(sizeof(struct uapi_##s), sizeof(struct iommu_##s))
#define FIELD(s, f)                                                        \
	SAME(offsetof(struct uapi_##s, f), offsetof(struct iommu_##s, f)); \
	SAME(sizeof(((struct uapi_##s *)0)->f),                            \
	     sizeof(((struct iommu_##s *)0)->f))
#define VSIZE(s) SAME(sizeof(struct uapi_##s), sizeof(struct vfio_##s))
#define VFIELD2(s, f, g)                                                  \
	SAME(offsetof(struct uapi_##s, f), offsetof(struct vfio_##s, g)); \
	SAME(sizeof(((struct uapi_##s *)0)->f),                           \
	     sizeof(((struct vfio_##s *)0)->g))
#define VFIELD(s, f) VFIELD2(s, f, f)
#define FLAG(f) SAME(UAPI_##f, IOMMU_##f)
#define VFLAG(f) SAME(UAPI_##f, VFIO_##f)

/* --- iommufd */
FLAG(DESTROY);
FLAG(IOAS_ALLOC);
FLAG(IOAS_ALLOW_IOVAS);
FLAG(IOAS_COPY);
FLAG(IOAS_IOVA_RANGES);
FLAG(IOAS_MAP);
FLAG(IOAS_UNMAP);
FLAG(OPTION);
FLAG(HWPT_ALLOC);
FLAG(GET_HW_INFO);
FLAG(HWPT_SET_DIRTY_TRACKING);
FLAG(HWPT_GET_DIRTY_BITMAP);
FLAG(HWPT_INVALIDATE);
FLAG(FAULT_QUEUE_ALLOC);
FLAG(IOAS_MAP_FILE);
FLAG(VIOMMU_ALLOC);
FLAG(VDEVICE_ALLOC);

SIZE(destroy);
FIELD(destroy, size);
FIELD(destroy, id);

SIZE(ioas_alloc);
FIELD(ioas_alloc, size);
FIELD(ioas_alloc, flags);
FIELD(ioas_alloc, out_ioas_id);

SIZE(iova_range);
FIELD(iova_range, start);
FIELD(iova_range, last);

SIZE(ioas_iova_ranges);
FIELD(ioas_iova_ranges, size);
FIELD(ioas_iova_ranges, ioas_id);
FIELD(ioas_iova_ranges, num_iovas);
FIELD(ioas_iova_ranges, allowed_iovas);
FIELD(ioas_iova_ranges, out_iova_alignment);

SIZE(ioas_allow_iovas);
FIELD(ioas_allow_iovas, size);
FIELD(ioas_allow_iovas, ioas_id);
FIELD(ioas_allow_iovas, num_iovas);
FIELD(ioas_allow_iovas, allowed_iovas);

FLAG(IOAS_MAP_FIXED_IOVA);
FLAG(IOAS_MAP_WRITEABLE);
FLAG(IOAS_MAP_READABLE);
SIZE(ioas_map);
FIELD(ioas_map, size);
FIELD(ioas_map, flags);
FIELD(ioas_map, ioas_id);
FIELD(ioas_map, user_va);
FIELD(ioas_map, length);
FIELD(ioas_map, iova);

SIZE(ioas_map_file);
FIELD(ioas_map_file, size);
FIELD(ioas_map_file, flags);
FIELD(ioas_map_file, ioas_id);
FIELD(ioas_map_file, fd);
FIELD(ioas_map_file, start);
FIELD(ioas_map_file, length);
FIELD(ioas_map_file, iova);

SIZE(ioas_copy);
FIELD(ioas_copy, size);
FIELD(ioas_copy, flags);
FIELD(ioas_copy, dst_ioas_id);
FIELD(ioas_copy, src_ioas_id);
FIELD(ioas_copy, length);
FIELD(ioas_copy, dst_iova);
FIELD(ioas_copy, src_iova);

SIZE(ioas_unmap);
FIELD(ioas_unmap, size);
FIELD(ioas_unmap, ioas_id);
FIELD(ioas_unmap, iova);
FIELD(ioas_unmap, length);

FLAG(OPTION_RLIMIT_MODE);
FLAG(OPTION_HUGE_PAGES);
FLAG(OPTION_OP_SET);
FLAG(OPTION_OP_GET);
SIZE(option);
FIELD(option, size);
FIELD(option, option_id);
FIELD(option, op);
FIELD(option, object_id);
FIELD(option, val64);

FLAG(HWPT_ALLOC_NEST_PARENT);
FLAG(HWPT_ALLOC_DIRTY_TRACKING);
FLAG(HWPT_FAULT_ID_VALID);
FLAG(HWPT_ALLOC_PASID);
FLAG(HWPT_DATA_NONE);
FLAG(HWPT_DATA_VTD_S1);
FLAG(HWPT_DATA_ARM_SMMUV3);
FLAG(HWPT_DATA_AMD_GUEST);
FLAG(VTD_S1_SRE);
FLAG(VTD_S1_EAFE);
FLAG(VTD_S1_WPE);
SIZE(hwpt_vtd_s1);
FIELD(hwpt_vtd_s1, flags);
FIELD(hwpt_vtd_s1, pgtbl_addr);
FIELD(hwpt_vtd_s1, addr_width);
SIZE(hwpt_arm_smmuv3);
FIELD(hwpt_arm_smmuv3, ste);
SIZE(hwpt_amd_guest);
FIELD(hwpt_amd_guest, dte);
SIZE(hwpt_alloc);
FIELD(hwpt_alloc, size);
FIELD(hwpt_alloc, flags);
FIELD(hwpt_alloc, dev_id);
FIELD(hwpt_alloc, pt_id);
FIELD(hwpt_alloc, out_hwpt_id);
FIELD(hwpt_alloc, data_type);
FIELD(hwpt_alloc, data_len);
FIELD(hwpt_alloc, data_uptr);
FIELD(hwpt_alloc, fault_id);

FLAG(HW_INFO_TYPE_NONE);
FLAG(HW_INFO_FLAG_INPUT_TYPE);
FLAG(HW_INFO_TYPE_INTEL_VTD);
FLAG(HW_INFO_TYPE_ARM_SMMUV3);
FLAG(HW_INFO_TYPE_TEGRA241_CMDQV);
FLAG(HW_INFO_TYPE_AMD);
FLAG(HW_CAP_DIRTY_TRACKING);
FLAG(HW_CAP_PCI_PASID_EXEC);
FLAG(HW_CAP_PCI_PASID_PRIV);
FLAG(HW_CAP_PCI_ATS_NOT_SUPPORTED);
SIZE(hw_info);
FIELD(hw_info, size);
FIELD(hw_info, flags);
FIELD(hw_info, dev_id);
FIELD(hw_info, data_len);
FIELD(hw_info, data_uptr);
FIELD(hw_info, out_data_type);
FIELD(hw_info, out_max_pasid_log2);
FIELD(hw_info, out_capabilities);

FLAG(HWPT_DIRTY_TRACKING_ENABLE);
SIZE(hwpt_set_dirty_tracking);
FIELD(hwpt_set_dirty_tracking, size);
FIELD(hwpt_set_dirty_tracking, flags);
FIELD(hwpt_set_dirty_tracking, hwpt_id);

FLAG(HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
SIZE(hwpt_get_dirty_bitmap);
FIELD(hwpt_get_dirty_bitmap, size);
FIELD(hwpt_get_dirty_bitmap, hwpt_id);
FIELD(hwpt_get_dirty_bitmap, flags);
FIELD(hwpt_get_dirty_bitmap, iova);
FIELD(hwpt_get_dirty_bitmap, length);
FIELD(hwpt_get_dirty_bitmap, page_size);
FIELD(hwpt_get_dirty_bitmap, data);

FLAG(HWPT_INVALIDATE_DATA_VTD_S1);
FLAG(VIOMMU_INVALIDATE_DATA_ARM_SMMUV3);
FLAG(VTD_INV_FLAGS_LEAF);
SIZE(hwpt_vtd_s1_invalidate);
FIELD(hwpt_vtd_s1_invalidate, addr);
FIELD(hwpt_vtd_s1_invalidate, npages);
FIELD(hwpt_vtd_s1_invalidate, flags);
SIZE(viommu_arm_smmuv3_invalidate);
FIELD(viommu_arm_smmuv3_invalidate, cmd);
SIZE(hwpt_invalidate);
FIELD(hwpt_invalidate, size);
FIELD(hwpt_invalidate, hwpt_id);
FIELD(hwpt_invalidate, data_uptr);
FIELD(hwpt_invalidate, data_type);
FIELD(hwpt_invalidate, entry_len);
FIELD(hwpt_invalidate, entry_num);

SIZE(fault_alloc);
FIELD(fault_alloc, size);
FIELD(fault_alloc, flags);
FIELD(fault_alloc, out_fault_id);
FIELD(fault_alloc, out_fault_fd);
FLAG(PGFAULT_FLAGS_PASID_VALID);
FLAG(PGFAULT_FLAGS_LAST_PAGE);
FLAG(PGFAULT_PERM_READ);
FLAG(PGFAULT_PERM_WRITE);
FLAG(PGFAULT_PERM_EXEC);
FLAG(PGFAULT_PERM_PRIV);
SIZE(hwpt_pgfault);
FIELD(hwpt_pgfault, flags);
FIELD(hwpt_pgfault, dev_id);
FIELD(hwpt_pgfault, pasid);
FIELD(hwpt_pgfault, grpid);
FIELD(hwpt_pgfault, perm);
FIELD(hwpt_pgfault, addr);
FIELD(hwpt_pgfault, length);
FIELD(hwpt_pgfault, cookie);
SAME(UAPI_PAGE_RESP_SUCCESS, IOMMUFD_PAGE_RESP_SUCCESS);
SAME(UAPI_PAGE_RESP_INVALID, IOMMUFD_PAGE_RESP_INVALID);
SIZE(hwpt_page_response);
FIELD(hwpt_page_response, cookie);
FIELD(hwpt_page_response, code);

FLAG(VIOMMU_TYPE_DEFAULT);
FLAG(VIOMMU_TYPE_ARM_SMMUV3);
FLAG(VIOMMU_TYPE_TEGRA241_CMDQV);
SIZE(viommu_alloc);
FIELD(viommu_alloc, size);
FIELD(viommu_alloc, flags);
FIELD(viommu_alloc, type);
FIELD(viommu_alloc, dev_id);
FIELD(viommu_alloc, hwpt_id);
FIELD(viommu_alloc, out_viommu_id);
FIELD(viommu_alloc, data_len);
FIELD(viommu_alloc, data_uptr);
SIZE(vdevice_alloc);
FIELD(vdevice_alloc, size);
FIELD(vdevice_alloc, viommu_id);
FIELD(vdevice_alloc, dev_id);
FIELD(vdevice_alloc, out_vdevice_id);
FIELD(vdevice_alloc, virt_id);

/* --- VFIO */
VFLAG(GET_API_VERSION);
VFLAG(CHECK_EXTENSION);
VFLAG(SET_IOMMU);
VFLAG(GROUP_GET_STATUS);
VFLAG(GROUP_SET_CONTAINER);
VFLAG(GROUP_UNSET_CONTAINER);
VFLAG(GROUP_GET_DEVICE_FD);
VFLAG(DEVICE_GET_INFO);
VFLAG(DEVICE_GET_REGION_INFO);
VFLAG(DEVICE_GET_IRQ_INFO);
VFLAG(DEVICE_SET_IRQS);
VFLAG(DEVICE_RESET);
VFLAG(DEVICE_GET_PCI_HOT_RESET_INFO);
VFLAG(DEVICE_PCI_HOT_RESET);
VFLAG(DEVICE_BIND_IOMMUFD);
VFLAG(DEVICE_ATTACH_IOMMUFD_PT);
VFLAG(DEVICE_DETACH_IOMMUFD_PT);

VFLAG(DEVICE_FLAGS_RESET);
VFLAG(DEVICE_FLAGS_PCI);
VSIZE(device_info);
VFIELD(device_info, argsz);
VFIELD(device_info, flags);
VFIELD(device_info, num_regions);
VFIELD(device_info, num_irqs);
VFIELD(device_info, cap_offset);

VFLAG(PCI_BAR0_REGION_INDEX);
VFLAG(PCI_BAR5_REGION_INDEX);
VFLAG(PCI_CONFIG_REGION_INDEX);
VFLAG(REGION_INFO_FLAG_READ);
VFLAG(REGION_INFO_FLAG_WRITE);
VFLAG(REGION_INFO_FLAG_MMAP);
VSIZE(region_info);
VFIELD(region_info, argsz);
VFIELD(region_info, flags);
VFIELD(region_info, index);
VFIELD(region_info, cap_offset);
VFIELD2(region_info, region_size, size);
VFIELD(region_info, offset);

VFLAG(PCI_INTX_IRQ_INDEX);
VFLAG(PCI_MSI_IRQ_INDEX);
VFLAG(PCI_MSIX_IRQ_INDEX);
VFLAG(IRQ_INFO_EVENTFD);
VFLAG(IRQ_INFO_MASKABLE);
VFLAG(IRQ_INFO_AUTOMASKED);
VFLAG(IRQ_INFO_NORESIZE);
VSIZE(irq_info);
VFIELD(irq_info, argsz);
VFIELD(irq_info, flags);
VFIELD(irq_info, index);
VFIELD(irq_info, count);

VFLAG(PCI_DEVID_OWNED);
SAME(UAPI_PCI_DEVID_NOT_OWNED, (uint32_t)VFIO_PCI_DEVID_NOT_OWNED);
VFLAG(PCI_HOT_RESET_FLAG_DEV_ID);
VFLAG(PCI_HOT_RESET_FLAG_DEV_ID_OWNED);
VSIZE(pci_dependent_device);
VFIELD(pci_dependent_device, devid);
VFIELD(pci_dependent_device, segment);
VFIELD(pci_dependent_device, bus);
VFIELD(pci_dependent_device, devfn);
VSIZE(pci_hot_reset_info);
VFIELD(pci_hot_reset_info, argsz);
VFIELD(pci_hot_reset_info, flags);
VFIELD(pci_hot_reset_info, count);
SAME(offsetof(struct uapi_pci_hot_reset_info, devices),
     offsetof(struct vfio_pci_hot_reset_info, devices));
VSIZE(pci_hot_reset);
VFIELD(pci_hot_reset, argsz);
VFIELD(pci_hot_reset, flags);
VFIELD(pci_hot_reset, count);
SAME(offsetof(struct uapi_pci_hot_reset, group_fds),
     offsetof(struct vfio_pci_hot_reset, group_fds));

VFLAG(DEVICE_BIND_FLAG_TOKEN);
VSIZE(device_bind_iommufd);
VFIELD(device_bind_iommufd, argsz);
VFIELD(device_bind_iommufd, flags);
VFIELD(device_bind_iommufd, iommufd);
VFIELD(device_bind_iommufd, out_devid);
VFIELD(device_bind_iommufd, token_uuid_ptr);
VFLAG(DEVICE_ATTACH_PASID);
VFLAG(DEVICE_DETACH_PASID);
VSIZE(device_attach_iommufd_pt);
VFIELD(device_attach_iommufd_pt, argsz);
VFIELD(device_attach_iommufd_pt, flags);
VFIELD(device_attach_iommufd_pt, pt_id);
VFIELD(device_attach_iommufd_pt, pasid);
VSIZE(device_detach_iommufd_pt);
VFIELD(device_detach_iommufd_pt, argsz);
VFIELD(device_detach_iommufd_pt, flags);
VFIELD(device_detach_iommufd_pt, pasid);

/* --- VFIO without iommufd */
VFLAG(IOMMU_GET_INFO);
VFLAG(IOMMU_MAP_DMA);
VFLAG(IOMMU_UNMAP_DMA);
VFLAG(IOMMU_DIRTY_PAGES);
VFLAG(TYPE1_IOMMU);
VFLAG(TYPE1v2_IOMMU);
VFLAG(SPAPR_TCE_v2_IOMMU);
VFLAG(UNMAP_ALL);
VFLAG(GROUP_FLAGS_VIABLE);
VFLAG(GROUP_FLAGS_CONTAINER_SET);
VFLAG(IOMMU_INFO_PGSIZES);
VFLAG(IOMMU_INFO_CAPS);
VFLAG(IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
VFLAG(IOMMU_TYPE1_INFO_CAP_MIGRATION);
VFLAG(IOMMU_TYPE1_INFO_DMA_AVAIL);
VFLAG(DMA_MAP_FLAG_READ);
VFLAG(DMA_MAP_FLAG_WRITE);
VFLAG(DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
VFLAG(DMA_UNMAP_FLAG_ALL);
VFLAG(IOMMU_DIRTY_PAGES_FLAG_START);
VFLAG(IOMMU_DIRTY_PAGES_FLAG_STOP);
VFLAG(IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP);
VSIZE(group_status);
VFIELD(group_status, argsz);
VFIELD(group_status, flags);
VSIZE(info_cap_header);
VFIELD(info_cap_header, id);
VFIELD(info_cap_header, version);
VFIELD(info_cap_header, next);
VSIZE(iommu_type1_info);
VFIELD(iommu_type1_info, argsz);
VFIELD(iommu_type1_info, flags);
VFIELD(iommu_type1_info, iova_pgsizes);
VFIELD(iommu_type1_info, cap_offset);
VSIZE(iommu_type1_info_cap_iova_range);
VFIELD(iommu_type1_info_cap_iova_range, header);
VFIELD(iommu_type1_info_cap_iova_range, nr_iovas);
VSIZE(iommu_type1_info_cap_migration);
VFIELD(iommu_type1_info_cap_migration, header);
VFIELD(iommu_type1_info_cap_migration, flags);
VFIELD(iommu_type1_info_cap_migration, pgsize_bitmap);
VFIELD(iommu_type1_info_cap_migration, max_dirty_bitmap_size);
VSIZE(iommu_type1_info_dma_avail);
VFIELD(iommu_type1_info_dma_avail, header);
VFIELD(iommu_type1_info_dma_avail, avail);
VSIZE(iommu_type1_dma_map);
VFIELD(iommu_type1_dma_map, argsz);
VFIELD(iommu_type1_dma_map, flags);
VFIELD(iommu_type1_dma_map, vaddr);
VFIELD(iommu_type1_dma_map, iova);
VFIELD(iommu_type1_dma_map, size);
VSIZE(iommu_type1_dma_unmap);
VFIELD(iommu_type1_dma_unmap, argsz);
VFIELD(iommu_type1_dma_unmap, flags);
VFIELD(iommu_type1_dma_unmap, iova);
VFIELD(iommu_type1_dma_unmap, size);
VSIZE(bitmap);
VFIELD(bitmap, pgsize);
VFIELD(bitmap, size);
VFIELD(bitmap, data);
VSIZE(iommu_type1_dirty_bitmap);
VFIELD(iommu_type1_dirty_bitmap, argsz);
VFIELD(iommu_type1_dirty_bitmap, flags);
VSIZE(iommu_type1_dirty_bitmap_get);
VFIELD(iommu_type1_dirty_bitmap_get, iova);
VFIELD(iommu_type1_dirty_bitmap_get, size);
VFIELD(iommu_type1_dirty_bitmap_get, bitmap);
SAME(offsetof(struct uapi_iommu_type1_info_cap_iova_range, iova_ranges),
     offsetof(struct vfio_iommu_type1_info_cap_iova_range, iova_ranges));
SAME(sizeof(struct uapi_iova_range), sizeof(struct vfio_iova_range));
SAME(offsetof(struct uapi_iova_range, last),
     offsetof(struct vfio_iova_range, end));

/* --- VFIO on POWER */
VFLAG(SPAPR_TCE_v2_IOMMU);
VFLAG(IOMMU_SPAPR_TCE_GET_INFO);
VFLAG(IOMMU_SPAPR_REGISTER_MEMORY);
VFLAG(IOMMU_SPAPR_UNREGISTER_MEMORY);
VFLAG(IOMMU_SPAPR_TCE_CREATE);
VFLAG(IOMMU_SPAPR_TCE_REMOVE);
VFLAG(IOMMU_SPAPR_INFO_DDW);
VSIZE(iommu_spapr_tce_ddw_info);
VFIELD(iommu_spapr_tce_ddw_info, pgsizes);
VFIELD(iommu_spapr_tce_ddw_info, max_dynamic_windows_supported);
VFIELD(iommu_spapr_tce_ddw_info, levels);
VSIZE(iommu_spapr_tce_info);
VFIELD(iommu_spapr_tce_info, argsz);
VFIELD(iommu_spapr_tce_info, flags);
VFIELD(iommu_spapr_tce_info, dma32_window_start);
VFIELD(iommu_spapr_tce_info, dma32_window_size);
VFIELD(iommu_spapr_tce_info, ddw);
VSIZE(iommu_spapr_register_memory);
VFIELD(iommu_spapr_register_memory, argsz);
VFIELD(iommu_spapr_register_memory, flags);
VFIELD(iommu_spapr_register_memory, vaddr);
VFIELD(iommu_spapr_register_memory, size);
VSIZE(iommu_spapr_tce_create);
VFIELD(iommu_spapr_tce_create, argsz);
VFIELD(iommu_spapr_tce_create, flags);
VFIELD(iommu_spapr_tce_create, page_shift);
VFIELD(iommu_spapr_tce_create, window_size);
VFIELD(iommu_spapr_tce_create, levels);
VFIELD(iommu_spapr_tce_create, start_addr);
VSIZE(iommu_spapr_tce_remove);
VFIELD(iommu_spapr_tce_remove, argsz);
VFIELD(iommu_spapr_tce_remove, flags);
VFIELD(iommu_spapr_tce_remove, start_addr);

/* --- KVM */
#define KSIZE(s) SAME(sizeof(struct uapi_kvm_##s), sizeof(struct kvm_##s))
#define KFIELD(s, f)                                                       \
	SAME(offsetof(struct uapi_kvm_##s, f), offsetof(struct kvm_##s, f)); \
	SAME(sizeof(((struct uapi_kvm_##s *)0)->f),                        \
	     sizeof(((struct kvm_##s *)0)->f))

SAME(UAPI_KVM_CREATE_DEVICE, KVM_CREATE_DEVICE);
SAME(UAPI_KVM_SET_DEVICE_ATTR, KVM_SET_DEVICE_ATTR);
SAME(UAPI_KVM_DEV_TYPE_VFIO, KVM_DEV_TYPE_VFIO);
SAME(UAPI_KVM_DEV_VFIO_FILE, KVM_DEV_VFIO_FILE);
SAME(UAPI_KVM_DEV_VFIO_FILE_ADD, KVM_DEV_VFIO_FILE_ADD);
SAME(UAPI_KVM_DEV_VFIO_FILE_DEL, KVM_DEV_VFIO_FILE_DEL);
KSIZE(create_device);
KFIELD(create_device, type);
KFIELD(create_device, fd);
KFIELD(create_device, flags);
KSIZE(device_attr);
KFIELD(device_attr, flags);
KFIELD(device_attr, group);
KFIELD(device_attr, attr);
KFIELD(device_attr, addr);
SAME(UAPI_KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE);
KSIZE(vfio_spapr_tce);
KFIELD(vfio_spapr_tce, groupfd);
KFIELD(vfio_spapr_tce, tablefd);
/* Declared on POWER alone. */
#ifdef __powerpc64__
SAME(UAPI_KVM_CREATE_SPAPR_TCE_64, KVM_CREATE_SPAPR_TCE_64);
KSIZE(create_spapr_tce_64);
KFIELD(create_spapr_tce_64, liobn);
KFIELD(create_spapr_tce_64, page_shift);
KFIELD(create_spapr_tce_64, flags);
KFIELD(create_spapr_tce_64, offset);
KFIELD(create_spapr_tce_64, size);
#endif

#ifdef WRONG
SAME(UAPI_DESTROY, IOMMU_OPTION);
#endif

#else

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glob.h>

#include <cmocka.h>

/**
 * find_headers() - Find the headers of the newest kernel
 * @buf:	Their folder
 * @size:	Room there
 *
 * Return: 0; -1 if there are none.
 */
static int find_headers(char *buf, size_t size)
{
	const char *given = getenv("IOASIDD_UAPI_INCLUDE");
	const char *cache = getenv("IOASIDD_CACHE");
	char pattern[512];
	glob_t found;
	int r;

	if (given) {
		snprintf(buf, size, "%s", given);
		return 0;
	}
	snprintf(pattern, sizeof(pattern), "%s/kernel/linux-source-*/include",
		 cache ? cache : "/var/cache/ioasidd-test");
	r = glob(pattern, 0, NULL, &found);
	if (r)
		return -1;
	snprintf(buf, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);

	return 0;
}

/**
 * compare_by() - Compile this file once more
 * @cc:		With what
 * @include:	The kernel's headers
 * @extra:	One more option
 * @machine:	The headers that are the machine's own (asm/)
 * @quiet:	It is meant to fail
 *
 * Return: the compiler's exit status; 127 if there is none.
 */
static int compare_by(const char *cc, const char *include, const char *extra,
		      const char *machine, bool quiet)
{
	pid_t child = fork();
	int status = -1;

	if (!child) {
		if (quiet)
			close(STDERR_FILENO);
		execlp(cc, cc, "-std=gnu17", "-fsyntax-only", "-DCOMPARE",
		       extra, "-isystem", machine, "-isystem", include,
		       "-Iioasidd", __FILE__, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));

	return WEXITSTATUS(status);
}

/* compare() - The same, for this machine */
static int compare(const char *include, const char *extra, bool quiet)
{
	const char *cc = getenv("CC");

	return compare_by(cc ? cc : "cc", include, extra, include, quiet);
}

static void our_declarations_are_the_kernels(void **state)
{
	char include[512];

	if (find_headers(include, sizeof(include))) {
		print_message("no kernel headers to compare with: run "
			      "tests/vm/kernel, or set IOASIDD_UAPI_INCLUDE\n");
		skip();
	}
	if (access(__FILE__, R_OK))
		fail_msg("no '%s' here: run from the top of the source",
			 __FILE__);
	print_message("compared with %s\n", include);
	assert_int_equal(compare(include, "-Werror", false), 0);
}

static void a_difference_would_be_seen(void **state)
{
	char include[512];

	if (find_headers(include, sizeof(include)))
		skip();
	assert_int_not_equal(compare(include, "-DWRONG", true), 0);
}

/**
 * compare_for() - The same, for another machine: its ioctl numbers differ
 * @triplet:	Which; its headers are in a root of packaging/sysroot
 * @debian:	Debian's name of it
 */
static void compare_for(const char *triplet, const char *debian)
{
	const char *cache = getenv("IOASIDD_CACHE");
	char include[512], pattern[512], cc[64];
	glob_t found;
	int r;

	snprintf(pattern, sizeof(pattern), "%s/root/%s-*/usr/include/%s",
		 cache ? cache : "/var/cache/ioasidd-test", debian, triplet);
	r = glob(pattern, 0, NULL, &found);
	if (r || find_headers(include, sizeof(include))) {
		if (!r)
			globfree(&found);
		print_message("no headers of %s to compare with: run "
			      "packaging/sysroot %s\n", triplet, triplet);
		skip();
	}
	snprintf(cc, sizeof(cc), "%s-gcc", triplet);
	r = compare_by(cc, include, "-Werror",
		       found.gl_pathv[found.gl_pathc - 1], false);
	globfree(&found);
	if (r == 127) {
		print_message("no %s: packaging/prerequisites.sh cross\n", cc);
		skip();
	}
	assert_int_equal(r, 0);
}

static void they_are_those_of_power(void **state)
{
	compare_for("powerpc64le-linux-gnu", "ppc64el");
}

static void they_are_those_of_arm(void **state)
{
	compare_for("aarch64-linux-gnu", "arm64");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_those_of_power),
		cmocka_unit_test(they_are_those_of_arm),
		cmocka_unit_test(our_declarations_are_the_kernels),
		cmocka_unit_test(a_difference_would_be_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
