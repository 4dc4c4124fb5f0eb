/* SPDX-License-Identifier: Apache-2.0
 *
 * sandbox.h - what the process gives up before it reads a stranger's byte
 */
#ifndef API_CORE_SANDBOX_H
#define API_CORE_SANDBOX_H

#include "base/error.h"

/**
 * sandbox_enter() - Give up all that serving does not need
 * @err:	Filled on failure
 *
 * Afterwards the process can work with the descriptors that it has and those
 * that come over the link: it opens nothing, connects to nothing, executes
 * nothing, has no capability and leaves no core. What it tries all the same
 * fails with EPERM. There is no way back.
 *
 * Return: 0 or -errno.
 */
int sandbox_enter(struct error *err);

#ifdef IOASID_FAULTS
/* sandbox_try_open() - Try to open a file, for tests. Return: 0 or -errno. */
int sandbox_try_open(void);
#endif

#endif
