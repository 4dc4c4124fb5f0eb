/* SPDX-License-Identifier: Apache-2.0
 *
 * cycle.c - offer, claim, die, wait until the devices are ready; again
 *
 *	cycle [hold] COUNT UID DEVICE...
 *
 * As root. "hold": in leases that nobody claims again in their grace, each with a
 * space. Each round offers every DEVICE in a lease of its own to UID, and for
 * each lease a child of that uid connects, claims, acknowledges and ends. Ends
 * with the number of leases when all of them have, and the devices are ready.
 */
#include <grp.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "prog.h"

#define DEVICES_MAX 8
#define LEASE_SIZE 64
#define GRACE_MS 1

/**
 * offer() - Offer a device
 * @conn:	The connection, root's
 * @mode:	How it is handed over
 * @device:	Its name
 * @uid:	To whom
 * @ret:	The lease's name
 */
static void offer(struct ioasid *conn, enum ioasid_lease_mode mode,
		  const char *device, uid_t uid, char ret[LEASE_SIZE])
{
	const bool hold = mode == IOASID_LEASE_HOLD;
	const struct ioasid_space_wish space = {
		.devices = &device,
		.n_devices = 1,
	};
	struct ioasid_offer offer = {
		.size = sizeof(offer),
		.devices = &device,
		.n_devices = 1,
		.claimant_uid = uid,
		.mode = mode,
		.grace_ms = hold ? GRACE_MS : 0,
		.spaces = hold ? &space : NULL,
		.n_spaces = hold,
	};
	struct ioasid_lease *lease;
	struct ioasid_error err;

	if (ioasid_lease_create(conn, &offer, &lease, &err) < 0)
		refused("offer", &err);
	snprintf(ret, LEASE_SIZE, "%s", lease->name);
	ioasid_lease_free(lease);
}

/**
 * start_holder() - Hold a lease for a moment, in a child
 * @lease:	Its name
 * @uid:	As whom
 *
 * Return: the child's pid.
 */
static pid_t start_holder(const char *lease, uid_t uid)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %m");
	if (pid > 0)
		return pid;
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		die("setresuid: %m");
	(void)claim_lease(connect_daemon(), lease);
	_exit(0);
}

/**
 * wait_end() - Until a lease has ended
 * @conn:	The connection
 * @name:	Its name
 */
static void wait_end(struct ioasid *conn, const char *name)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	struct ioasid_lease *lease;
	struct ioasid_error err;
	int i;

	for (i = 0; i < TIMEOUT_MS / 5; i++) {
		enum ioasid_lease_state state;

		if (ioasid_lease_get(conn, name, &lease, &err) < 0)
			refused("look at the lease", &err);
		state = lease->state;
		ioasid_lease_free(lease);
		if (state == IOASID_LEASE_ENDED)
			return;
		(void)nanosleep(&nap, NULL);
	}
	die("%s does not end", name);
}

/**
 * expect_ready() - Is a device ready?
 * @conn:	The connection
 * @name:	Its name
 */
static void expect_ready(struct ioasid *conn, const char *name)
{
	struct ioasid_device *device;
	struct ioasid_error err;

	if (ioasid_device_get(conn, name, &device, &err) < 0)
		refused("look at the device", &err);
	if (device->state != IOASID_DEVICE_READY)
		die("%s is in state %d: %s", name, device->state,
		    device->state_reason);
	ioasid_device_free(device);
}

int main(int argc, char **argv)
{
	enum ioasid_lease_mode mode = IOASID_LEASE_TRANSFER;
	char leases[DEVICES_MAX][LEASE_SIZE];
	pid_t pids[DEVICES_MAX];
	int i, rounds, n, count = 0;
	struct ioasid *conn;
	uid_t uid;

	if (argc > 1 && !strcmp(argv[1], "hold")) {
		mode = IOASID_LEASE_HOLD;
		argv++;
		argc--;
	}
	n = argc - 3;
	if (n < 1 || n > DEVICES_MAX)
		die("cycle [hold] COUNT UID DEVICE...");
	uid = (uid_t)strtoul(argv[2], NULL, 10);
	conn = connect_daemon();
	for (rounds = atoi(argv[1]); rounds > 0; rounds--) {
		for (i = 0; i < n; i++) {
			offer(conn, mode, argv[3 + i], uid, leases[i]);
			pids[i] = start_holder(leases[i], uid);
		}
		for (i = 0; i < n; i++) {
			int status;

			if (waitpid(pids[i], &status, 0) < 0 || status)
				die("the holder of %s ended with %#x",
				    leases[i], status);
			wait_end(conn, leases[i]);
			expect_ready(conn, argv[3 + i]);
			count++;
		}
	}
	ioasid_disconnect(conn);
	printf("%d leases\n", count);
	return 0;
}
