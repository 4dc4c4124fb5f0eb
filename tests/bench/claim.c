/* SPDX-License-Identifier: Apache-2.0
 *
 * claim.c - how long it takes to get a device's descriptors
 *
 * For the test machine. A process connects, claims its lease, acknowledges, and
 * has an iommufd and a device. The reference opens the same two files itself,
 * as root: what ioasidd adds is who may, a durable record, and the hand-over.
 * Each measurement is in a process of its own, which is how a lease ends. The
 * machine has no disk but memory: what durability costs is in store.c.
 */
#include <dirent.h>

#include "base/str.h"
#include "bench.h"
#include "libioasid/ioasid.h"

#define ROUNDS 11
#define TIMEOUT_MS 60000

/**
 * struct claiming - What is claimed
 * @conn:	root's connection
 * @path:	The daemon's socket
 * @bdf:	The device's address
 * @device:	Its name
 */
struct claiming {
	struct ioasid *conn;
	const char *path;
	const char *bdf;
	char device[64];
};

/* refused() - End with the words of an error */
static void refused(const char *what, const struct ioasid_error *err)
{
	die("%s: %s: %s [%s]", what, err->object, err->message, err->id);
}

/**
 * in_child() - Run something in a process of its own
 * @fn:		Returns how long it took, microseconds
 *
 * Return: what @fn said. Its process has ended.
 */
static double in_child(double (*fn)(const struct claiming *c, const char *arg),
		       const struct claiming *c, const char *arg)
{
	double took;
	int ends[2];
	pid_t pid;
	int status;

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe: %m");
	pid = fork();
	if (pid < 0)
		die("fork: %m");
	if (pid == 0) {
		took = fn(c, arg);
		_exit(write(ends[1], &took, sizeof(took)) != sizeof(took));
	}
	close(ends[1]);
	if (read(ends[0], &took, sizeof(took)) != sizeof(took))
		die("the child has said nothing");
	close(ends[0]);
	if (waitpid(pid, &status, 0) < 0 || status)
		die("the child ended with %#x", status);
	return took;
}

/* claim() - Get them from ioasidd; in a child */
static double claim(const struct claiming *c, const char *lease)
{
	uint64_t start = clock_mono_ns();
	struct ioasid_claim *claim;
	struct ioasid_error err;
	struct ioasid *conn;

	if (ioasid_connect(c->path, TIMEOUT_MS, &conn, &err) < 0)
		refused("connect", &err);
	if (ioasid_lease_claim(conn, lease, &claim, &err) < 0)
		refused("claim", &err);
	if (ioasid_lease_acknowledge(conn, lease, &err) < 0)
		refused("acknowledge", &err);
	return (double)(clock_mono_ns() - start) / 1e3;
}

/* open_both() - Get them by hand; in a child */
static double open_both(const struct claiming *c, const char *cdev)
{
	uint64_t start = clock_mono_ns();

	if (open("/dev/iommu", O_RDWR | O_CLOEXEC) < 0)
		die("/dev/iommu: %m");
	if (open(cdev, O_RDWR | O_CLOEXEC) < 0)
		die("%s: %m", cdev);
	return (double)(clock_mono_ns() - start) / 1e3;
}

/**
 * measure_claim() - Offer, claim, and wait until the device is ready again
 * @data:	struct claiming
 *
 * Return: microseconds of the claim.
 */
static double measure_claim(void *data)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	uint64_t end = clock_mono_ns() + TIMEOUT_MS * UINT64_C(1000000);
	const struct claiming *c = data;
	const char *device = c->device;
	struct ioasid_offer offer = {
		.size = sizeof(offer),
		.devices = &device,
		.n_devices = 1,
		.claimant_uid = getuid(),
	};
	struct ioasid_lease *lease;
	struct ioasid_error err;
	bool ended = false;
	char name[64];
	double took;

	if (ioasid_lease_create(c->conn, &offer, &lease, &err) < 0)
		refused("offer", &err);
	str_copy(name, sizeof(name), lease->name);
	ioasid_lease_free(lease);
	took = in_child(claim, c, name);
	while (!ended) {
		if (ioasid_lease_get(c->conn, name, &lease, &err) < 0)
			refused("look at the lease", &err);
		ended = lease->state == IOASID_LEASE_ENDED;
		ioasid_lease_free(lease);
		if (clock_mono_ns() > end)
			die("%s does not end", name);
		(void)nanosleep(&nap, NULL);
	}
	return took;
}

/**
 * measure_open() - Open the same files by hand
 * @data:	struct claiming
 *
 * The number of the node is another one after each lease.
 *
 * Return: microseconds.
 */
static double measure_open(void *data)
{
	const struct claiming *c = data;
	char path[320] = "";
	struct dirent *entry;
	DIR *dir;

	str_format(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev",
		   c->bdf);
	dir = opendir(path);
	if (!dir)
		die("%s: %m", path);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			str_format(path, sizeof(path), "/dev/vfio/devices/%s",
				   entry->d_name);
	closedir(dir);
	return in_child(open_both, c, path);
}

/**
 * change() - Wait for an operation
 * @r:		What its start gave
 * @op:		The operation
 * @what:	It, in words
 */
static void change(const struct claiming *c, int r, struct ioasid_operation *op,
		   const char *what, struct ioasid_error *err)
{
	struct ioasid_operation *end;

	if (r < 0)
		refused(what, err);
	if (ioasid_operation_wait(c->conn, op->name, TIMEOUT_MS, &end, err) < 0)
		refused(what, err);
	if (end->state != IOASID_OPERATION_DONE)
		die("%s: not done", what);
	ioasid_operation_free(op);
	ioasid_operation_free(end);
}

int main(void)
{
	struct daemon daemon = { .program = "/usr/local/bin/ioasidd" };
	struct claiming c = { .bdf = getenv("EDU0") };
	struct bench bench = { .what = "an iommufd and one device",
			       .ours = measure_claim, .data = &c,
			       .reference = measure_open, .rounds = ROUNDS };
	struct ioasid_operation *op = NULL;
	struct sockaddr_un addr;
	struct ioasid_error err;
	int r;

	if (!c.bdf)
		die("there is no EDU0: this is not the test machine");
	str_copy(daemon.dir, sizeof(daemon.dir), "/tmp/bench.XXXXXX");
	if (!mkdtemp(daemon.dir))
		die("mkdtemp: %m");
	close(daemon_start(&daemon));
	daemon_socket(&daemon, &addr);
	c.path = addr.sun_path;
	str_format(c.device, sizeof(c.device), "devices/pci-%s", c.bdf);
	for (char *p = c.device; *p; p++)
		*p = *p == ':' ? '-' : *p;
	if (ioasid_connect(c.path, TIMEOUT_MS, &c.conn, &err) < 0)
		refused("connect", &err);
	r = ioasid_device_prepare(c.conn, c.device, NULL, 0, &op, &err);
	change(&c, r, op, "prepare", &err);

	bench_title("connect, claim, acknowledge; the database in memory",
		    "open(2) of /dev/iommu and of the device's node by root",
		    "microseconds of the test machine, which is emulated",
		    "lower");
	bench_run(&bench);

	r = ioasid_device_restore(c.conn, c.device, &op, &err);
	change(&c, r, op, "restore", &err);
	ioasid_disconnect(c.conn);
	daemon_stop(&daemon);
	printf("ok 1 - bench/claim has measured\n1..1\n");
	return 0;
}
