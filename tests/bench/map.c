/* SPDX-License-Identifier: Apache-2.0
 *
 * map.c - what libioasid's mappings cost beside the system calls they make
 *
 *	map			in the test machine, on its kernel
 *	map IOASIDD-SIM MACHINE FOLDER
 *
 * In the test machine: memory is mapped in the space of a device that is
 * attached, and unmapped, by libioasid and by ioctl(2) itself, in one process
 * and on one iommufd. All of it lies on huge pages, as a guest's memory should.
 * On the simulation: a large guest's memory, piece by piece, against that of a
 * small one. A ratio of 1 says that a piece costs what it costs, however many
 * there are.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/str.h"
#include "base/uapi.h"
#include "bench.h"
#include "libioasid/ioasid.h"

#define ROUNDS 30
#define TIMEOUT_MS 60000

#define PAGE 4096ULL
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
/* Where it is mapped: clear of all that x86 machines reserve. */
#define AT (4 * GIB)
#define RW (IOASID_MAP_READ | IOASID_MAP_WRITE)

/* A measurement is as many mappings as take so long. Within it both take turns
 * that are this short, and the median turn counts: what else the host does in
 * between meets few of them, and both alike.
 */
#define BLOCK_NS 100000000
#define TURN_NS 1000000
#define TURNS_MAX (BLOCK_NS / TURN_NS + 1)

/**
 * struct mapping - What is mapped and unmapped
 * @iommufd:	The context
 * @ioas:	Id of the device's space
 * @cache:	Id of a space that has all of the memory pinned, to copy from
 * @memory:	The memory
 * @length:	Of one mapping, bytes
 * @n:		How many in one turn
 */
struct mapping {
	int iommufd;
	uint32_t ioas, cache;
	char *memory;
	uint64_t length;
	unsigned int n;
};

/* refused() - End with the words of an error */
static _Noreturn void refused(const char *what, const struct ioasid_error *err)
{
	die("%s: %s: %s [%s]", what, err->object, err->message, err->id);
}

/* since() - Nanoseconds since then, for one of @n */
static double since(uint64_t start, unsigned int n)
{
	return (double)(clock_mono_ns() - start) / n;
}

/* --- libioasid and ioctl(2) --- */

/* map_ours() - ioasid_map(), ioasid_unmap(). Return: nanoseconds for both. */
static double map_ours(void *data)
{
	const struct mapping *m = data;
	uint64_t start = clock_mono_ns();
	struct ioasid_error err;

	for (unsigned int i = 0; i < m->n; i++) {
		uint64_t iova = AT;

		if (ioasid_map(m->iommufd, m->ioas, m->memory, m->length,
			       RW | IOASID_MAP_FIXED, &iova, &err) < 0)
			refused("map", &err);
		if (ioasid_unmap(m->iommufd, m->ioas, iova, m->length, NULL,
				 &err) < 0)
			refused("unmap", &err);
	}

	return since(start, m->n);
}

/* unmap_raw() - IOMMU_IOAS_UNMAP */
static void unmap_raw(const struct mapping *m)
{
	struct uapi_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = m->ioas,
		.iova = AT,
		.length = m->length,
	};

	if (ioctl(m->iommufd, UAPI_IOAS_UNMAP, &unmap) < 0)
		die("IOMMU_IOAS_UNMAP: %m");
}

/* map_raw() - IOMMU_IOAS_MAP and IOMMU_IOAS_UNMAP, likewise */
static double map_raw(void *data)
{
	const struct mapping *m = data;
	uint64_t start = clock_mono_ns();

	for (unsigned int i = 0; i < m->n; i++) {
		struct uapi_ioas_map map = {
			.size = sizeof(map),
			.flags = RW | IOASID_MAP_FIXED,
			.ioas_id = m->ioas,
			.user_va = (uintptr_t)m->memory,
			.length = m->length,
			.iova = AT,
		};

		if (ioctl(m->iommufd, UAPI_IOAS_MAP, &map) < 0)
			die("IOMMU_IOAS_MAP: %m");
		unmap_raw(m);
	}

	return since(start, m->n);
}

/* copy_ours() - ioasid_copy(), ioasid_unmap() */
static double copy_ours(void *data)
{
	const struct mapping *m = data;
	uint64_t start = clock_mono_ns();
	struct ioasid_error err;

	for (unsigned int i = 0; i < m->n; i++) {
		uint64_t iova = AT;

		if (ioasid_copy(m->iommufd, m->ioas, m->cache, 0, m->length,
				RW | IOASID_MAP_FIXED, &iova, &err) < 0)
			refused("copy", &err);
		if (ioasid_unmap(m->iommufd, m->ioas, iova, m->length, NULL,
				 &err) < 0)
			refused("unmap", &err);
	}

	return since(start, m->n);
}

/* copy_raw() - IOMMU_IOAS_COPY and IOMMU_IOAS_UNMAP */
static double copy_raw(void *data)
{
	const struct mapping *m = data;
	uint64_t start = clock_mono_ns();

	for (unsigned int i = 0; i < m->n; i++) {
		struct uapi_ioas_copy copy = {
			.size = sizeof(copy),
			.flags = RW | IOASID_MAP_FIXED,
			.dst_ioas_id = m->ioas,
			.src_ioas_id = m->cache,
			.length = m->length,
			.dst_iova = AT,
		};

		if (ioctl(m->iommufd, UAPI_IOAS_COPY, &copy) < 0)
			die("IOMMU_IOAS_COPY: %m");
		unmap_raw(m);
	}

	return since(start, m->n);
}

/**
 * struct pair - Both, in turns
 * @m:		What is mapped
 * @fn:		libioasid and ioctl(2)
 * @turns:	How many each has in one measurement
 * @ns:		What both have taken: their median turns
 * @taken:	Only one of them has been asked for so far
 */
struct pair {
	struct mapping *m;
	double (*fn[2])(void *data);
	unsigned int turns;
	double ns[2];
	bool taken;
};

/* take() - Measure both, or say what was measured with the other one */
static double take(struct pair *pair, int which)
{
	double turn[2][TURNS_MAX];

	if (!pair->taken) {
		for (unsigned int i = 0; i < pair->turns; i++) {
			int first = (int)i % 2;

			turn[first][i] = pair->fn[first](pair->m);
			turn[!first][i] = pair->fn[!first](pair->m);
		}
		for (int i = 0; i < 2; i++)
			pair->ns[i] = bench_median(turn[i], (int)pair->turns);
	}
	pair->taken = !pair->taken;
	return pair->ns[which];
}

static double take_ours(void *data)
{
	return take(data, 0);
}

static double take_raw(void *data)
{
	return take(data, 1);
}

/* measure() - A row: first find out how many mappings take long enough */
static void measure(struct mapping *m, const char *what, uint64_t length,
		    double (*ours)(void *data), double (*raw)(void *data))
{
	struct pair pair = { .m = m, .fn = { ours, raw } };
	struct bench row = { .what = what, .ours = take_ours,
			     .reference = take_raw, .data = &pair,
			     .rounds = ROUNDS };
	double one;

	m->length = length;
	m->n = 4;
	one = raw(m);
	m->n = (unsigned int)(TURN_NS / one) + 1;
	pair.turns = (unsigned int)(BLOCK_NS / (one * m->n)) + 1;
	if (pair.turns > TURNS_MAX)
		pair.turns = TURNS_MAX;
	bench_run(&row);
}

/* device_name() - The resource name of a device at an address */
static void device_name(const char *bdf, char ret[64])
{
	str_format(ret, 64, "devices/pci-%s", bdf);
	for (char *p = ret; *p; p++)
		*p = *p == ':' ? '-' : *p;
}

/* --- guarded leases --- */

/* Entries of one request, as many as there can be. */
#define ENTRIES 1000

/**
 * struct guarded - A guarded lease, and what is compared with it
 * @conn:	Its holder's connection
 * @lease:	Its name
 * @space:	Of its space
 * @file:	Memory that the daemon has made for it
 * @entries:	@n of them are mapped at once
 * @ranges:	Likewise unmapped
 * @raw:	A context of one's own, for ioctl(2)
 */
struct guarded {
	struct ioasid *conn;
	const char *lease, *space;
	int file;
	struct ioasid_memory_entry entries[ENTRIES];
	struct ioasid_memory_range ranges[ENTRIES];
	size_t n;
	struct mapping raw;
};

/* map_guarded() - Have it mapped and unmapped. Return: us for both, an entry. */
static double map_guarded(void *data)
{
	struct guarded *g = data;
	struct ioasid_error err;
	uint64_t start;

	for (size_t i = 0; i < g->n; i++) {
		g->entries[i] = (struct ioasid_memory_entry){
			.space = g->space, .fd = g->file, .length = PAGE,
			.offset = i * PAGE, .iova = AT + i * PAGE,
			.writable = true,
		};
		g->ranges[i] = (struct ioasid_memory_range){
			.space = g->space, .iova = AT + i * PAGE,
			.length = PAGE,
		};
	}
	start = clock_mono_ns();
	if (ioasid_memory_map(g->conn, g->lease, g->entries, g->n, &err) < 0)
		refused("have it mapped", &err);
	if (ioasid_memory_unmap(g->conn, g->lease, g->ranges, g->n, NULL,
				&err) < 0)
		refused("have it unmapped", &err);
	return since(start, (unsigned int)g->n) / 1e3;
}

/* map_file_raw() - IOMMU_IOAS_MAP_FILE and IOMMU_IOAS_UNMAP, as many times */
static double map_file_raw(void *data)
{
	const struct guarded *g = data;
	uint64_t start = clock_mono_ns();

	for (size_t i = 0; i < g->n; i++) {
		struct uapi_ioas_map_file map = {
			.size = sizeof(map),
			.flags = RW | IOASID_MAP_FIXED,
			.ioas_id = g->raw.ioas,
			.fd = g->file,
			.start = i * PAGE,
			.length = PAGE,
			.iova = AT,
		};

		if (ioctl(g->raw.iommufd, UAPI_IOAS_MAP_FILE, &map) < 0)
			die("IOMMU_IOAS_MAP_FILE: %m");
		unmap_raw(&g->raw);
	}
	return since(start, (unsigned int)g->n) / 1e3;
}

/* measure_guarded() - A row, of so many at once */
static void measure_guarded(struct guarded *g, const char *what, size_t n)
{
	struct bench row = { .what = what, .ours = map_guarded,
			     .reference = map_file_raw, .data = g,
			     .rounds = ROUNDS };

	g->n = n;
	bench_run(&row);
}

/**
 * guarded() - Lease a device to ourselves, guarded, and measure
 * @path:	The daemon's socket
 * @bdf:	The device's address
 * @raw:	What is compared with it
 */
static void guarded(const char *path, const char *bdf,
		    const struct mapping *raw)
{
	struct ioasid_window_wish window = { .size = GIB, .start = AT,
					     .has_start = true };
	struct ioasid_space_wish space = { .windows = &window, .n_windows = 1,
					   .n_devices = 1 };
	struct ioasid_offer offer = { .size = sizeof(offer), .n_devices = 1,
				      .claimant_uid = getuid(),
				      .mode = IOASID_LEASE_GUARDED,
				      .memlock_bytes = GIB, .spaces = &space,
				      .n_spaces = 1, .is_volatile = true };
	static struct guarded g;
	struct ioasid_operation *op, *end;
	struct ioasid_claim *claim;
	struct ioasid_lease *lease;
	struct ioasid_error err;
	const char *device;
	char name[64];

	device_name(bdf, name);
	device = name;
	offer.devices = space.devices = &device;
	g.raw = *raw;
	g.raw.length = PAGE;
	if (ioasid_connect(path, TIMEOUT_MS, &g.conn, &err) < 0 ||
	    ioasid_device_prepare(g.conn, name, NULL, 0, &op, &err) < 0 ||
	    ioasid_operation_wait(g.conn, op->name, TIMEOUT_MS, &end, &err) <
		    0 ||
	    ioasid_lease_create(g.conn, &offer, &lease, &err) < 0 ||
	    ioasid_lease_claim(g.conn, lease->name, &claim, &err) < 0 ||
	    ioasid_lease_acknowledge(g.conn, lease->name, &err) < 0)
		refused(name, &err);
	g.lease = lease->name;
	g.space = claim->lease->spaces[0]->name;
	if (ioasid_memory_create(g.conn, g.lease, ENTRIES * PAGE, 0, &g.file,
				 &err) < 0)
		refused("memory", &err);
	if (posix_fallocate(g.file, 0, ENTRIES * PAGE) != 0)
		die("populate");

	bench_title("a guarded lease: 4 KiB mapped by the daemon and unmapped",
		    "IOMMU_IOAS_MAP_FILE and UNMAP of one's own",
		    "microseconds an entry; the daemon commits twice", "lower");
	measure_guarded(&g, "one at a time", 1);
	measure_guarded(&g, "1,000 at once", ENTRIES);

	close(g.file);
	ioasid_claim_free(claim);
	ioasid_lease_free(lease);
	ioasid_operation_free(op);
	ioasid_operation_free(end);
	ioasid_disconnect(g.conn);
}

/* --- the device --- */

/**
 * attach_device() - Lease a device to ourselves and put it on a space
 * @path:	The daemon's socket
 * @bdf:	The device's address
 * @ret_device:	Its id in the context
 *
 * Return: the descriptors.
 */
static struct ioasid_claim *attach_device(const char *path, const char *bdf,
					  uint32_t *ret_ioas,
					  uint32_t *ret_device)
{
	struct ioasid_offer offer = { .size = sizeof(offer), .n_devices = 1,
				      .claimant_uid = getuid(),
				      .guest_memory = GIB };
	struct ioasid_operation *op = NULL, *end;
	struct ioasid_claim *claim;
	struct ioasid_lease *lease;
	struct ioasid_error err;
	struct ioasid *conn;
	const char *device;
	char name[64];

	device_name(bdf, name);
	device = name;
	offer.devices = &device;
	if (ioasid_connect(path, TIMEOUT_MS, &conn, &err) < 0 ||
	    ioasid_device_prepare(conn, name, NULL, 0, &op, &err) < 0 ||
	    ioasid_operation_wait(conn, op->name, TIMEOUT_MS, &end, &err) < 0 ||
	    ioasid_lease_create(conn, &offer, &lease, &err) < 0 ||
	    ioasid_lease_claim(conn, lease->name, &claim, &err) < 0 ||
	    ioasid_lease_acknowledge(conn, lease->name, &err) < 0)
		refused(name, &err);
	if (ioasid_cdev_bind(claim->devices[0].fd, claim->iommufd, ret_device,
			     &err) < 0 ||
	    ioasid_ioas_new(claim->iommufd, ret_ioas, &err) < 0 ||
	    ioasid_cdev_attach(claim->devices[0].fd, *ret_ioas, &err) < 0)
		refused(name, &err);
	ioasid_lease_free(lease);
	ioasid_operation_free(op);
	ioasid_operation_free(end);
	ioasid_disconnect(conn);

	return claim;
}

/* huge_memory() - Memory on pages of 2 MiB, which are there afterwards */
static char *huge_memory(uint64_t size)
{
	const char *path = "/proc/sys/vm/nr_hugepages";
	FILE *file = fopen(path, "we");
	char *memory;

	if (!file || fprintf(file, "%llu\n",
			     (unsigned long long)(size / (2 * MIB))) < 0 ||
	    fclose(file) != 0)
		die("%s: %m", path);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE,
		      -1, 0);
	if (memory == MAP_FAILED)
		die("%llu MiB of huge pages: %m",
		    (unsigned long long)(size / MIB));

	return memory;
}

/* real() - In the test machine */
static void real(void)
{
	struct daemon daemon = { .program = "/usr/local/bin/ioasidd" };
	struct mapping m = { .memory = huge_memory(GIB) };
	const char *bdf = getenv("EDU0");
	struct ioasid_claim *claim;
	uint32_t device, pinned;
	struct sockaddr_un addr;
	struct ioasid_error err;
	uint64_t zero = 0;

	if (!bdf)
		die("there is no EDU0: this is not the test machine");
	str_copy(daemon.dir, sizeof(daemon.dir), "/tmp/bench.XXXXXX");
	if (!mkdtemp(daemon.dir))
		die("mkdtemp: %m");
	close(daemon_start(&daemon));
	daemon_socket(&daemon, &addr);
	claim = attach_device(addr.sun_path, bdf, &m.ioas, &device);
	m.iommufd = claim->iommufd;

	bench_title("map and unmap, for an attached device; huge pages",
		    "the same calls by ioctl(2), in the same process",
		    "nanoseconds of the test machine, which is emulated",
		    "lower");
	measure(&m, "ioasid_map + ioasid_unmap, 4 KiB", PAGE, map_ours,
		map_raw);
	measure(&m, "ioasid_map + ioasid_unmap, 2 MiB", 2 * MIB, map_ours,
		map_raw);
	measure(&m, "ioasid_map + ioasid_unmap, 1 GiB", GIB, map_ours, map_raw);

	if (ioasid_ioas_new(m.iommufd, &m.cache, &err) < 0 ||
	    ioasid_map(m.iommufd, m.cache, m.memory, GIB, RW | IOASID_MAP_FIXED,
		       &zero, &err) < 0)
		refused("cache", &err);
	measure(&m, "ioasid_copy + ioasid_unmap, 4 KiB", PAGE, copy_ours,
		copy_raw);
	if (ioasid_ioas_pin(m.iommufd, m.cache, device, &pinned, &err) < 0)
		refused("pin", &err);
	measure(&m, "the same out of what is pinned", PAGE, copy_ours,
		copy_raw);

	if (getenv("EDU1"))
		guarded(addr.sun_path, getenv("EDU1"), &m);

	ioasid_claim_free(claim);
	daemon_stop(&daemon);
	printf("ok 1 - bench/map has measured\n1..1\n");
}

/* --- the simulation --- */

/**
 * struct guest - A guest's memory
 * @iommufd:	The context
 * @ioas:	Id of the device's space
 * @file:	A memfd, long enough for the largest
 * @pieces:	Room for those of the largest
 */
struct guest {
	int iommufd;
	uint32_t ioas;
	int file;
	struct ioasid_piece *pieces;
};

/* map_guest() - All of its memory, and not any more. Return: us a piece. */
static double map_guest(const struct guest *guest, uint64_t size)
{
	size_t n = size / (2 * MIB), done;
	struct ioasid_error err;
	uint64_t start, bytes;

	for (size_t i = 0; i < n; i++)
		guest->pieces[i] = (struct ioasid_piece){
			.iova = AT + i * 2 * MIB, .length = 2 * MIB,
			.at = i * 2 * MIB, .flags = RW | IOASID_MAP_FIXED,
		};
	start = clock_mono_ns();
	if (ioasid_map_file_batch(guest->iommufd, guest->ioas, guest->file,
				  guest->pieces, n, 0, &done, &err) < 0)
		refused("guest", &err);
	if (ioasid_unmap_all(guest->iommufd, guest->ioas, &bytes, &err) < 0)
		refused("guest", &err);
	if (bytes != size)
		die("%llu bytes were mapped", (unsigned long long)bytes);

	return since(start, (unsigned int)n) / 1e3;
}

static double map_large(void *data)
{
	return map_guest(data, 64 * GIB);
}

static double map_small(void *data)
{
	return map_guest(data, GIB);
}

/* simulated() - On ioasidd-sim */
static void simulated(const char *program, const char *machine,
		      const char *folder)
{
	struct daemon daemon = { .program = program, .machine = machine };
	struct guest guest = { .file = memfd_create("guest", MFD_CLOEXEC) };
	struct bench row = { .what = "ioasid_map_file_batch, 2 MiB a piece",
			     .ours = map_large, .reference = map_small,
			     .data = &guest, .rounds = 5 };
	struct ioasid_claim *claim;
	struct sockaddr_un addr;
	uint32_t device;

	guest.pieces = calloc(32 * 1024, sizeof(*guest.pieces));
	if (!guest.pieces || ftruncate(guest.file, 64 * GIB) < 0)
		die("a guest of 64 GiB: %m");
	str_copy(daemon.dir, sizeof(daemon.dir), folder);
	close(daemon_start(&daemon));
	daemon_socket(&daemon, &addr);
	claim = attach_device(addr.sun_path, "0000:01:00.0", &guest.ioas,
			      &device);
	guest.iommufd = claim->iommufd;

	bench_title("a guest of 64 GiB on a simulated machine: map, unmap all",
		    "a guest of 1 GiB, likewise", "microseconds a piece",
		    "lower");
	bench_run(&row);

	free(guest.pieces);
	close(guest.file);
	ioasid_claim_free(claim);
	daemon_stop(&daemon);
}

int main(int argc, char **argv)
{
	if (argc != 1 && argc != 4)
		die("map [IOASIDD-SIM MACHINE FOLDER]");
	if (argc == 1)
		real();
	else
		simulated(argv[1], argv[2], argv[3]);
	return 0;
}
