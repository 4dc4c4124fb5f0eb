/* SPDX-License-Identifier: Apache-2.0
 *
 * vmm.h - tell a command the numbers of its descriptors, or what to open
 */
#ifndef IOASIDCTL_VMM_H
#define IOASIDCTL_VMM_H

#include "base/str.h"
#include "libioasid/ioasid.h"

/* How a command is told. */
enum vmm {
	/* By placeholders in its arguments. */
	VMM_NONE,
	/* By QEMU's own options behind its arguments. */
	VMM_QEMU,
	VMM_COUNT,
};

/**
 * vmm_find() - Find out how a command is told
 * @word:	"qemu" or "none"; NULL to guess by the command's name
 * @command:	The command
 * @ret:	How
 *
 * Return: 0; -EINVAL if @word is neither.
 */
int vmm_find(const char *word, const char *command, enum vmm *ret);

/**
 * vmm_highest_device() - The highest number in a {deviceN} of the arguments
 * @args:	The arguments
 * @n_args:	How many
 *
 * Return: the number; -1 if there is none.
 */
int vmm_highest_device(char **args, int n_args);

/* vmm_wants_iommufd() - Is there an {iommufd} in the arguments? */
bool vmm_wants_iommufd(char **args, int n_args);

/**
 * vmm_args() - The command with the numbers of its descriptors
 * @vmm:	How it is told
 * @args:	The command and its arguments
 * @n_args:	How many
 * @claim:	The descriptors
 * @ret:	The same with what was added or filled in; strv_deinit()
 *
 * QEMU gets `-object iommufd,id=ioasid0,fd=N` and, for each device,
 * `-device vfio-pci,id=<name>,iommufd=ioasid0,fd=M`. Without an id QEMU could
 * not migrate with the device. For others {iommufd}, {device0}, {device1} and
 * so on are replaced by the numbers wherever they stand.
 *
 * Of a lease of nodes QEMU gets `-device vfio-pci,id=<name>,host=<address>` for
 * each device. For others {device0} is the address of a device, and {group0} the
 * node that its group is opened by.
 *
 * Return: 0; -ENOMEM.
 */
int vmm_args(enum vmm vmm, char **args, int n_args,
	     const struct ioasid_claim *claim, struct strv *ret);

#endif
