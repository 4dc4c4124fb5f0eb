/* SPDX-License-Identifier: Apache-2.0
 *
 * control.h - what ioasidd-sim and its machine say to each other
 *
 * DOC: Theory of Operation
 *
 * The machine listens at "machine.sock" in the state folder, which is open to
 * its owner alone. A connection is for one request: a struct control_request,
 * answered by a struct control_reply, at most one descriptor with it; then the
 * machine closes it. So calls from many threads need no order among each other,
 * and one that waits holds up nobody.
 *
 * CONTROL_HELLO is the exception: that connection stays open for as long as
 * somebody needs the machine, and its end tells either side that the other one
 * is gone.
 *
 * A call that takes a device's lock may not come back for a long time. Its
 * number is told first, in a reply with @begun set; the result is another one.
 * Whoever does not want to wait for it closes the connection, and asks for the
 * number later. Such calls go on whoever dies.
 *
 * Both sides are the same program, if not of the same day: CONTROL_MAGIC changes
 * with the layout of anything here, kernel.h's structures too.
 */
#ifndef IOASIDD_KERNEL_SIM_CONTROL_H
#define IOASIDD_KERNEL_SIM_CONTROL_H

#include "kernel/kernel.h"

#define CONTROL_SOCKET "machine.sock"
#define CONTROL_MAGIC 0x494f4d31u /* "IOM1" */

/* How many causes of a busy device, and open files of one, are told. */
#define CONTROL_USERS_MAX ERROR_MAX_CAUSES
#define CONTROL_FILES_MAX 64

/* enum control_op - What is asked for, and the member of the reply with it */
enum control_op {
	CONTROL_HELLO = 1,	/* @hello; the connection stays open */
	CONTROL_INVENTORY,	/* a memfd, see struct control_inventory */
	CONTROL_DEVICE,		/* @device; -ENODEV */
	CONTROL_USERS,		/* @users: the host's, of a function */
	CONTROL_FILES,		/* @files: the open ones of a function's cdev,
				 * of one that was pulled, too
				 */
	CONTROL_GET_OVERRIDE,	/* begun; @text */
	CONTROL_SET_OVERRIDE,	/* begun */
	CONTROL_UNBIND,		/* begun */
	CONTROL_PROBE,		/* begun */
	CONTROL_MEND,		/* begun; @mended */
	CONTROL_ENDED,		/* has call @number ended? 1 or 0 */
	CONTROL_WAIT_EARLIER,	/* wait for a call at the function with a number
				 * below @number: 0 none; 1; -ETIMEDOUT: @number
				 * and its name in @text
				 */
	CONTROL_IOMMUFD,	/* open(2): the descriptor */
	CONTROL_CDEV,		/* likewise */
	CONTROL_UEVENTS,	/* a socket that struct kernel_uevent come from */
	CONTROL_POKE,		/* a memfd with text; on failure, words */
};

/**
 * struct control_request - A request
 * @magic:	CONTROL_MAGIC
 * @op:		enum control_op
 * @number:	See there
 * @timeout_ms:	CONTROL_WAIT_EARLIER: how long
 * @bdf:	The function; empty for none
 * @text:	CONTROL_SET_OVERRIDE: the driver; CONTROL_POKE: the command
 */
struct control_request {
	uint32_t magic;
	uint32_t op;
	uint64_t number;
	uint32_t timeout_ms;
	char bdf[BDF_SIZE];
	char text[512];
};

/**
 * struct control_hello - What the machine is
 * @info:		The kernel that it seems to have
 * @pid:		Its process
 * @next_call:		Calls with a number below are of earlier lives
 * @description:	Hash of the description that it was made of
 * @allow_unsafe:	iommufd.allow_unsafe_interrupts
 * @name:		File that it was made of
 */
struct control_hello {
	struct kernel_info info;
	int32_t pid;
	uint64_t next_call;
	uint64_t description;
	bool allow_unsafe;
	char name[256];
};

struct control_users {
	uint32_t n;
	struct error_cause causes[CONTROL_USERS_MAX];
};

/**
 * struct control_files - Open files of a function's cdev
 * @n:		How many are told
 * @inodes:	Of the sockets that processes have
 */
struct control_files {
	uint32_t n;
	uint64_t inodes[CONTROL_FILES_MAX];
};

/**
 * struct control_reply - An answer
 * @magic:	CONTROL_MAGIC
 * @result:	0 or positive; -errno
 * @begun:	This is no answer yet: the call has @number
 * @number:	Of the call
 */
struct control_reply {
	uint32_t magic;
	int32_t result;
	uint32_t begun;
	uint64_t number;
	union {
		struct control_hello hello;
		struct kernel_device device;
		struct control_users users;
		struct control_files files;
		char text[DRIVER_SIZE];
		bool mended;
	};
};

/**
 * struct control_inventory - Beginning of the memfd with an inventory
 *
 * Devices, groups, IOMMUs and reserved regions follow, as arrays of kernel.h's
 * structures: the regions of all groups, in the groups' order. Pointers in them
 * mean nothing.
 */
struct control_inventory {
	uint64_t n_devices, n_groups, n_iommus, n_reserved;
	uint32_t isolated_msi;
	uint32_t no_iommu_mode;
};

#endif
