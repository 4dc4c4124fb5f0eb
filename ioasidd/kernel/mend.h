/* SPDX-License-Identifier: Apache-2.0
 *
 * mend.h - seeing that a function answers and has its BARs
 *
 * DOC: Theory of Operation
 *
 * A function can lose its BARs in two ways, and both leave it answering its
 * configuration space as if nothing were wrong. If it is reset while nobody can
 * reach it, they are 0. And Linux saves the configuration of a function that it
 * puts to sleep, and writes it back when it wakes it: if its bus was dead when
 * it fell asleep, all ones were saved, and ones is what it gets when the bus is
 * back. It is put to sleep at the last close of its cdev, and again whenever it
 * is bound to vfio-pci and nobody has it open.
 *
 * So it is kept awake while it is looked at: what is written to a function that
 * sleeps is overwritten when it wakes. Where it slept before it may sleep again
 * afterwards, and what is saved then is right.
 */
#ifndef IOASIDD_KERNEL_MEND_H
#define IOASIDD_KERNEL_MEND_H

#include "kernel/kernel.h"

/**
 * mend_config() - See that a function answers and has its BARs
 * @sysfs:	An open sysfs
 * @bdf:	The function
 * @timeout_ms:	How long to wait for each call
 * @ret_mended:	Its BARs were lost and have been written again
 * @ret_stuck:	On -ETIMEDOUT the helper that was left behind
 * @err:	Filled on failure
 *
 * Return: 0; -EIO, device.unhealthy; -ETIMEDOUT, device.blocked; -ENODEV;
 * others of helper_run().
 */
int mend_config(int sysfs, const char *bdf, unsigned int timeout_ms,
		bool *ret_mended, struct kernel_stuck *ret_stuck,
		struct error *err);

#endif
