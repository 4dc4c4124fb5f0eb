/* SPDX-License-Identifier: Apache-2.0
 *
 * many.c - what a machine with thousands of devices costs
 *
 *	many IOASIDD-SIM MANY FEW FOLDER
 *
 * MANY and FEW are descriptions of machines; the daemon's state may be below
 * FOLDER. The reference is the same daemon on the machine with few devices, and
 * a listing is counted by the device: a ratio of 1 says that a device costs
 * what it costs, however many there are.
 */
#include <sys/stat.h>

#include "base/str.h"
#include "bench.h"
#include "libioasid/ioasid.h"

#define ROUNDS 9

/**
 * struct pair - Both machines
 * @many:	Of the benchmark
 * @few:	The reference
 */
struct pair {
	struct daemon many, few;
};

/**
 * start() - Start a daemon on a machine that is made for it
 *
 * Return: milliseconds.
 */
static double start(struct daemon *daemon)
{
	uint64_t start = clock_mono_ns(), end;
	int sock = daemon_start(daemon);

	end = clock_mono_ns();
	close(sock);
	daemon_stop(daemon);
	return (double)(end - start) / 1e6;
}

/* start_many() - On the machine with many devices */
static double start_many(void *data)
{
	return start(&((struct pair *)data)->many);
}

/* start_few() - On the other one */
static double start_few(void *data)
{
	return start(&((struct pair *)data)->few);
}

/**
 * list() - List all devices, page by page, as a client does
 *
 * Return: microseconds for one device.
 */
static double list(const struct daemon *daemon)
{
	struct ioasid_device_list *devices;
	struct ioasid_error err;
	struct sockaddr_un addr;
	struct ioasid *conn;
	uint64_t start;
	double us;

	daemon_socket(daemon, &addr);
	if (ioasid_connect(addr.sun_path, START_MS, &conn, &err) < 0)
		die("connect: %s", err.message);
	start = clock_mono_ns();
	if (ioasid_device_list(conn, true, &devices, &err) < 0)
		die("list: %s", err.message);
	us = (double)(clock_mono_ns() - start) / 1e3 / (double)devices->n;
	ioasid_device_list_free(devices);
	ioasid_disconnect(conn);
	return us;
}

/* list_many() - On the machine with many devices */
static double list_many(void *data)
{
	return list(&((struct pair *)data)->many);
}

/* list_few() - On the other one */
static double list_few(void *data)
{
	return list(&((struct pair *)data)->few);
}

/**
 * init() - A daemon and its machine
 * @folder:	Of both
 * @name:	Of its own below that
 */
static void init(struct daemon *daemon, const char *program,
		 const char *machine, const char *folder, const char *name)
{
	daemon->program = program;
	daemon->machine = machine;
	if (!str_format(daemon->dir, sizeof(daemon->dir), "%s/%s", folder,
			name) ||
	    mkdir(daemon->dir, 0700) < 0)
		die("%s/%s: %m", folder, name);
}

int main(int argc, char **argv)
{
	struct pair pair = { .many.pid = 0 };
	struct bench row = { .data = &pair, .rounds = ROUNDS };
	int many, few;

	if (argc != 5)
		die("many IOASIDD-SIM MANY FEW FOLDER");
	init(&pair.many, argv[1], argv[2], argv[4], "many");
	init(&pair.few, argv[1], argv[3], argv[4], "few");

	bench_title("a simulated machine with 4,096 VFs",
		    "the same on the machine of packaging/machines/testbed.json",
		    "milliseconds", "lower");
	row.what = "start: machine, database, first answer";
	row.ours = start_many;
	row.reference = start_few;
	bench_run(&row);

	bench_title("listing all its devices", "likewise",
		    "microseconds for one device", "lower");
	many = daemon_start(&pair.many);
	few = daemon_start(&pair.few);
	row.what = "libioasid, all pages";
	row.ours = list_many;
	row.reference = list_few;
	bench_run(&row);
	close(many);
	close(few);
	daemon_stop(&pair.many);
	daemon_stop(&pair.few);
	return 0;
}
