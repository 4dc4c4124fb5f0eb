/* SPDX-License-Identifier: Apache-2.0
 *
 * spaces.c - the spaces of a lease, into rows and out of them
 */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "store/rows.h"

/* --- in --- */

/**
 * put_ranges() - Write what a space promises, and where can be mapped
 * @tx:		The transaction
 * @space:	Its row is there, and none of these
 *
 * Return: 0 or as db_error().
 */
static int put_ranges(struct store_tx *tx, const struct space *space,
		      struct error *err)
{
	struct put p;
	int r = 0;

	for (size_t i = 0; i < space->n_windows && !r; i++) {
		const struct window *window = &space->windows[i];

		p = put_begin(tx, DB_PUT_SPACE_WINDOW);
		put_text(&p, space->name);
		put_u64(&p, window->start);
		put_u64(&p, window->last);
		put_u64(&p, window->page_sizes);
		put_text(&p, window_purpose_name(window->purpose));
		r = put_end(&p, "write a window", err);
	}
	for (size_t i = 0; i < space->n_ranges && !r; i++) {
		p = put_begin(tx, DB_PUT_SPACE_RANGE);
		put_text(&p, space->name);
		put_u64(&p, space->ranges[i].start);
		put_u64(&p, space->ranges[i].last);
		r = put_end(&p, "write a space's range", err);
	}

	return r;
}

/**
 * put_space() - Write one space
 * @tx:		The transaction
 * @lease:	The lease's name
 * @number:	Which one
 * @space:	The space
 *
 * Return: 0 or as db_error().
 */
static int put_space(struct store_tx *tx, const char *lease, size_t number,
		     const struct space *space, struct error *err)
{
	struct put p = put_begin(tx, DB_PUT_SPACE);
	int r;

	put_text(&p, lease);
	put_number(&p, number);
	put_text(&p, space->name);
	put_number(&p, space->kernel_id);
	put_u64(&p, space->alignment);
	put_number(&p, space->created_us);
	put_text(&p, space->request_id);
	put_text(&p, space->fingerprint);
	put_text(&p, space->maker);
	r = put_end(&p, "write a space", err);
	if (!r)
		r = put_ranges(tx, space, err);
	for (size_t i = 0; i < space->devices.n && !r; i++) {
		p = put_begin(tx, DB_PUT_SPACE_DEVICE);
		put_text(&p, space->name);
		put_number(&p, i);
		put_text(&p, space->devices.items[i]);
		r = put_end(&p, "write a space's device", err);
	}
	for (size_t i = 0; i + 1 < space->labels.n && !r; i += 2) {
		p = put_begin(tx, DB_PUT_SPACE_LABEL);
		put_text(&p, space->name);
		put_text(&p, space->labels.items[i]);
		put_text(&p, space->labels.items[i + 1]);
		r = put_end(&p, "write a space's label", err);
	}

	return r;
}

/* store_put_spaces() - See rows.h */
int store_put_spaces(struct store_tx *tx, const struct lease *lease,
		     struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < lease->n_spaces && !r; i++)
		r = put_space(tx, lease->name, i, &lease->spaces[i], err);

	return r;
}

/* --- out --- */

/**
 * more() - Room for one more element of an array
 * @g:		The rows; fails without memory
 * @array:	The array, of @n elements
 * @size:	Of an element
 *
 * Return: the array, larger; NULL if that failed, and it is as before.
 */
static void *more(struct get *g, void *array, size_t n, size_t size)
{
	void *larger = g->r ? NULL : reallocarray(array, n + 1, size);

	if (!g->r && !larger)
		g->r = db_error(NULL, SQLITE_NOMEM, g->table, g->err);
	return larger;
}

/**
 * load_windows() - Read what a space promises
 * @space:	@windows is filled
 *
 * Return: 0 or -errno.
 */
static int load_windows(struct db *db, struct space *space, struct error *err)
{
	struct get g = get_begin(db, DB_GET_SPACE_WINDOWS, "space_window",
				 space->name, err);

	while (get_row(&g)) {
		struct window window = { 0 }, *larger;
		char purpose[16];

		window.start = get_u64(&g);
		window.last = get_u64(&g);
		if (!g.r && window.last < window.start)
			bad(&g, "is before the start");
		window.page_sizes = get_u64(&g);
		get_text(&g, purpose, sizeof(purpose));
		if (!g.r && window_purpose_from_name(purpose, &window.purpose))
			bad(&g, "is no purpose of a window");
		if (space->n_windows == WINDOWS_MAX)
			bad(&g, "there are too many");
		larger = more(&g, space->windows, space->n_windows,
			      sizeof(*larger));
		if (!larger)
			break;
		space->windows = larger;
		space->windows[space->n_windows++] = window;
	}

	return get_end(&g);
}

/**
 * load_ranges() - Read where memory can be mapped in a space
 * @space:	@ranges is filled
 *
 * Return: 0 or -errno.
 */
static int load_ranges(struct db *db, struct space *space, struct error *err)
{
	struct get g = get_begin(db, DB_GET_SPACE_RANGES, "space_range",
				 space->name, err);

	while (get_row(&g)) {
		struct kernel_range range, *larger;

		range.start = get_u64(&g);
		range.last = get_u64(&g);
		if (!g.r && range.last < range.start)
			bad(&g, "is before the start");
		larger = more(&g, space->ranges, space->n_ranges,
			      sizeof(*larger));
		if (!larger)
			break;
		space->ranges = larger;
		space->ranges[space->n_ranges++] = range;
	}

	return get_end(&g);
}

/**
 * load_devices() - Read which devices are on a space
 * @lease:	Whose devices they are
 * @space:	@devices is filled
 *
 * Return: 0 or -errno.
 */
static int load_devices(struct db *db, struct lease *lease,
			struct space *space, struct error *err)
{
	struct get g = get_begin(db, DB_GET_SPACE_DEVICES, "space_device",
				 space->name, err);

	while (get_row(&g)) {
		char name[NAME_SIZE];

		if (get_number(&g, LEASE_DEVICES_MAX - 1) != space->devices.n)
			bad(&g, "is not the next one");
		get_text(&g, name, sizeof(name));
		if (!g.r && (!strv_has(&lease->devices, name) ||
			     lease_space_of(lease, name)))
			bad(&g, "is no device of the lease, or on another space");
		if (!g.r && strv_add(&space->devices, name))
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
	}

	return get_end(&g);
}

/**
 * load_lists() - Read all that spaces have beside their row
 * @lease:	Its spaces are filled
 *
 * Return: 0 or -errno.
 */
static int load_lists(struct db *db, struct lease *lease, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < lease->n_spaces && !r; i++) {
		struct space *space = &lease->spaces[i];

		r = load_windows(db, space, err);
		if (!r)
			r = load_ranges(db, space, err);
		if (!r)
			r = load_devices(db, lease, space, err);
		if (!r)
			r = get_labels(db, DB_GET_SPACE_LABELS,
				       "space_label", space->name,
				       SPACE_LABELS_MAX, &space->labels, err);
	}

	return r;
}

/* store_load_spaces() - See rows.h */
int store_load_spaces(struct db *db, struct lease *lease, struct error *err)
{
	struct get g = get_begin(db, DB_GET_SPACES, "space", lease->name, err);
	int r;

	while (get_row(&g)) {
		struct space space = SPACE_NULL;

		get_name(&g, "spaces/", space.name);
		space.kernel_id = (uint32_t)get_number(&g, UINT32_MAX);
		space.alignment = get_u64(&g);
		space.created_us = get_number(&g, INT64_MAX);
		get_text(&g, space.request_id, sizeof(space.request_id));
		get_text(&g, space.fingerprint, sizeof(space.fingerprint));
		get_text(&g, space.maker, sizeof(space.maker));
		if (lease->n_spaces == SPACES_MAX)
			bad(&g, "there are too many");
		if (!g.r && lease_add_space(lease, &space))
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
	}
	r = get_end(&g);

	return r ? r : load_lists(db, lease, err);
}
