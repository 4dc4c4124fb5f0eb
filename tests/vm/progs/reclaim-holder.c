/* SPDX-License-Identifier: Apache-2.0
 *
 * reclaim-holder IOMMUFD CDEV ACT... - a holder that does what a test wants
 *
 * The acts, one after the other; each says how it went on a line of its own:
 *
 *	bind	BIND the device to the iommufd: "bind: ok", "bind: EINVAL"
 *	id	the first word of BAR 0: "id: 010000ed"
 *	fork	a child says its pid, "child: 123", and goes on with the acts that
 *		follow; the parent does nothing any more
 *	park	send the cdev into a socket that nobody reads, close it
 *	drop	close that socket, and so the cdev
 *	drop-iommufd
 *		close the iommufd
 *	wait	for SIGUSR1, once "waiting" was said
 *
 * Then it waits until it is killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/uapi.h"
#include "libioasid/ioasid.h"

/* The two descriptors, and the ends of the socket. */
static int iommufd, cdev, ends[2] = { -1, -1 };

/**
 * say() - How an act went
 * @r:		0 or -1 with errno
 */
static void say(const char *act, int r)
{
	printf("%s: %s\n", act, r < 0 ? strerrorname_np(errno) : "ok");
}

static void act_bind(void)
{
	struct uapi_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.iommufd = iommufd,
	};

	say("bind", ioasid_ioctl(cdev, UAPI_DEVICE_BIND_IOMMUFD, &cmd));
}

static void act_id(void)
{
	struct uapi_region_info config = {
		.argsz = sizeof(config),
		.index = UAPI_PCI_CONFIG_REGION_INDEX,
	};
	struct uapi_region_info bar = { .argsz = sizeof(bar), .index = 0 };
	const uint8_t memory[2] = { 2, 0 };
	uint32_t word = 0;

	if (ioasid_ioctl(cdev, UAPI_DEVICE_GET_REGION_INFO, &config) ||
	    ioasid_ioctl(cdev, UAPI_DEVICE_GET_REGION_INFO, &bar) ||
	    ioasid_pwrite(cdev, memory, 2, (off_t)config.offset + 4) != 2 ||
	    ioasid_pread(cdev, &word, 4, (off_t)bar.offset) != 4)
		say("id", -1);
	else
		printf("id: %08x\n", word);
}

static void act_fork(void)
{
	pid_t pid = fork();

	/* The child says it: what it says next must not come before. */
	if (pid == 0) {
		printf("child: %d\n", (int)getpid());
		return;
	}
	if (pid < 0)
		say("fork", -1);
	for (;;)
		pause();
}

static void act_park(void)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &cdev, sizeof(int));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) ||
	    sendmsg(ends[0], &msg, 0) != 1) {
		say("park", -1);
		return;
	}
	close(cdev);
	say("park", 0);
}

static void act_wait(void)
{
	sigset_t set;
	int number;

	printf("waiting\n");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigwait(&set, &number);
}

static void act_drop(void)
{
	close(ends[0]);
	close(ends[1]);
	say("drop", 0);
}

static void act_drop_iommufd(void)
{
	say("drop-iommufd", close(iommufd));
}

static const struct {
	const char *name;
	void (*fn)(void);
} acts[] = {
	{ "bind", act_bind },	{ "id", act_id },
	{ "fork", act_fork },	{ "park", act_park },
	{ "wait", act_wait },	{ "drop", act_drop },
	{ "drop-iommufd", act_drop_iommufd },
};

int main(int argc, char **argv)
{
	const size_t n = sizeof(acts) / sizeof(acts[0]);
	sigset_t set;
	size_t j;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (argc < 3) {
		fprintf(stderr, "usage: reclaim-holder IOMMUFD CDEV ACT...\n");
		return 2;
	}
	iommufd = atoi(argv[1]);
	cdev = atoi(argv[2]);
	for (int i = 3; i < argc; i++) {
		for (j = 0; j < n && strcmp(argv[i], acts[j].name); j++)
			;
		if (j == n) {
			fprintf(stderr, "there is no act '%s'\n", argv[i]);
			return 2;
		}
		acts[j].fn();
	}
	printf("done\n");
	for (;;)
		pause();
}
