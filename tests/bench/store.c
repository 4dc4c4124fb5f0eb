/* SPDX-License-Identifier: Apache-2.0
 *
 * store.c - how fast rows become durable
 *
 *	store FOLDER	on the disk that is to be measured
 *
 * Threads write a device each through store_write(), which returns when the row
 * is durable. Writers that wait at the same time share a commit.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "bench.h"
#include "store/store.h"

#define SLICE_NS UINT64_C(150000000)
#define ROUNDS 15
#define THREADS_MAX 32
#define BLOCK 4096

/**
 * struct writers - What the threads work on
 * @store:	The database
 * @file:	Of the reference, appended to
 * @threads:	How many
 * @end:	When they stop, clock_mono_ns()
 * @rows:	How many are durable, in this slice
 * @all_rows:	In all slices
 * @commits:	In all slices
 */
struct writers {
	struct store *store;
	int file;
	int threads;
	uint64_t end;
	atomic_ulong rows;
	unsigned long all_rows;
	uint64_t commits;
};

/**
 * put() - Write a row; on the writer thread
 * @data:	The device's name
 */
static int put(struct store_tx *tx, void *data, struct error *err)
{
	const struct device_record record = {
		.vendor = 0x8086,
		.device = 0x10fb,
		.class = 0x020000,
		.prepared = true,
		.vfio_driver = "vfio-pci",
		.former_driver = "ixgbe",
	};

	return store_put_device(tx, data, 1, &record, NULL, err);
}

/**
 * write_rows() - One row after the other; a thread
 * @data:	struct writers
 */
static void *write_rows(void *data)
{
	static atomic_uint number;
	struct writers *w = data;
	char name[NAME_SIZE];

	str_format(name, sizeof(name), "devices/pci-0000-%02x-00.0",
		   atomic_fetch_add(&number, 1) & 0xff);
	while (clock_mono_ns() < w->end) {
		struct error err = ERROR_NULL;

		if (store_write(w->store, put, name, &err) < 0)
			die("store_write: %s", err.msg);
		atomic_fetch_add(&w->rows, 1);
	}
	return NULL;
}

/**
 * measure_store() - Durable rows in a second, by all threads together
 * @data:	struct writers
 */
static double measure_store(void *data)
{
	struct writers *w = data;
	uint64_t start = clock_mono_ns(), before = store_commits(w->store);
	pthread_t threads[THREADS_MAX];

	w->end = start + SLICE_NS;
	atomic_store(&w->rows, 0);
	for (int i = 0; i < w->threads; i++)
		if (pthread_create(&threads[i], NULL, write_rows, w))
			die("pthread_create: %m");
	for (int i = 0; i < w->threads; i++)
		pthread_join(threads[i], NULL);
	w->all_rows += atomic_load(&w->rows);
	w->commits += store_commits(w->store) - before;
	return (double)atomic_load(&w->rows) * 1e9 /
	       (double)(clock_mono_ns() - start);
}

/**
 * measure_append() - Bare appends in a second, each made durable
 * @data:	struct writers
 */
static double measure_append(void *data)
{
	static const char block[BLOCK] = "row";
	struct writers *w = data;
	uint64_t start = clock_mono_ns();
	unsigned long rows = 0;

	while (clock_mono_ns() < start + SLICE_NS) {
		if (write(w->file, block, BLOCK) != BLOCK ||
		    fdatasync(w->file) < 0)
			die("append: %m");
		rows++;
	}
	return (double)rows * 1e9 / (double)(clock_mono_ns() - start);
}

int main(int argc, char **argv)
{
	static const int threads[] = { 1, 8, THREADS_MAX };
	struct writers w = { .threads = 1 };
	struct error err = ERROR_NULL;
	char path[256];

	if (argc != 2)
		die("store FOLDER");
	if (store_open(argv[1], NULL, NULL, &w.store, &err) < 0)
		die("%s: %s", argv[1], err.msg);
	str_format(path, sizeof(path), "%s/append", argv[1]);
	w.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (w.file < 0)
		die("%s: %m", path);

	bench_title("durable rows: store_write() by some threads at a time",
		    "4 KiB appended to a file, fdatasync(2); one thread",
		    "rows in a second", "higher");
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		char what[80];
		struct bench bench = { .what = what, .ours = measure_store,
				       .reference = measure_append,
				       .data = &w, .rounds = ROUNDS };

		w.threads = threads[i];
		w.all_rows = 0;
		w.commits = 0;
		str_format(what, sizeof(what), "%d writer thread%s", w.threads,
			   w.threads == 1 ? "" : "s");
		bench_run(&bench);
		printf("#     rows in a commit: %.1f\n",
		       (double)w.all_rows / (double)w.commits);
	}
	close(w.file);
	store_close(w.store);
	return 0;
}
