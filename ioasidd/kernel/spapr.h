/* SPDX-License-Identifier: Apache-2.0
 *
 * spapr.h - VFIO containers of kind SPAPR TCE v2, as POWER has them
 *
 * DOC: Theory of Operation
 *
 * Opening, attaching and devices are those of any container (type1.h). What is
 * different is what is asked of it here: there are no ranges but in windows, and
 * a container belongs to the first process that registers memory in it, or makes
 * or removes a window: all later calls of another are EPERM, to ask as well. So
 * ioasidd asks and plans (model/tce.h), and does neither of these ever: the holder
 * carries the plan out (libioasid).
 *
 * Source: tce_iommu_ioctl() and tce_iommu_mm_set() of
 * drivers/vfio/vfio_iommu_spapr_tce.c, Linux 7.3: TCE_GET_INFO does not take the
 * container for the caller.
 */
#ifndef IOASIDD_KERNEL_SPAPR_H
#define IOASIDD_KERNEL_SPAPR_H

#include "kernel/kernel.h"

/**
 * spapr_info() - Ask which windows a container can have
 * @container:	With a group in it
 * @ret:	What it says
 * @err:	Filled on failure
 *
 * Source: VFIO_IOMMU_SPAPR_TCE_GET_INFO, since 4.2 with dynamic windows.
 *
 * Return: 0; -ENXIO without a group; -EPERM if it is another process's; -ENOTTY if
 * it is not of this kind; others unchanged. All these are kernel.vfio.
 */
int spapr_info(int container, struct kernel_tce_info *ret, struct error *err);

#endif
