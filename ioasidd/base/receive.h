/* SPDX-License-Identifier: Apache-2.0
 *
 * receive.h - descriptors of strangers, of which only memory comes in
 *
 * DOC: Theory of Operation
 *
 * close(2) of a file waits for its file system (FLUSH of FUSE), in the kernel,
 * where no signal reaches; and that can be a program of him who has sent it.
 * So we must never have a descriptor that we do not know. A packet with some is
 * received by a child, which has nothing else: it looks what they are, passes on
 * those that are of shmem or hugetlbfs, says what the others are, and ends with
 * them. If its end does not come it is left behind, and nothing with descriptors
 * is received of that uid until it does.
 *
 * The last reference is worse still than close(2): a TCP socket with SO_LINGER
 * waits for its other end, and FUSE for what was written and is not yet
 * (FUSE_WRITEBACK_CACHE). It is dropped where a packet is received without room for
 * its descriptors, and where a socket is closed in which one waits. So that is
 * left to a child too, whose end does not linger.
 */
#ifndef IOASIDD_BASE_RECEIVE_H
#define IOASIDD_BASE_RECEIVE_H

#include <stddef.h>
#include <sys/types.h>

/* Descriptors of one packet. */
#define RECEIVE_MAX 64

/* What stands in the place of one that did not come in. */
enum {
	RECEIVE_FILE = -1,
	RECEIVE_PIPE = -2,
	RECEIVE_SOCKET = -3,
	RECEIVE_DMABUF = -4,
	RECEIVE_KERNEL = -5,
};

/**
 * receive_memory() - Receive one packet, whose bytes are known already
 * @sock:	AF_UNIX SOCK_SEQPACKET, where it is waiting, not blocking; borrowed
 * @uid:	Of whom
 * @fds:	Room for RECEIVE_MAX: descriptors, close-on-exec, the caller's on
 *		success; and the above
 *
 * Not on the loop's thread.
 *
 * Return: 0; -EPROTO: there were too many, the packet is gone; -EBUSY: one that he
 * has sent before is not closed yet, and other errors: the packet still waits;
 * -ETIMEDOUT: it may or may not.
 */
int receive_memory(int sock, uid_t uid, int fds[RECEIVE_MAX], size_t *ret_n);

/**
 * receive_drop() - Have one packet dropped that waits with descriptors
 * @sock:	As above
 *
 * Waits for a child, but not for long: if its end does not come, this refuses
 * that uid from then on.
 *
 * Return: 0: it is gone; -errno: it may still wait.
 */
int receive_drop(int sock, uid_t uid);

/**
 * receive_end_consume() - Close a socket in which strangers' descriptors may wait
 * @sock:	As above; closed, if need be later
 *
 * If a child of that uid was left behind it stays open until that has ended. Waits
 * as receive_drop().
 */
void receive_end_consume(int sock, uid_t uid);

/* receive_close() - Close those that came in. */
void receive_close(int *fds, size_t n);

#endif
