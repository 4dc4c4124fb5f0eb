/* SPDX-License-Identifier: Apache-2.0
 *
 * list.c - pages of lists: sorted, for the caller's eyes, fitting a packet
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "front/codec.h"
#include "front/view.h"
#include "ops/authorize.h"

/* What a list response needs besides its items: token and revision. */
#define LIST_OVERHEAD 256

/* A tag and a length of up to three bytes before each item. */
#define ITEM_OVERHEAD 4

/**
 * struct item - One object of a list before it is shown
 * @name:	Its resource name; borrowed from the registry, or the arena's
 * @object:	The object
 */
struct item {
	const char *name;
	const void *object;
};

/**
 * struct listing - All objects that the caller may see
 * @arena:	Where everything goes
 * @reg:	The registry, locked
 * @page:	What was asked for
 * @items:	Room for all objects of the collection
 * @n:		How many are in it
 */
struct listing {
	struct arena *arena;
	struct registry *reg;
	const struct page *page;
	struct item *items;
	size_t n;
};

/**
 * listing_room() - Make room for objects
 * @listing:	The listing
 * @n:		For how many
 *
 * Return: how many there is room for: @n, or 0 without memory.
 */
static size_t listing_room(struct listing *listing, size_t n)
{
	listing->items = arena_alloc(listing->arena, n * sizeof(struct item));

	return listing->items ? n : 0;
}

/**
 * listing_add() - Add an object
 * @listing:	Has room
 * @name:	Its name
 * @object:	The object
 */
static void listing_add(struct listing *listing, const char *name,
			const void *object)
{
	listing->items[listing->n++] = (struct item){ name, object };
}

/**
 * wanted_device() - Is a device one of those asked for?
 * @listing:	What was asked for
 * @device:	The device
 */
static bool wanted_device(const struct listing *listing,
			  const struct device *device)
{
	const struct filter *filter = &listing->page->filter;
	const struct kernel_device *facts = &device->facts;
	const struct group *group;

	if (filter->state && view_device_state(device) != filter->state)
		return false;
	if (filter->driver && *filter->driver &&
	    !str_eq(filter->driver, *facts->driver ? facts->driver : "none"))
		return false;
	if ((filter->by_vendor && facts->vendor != filter->vendor) ||
	    (filter->by_device && facts->device != filter->device) ||
	    (filter->by_node && facts->numa_node != filter->node))
		return false;
	if (!filter->group || !*filter->group)
		return true;
	group = registry_group_of(listing->reg, device);
	return group && str_eq(group->name, filter->group);
}

/**
 * collect_devices() - Devices; bridges and unisolated ones only if all
 * @listing:	Where they go
 *
 * What we have prepared is listed even if no IOMMU isolates it any more.
 */
static void collect_devices(struct listing *listing)
{
	struct registry *reg = listing->reg;
	size_t n = listing_room(listing, reg->n_devices);

	for (size_t i = 0; i < n; i++) {
		const struct device *device = reg->devices[i];
		bool hidden = device->facts.bridge ||
			      (device->facts.group < 0 && !device->recorded);

		if ((!hidden || listing->page->all) &&
		    wanted_device(listing, device) &&
		    device_visible(reg, device, listing->page->caller))
			listing_add(listing, device->name, device);
	}
}

/**
 * collect_groups() - Groups that the caller may see
 * @listing:	Where they go
 */
static void collect_groups(struct listing *listing)
{
	struct registry *reg = listing->reg;
	size_t n = listing_room(listing, reg->n_groups);

	for (size_t i = 0; i < n; i++)
		if (group_visible(reg, &reg->groups[i],
				  listing->page->caller))
			listing_add(listing, reg->groups[i].name,
				    &reg->groups[i]);
}

/**
 * collect_iommus() - IOMMUs; the permission is all that it takes
 * @listing:	Where they go
 */
static void collect_iommus(struct listing *listing)
{
	struct registry *reg = listing->reg;
	size_t n = listing_room(listing, reg->n_iommus);

	for (size_t i = 0; i < n; i++)
		listing_add(listing, reg->iommus[i].name, &reg->iommus[i]);
}

/**
 * collect_leases() - Leases that the caller may see; ended ones only if all
 * @listing:	Where they go
 */
static void collect_leases(struct listing *listing)
{
	struct registry *reg = listing->reg;
	size_t n = listing_room(listing, reg->n_leases);
	int state = listing->page->filter.state;

	for (size_t i = 0; i < n; i++) {
		const struct lease *lease = reg->leases[i];
		bool wanted = lease->state != LEASE_ENDED ||
			      listing->page->all;

		if (state)
			wanted = view_lease_state(lease) == state;
		if (wanted &&
		    lease_visible(reg, lease, listing->page->caller))
			listing_add(listing, lease->name, lease);
	}
}

/**
 * collect_operations() - Operations that the caller may see
 * @listing:	Where they go
 */
static void collect_operations(struct listing *listing)
{
	struct registry *reg = listing->reg;
	size_t n = listing_room(listing, reg->n_operations);
	int state = listing->page->filter.state;

	for (size_t i = 0; i < n; i++) {
		const struct operation *op = reg->operations[i];

		if ((!state || view_operation_state(op) == state) &&
		    operation_visible(op, listing->page->caller))
			listing_add(listing, op->name, op);
	}
}

/**
 * collect_spaces() - Spaces, of leases that the caller sees
 * @listing:	Where they go
 *
 * What is listed is part of its lease, and shown by it.
 */
static void collect_spaces(struct listing *listing)
{
	struct registry *reg = listing->reg;
	const char *of = listing->page->filter.lease;
	size_t n = 0;

	for (size_t i = 0; i < reg->n_leases; i++)
		n += reg->leases[i]->n_spaces;
	n = listing_room(listing, n);
	for (size_t i = 0; n && i < reg->n_leases; i++) {
		const struct lease *lease = reg->leases[i];

		if (lease->state == LEASE_ENDED ||
		    (*of && !str_eq(of, lease->name)) ||
		    !lease_visible(reg, lease, listing->page->caller))
			continue;
		for (size_t k = 0; k < lease->n_spaces; k++)
			listing_add(listing, lease->spaces[k].name,
				    &lease->spaces[k]);
	}
}

/**
 * collect_page_tables() - Page tables, likewise
 * @listing:	Where they go
 */
static void collect_page_tables(struct listing *listing)
{
	struct registry *reg = listing->reg;
	const char *of = listing->page->filter.lease;
	size_t n = 0;

	for (size_t i = 0; i < reg->n_leases; i++)
		n += reg->leases[i]->n_tables;
	n = listing_room(listing, n);
	for (size_t i = 0; n && i < reg->n_leases; i++) {
		const struct lease *lease = reg->leases[i];

		if (lease->state == LEASE_ENDED ||
		    (*of && !str_eq(of, lease->name)) ||
		    !lease_visible(reg, lease, listing->page->caller))
			continue;
		for (size_t k = 0; k < lease->n_tables; k++)
			listing_add(listing, lease->tables[k].name,
				    &lease->tables[k]);
	}
}

/* show_device() - view_device() as struct kind wants it */
static void *show_device(const struct listing *listing, const void *object)
{
	return view_device(listing->arena, listing->reg, object);
}

/* show_group() - view_group() likewise */
static void *show_group(const struct listing *listing, const void *object)
{
	return view_group(listing->arena, object);
}

/* show_iommu() - view_iommu() likewise */
static void *show_iommu(const struct listing *listing, const void *object)
{
	return view_iommu(listing->arena, listing->reg, object);
}

/* show_lease() - view_lease() likewise */
static void *show_lease(const struct listing *listing, const void *object)
{
	return view_lease(listing->arena, listing->reg, object);
}

/* show_operation() - view_operation() likewise */
static void *show_operation(const struct listing *listing, const void *object)
{
	return view_operation(listing->arena, object);
}

/* show_space() - view_space() likewise */
static void *show_space(const struct listing *listing, const void *object)
{
	const struct space *space = object;

	return view_space(listing->arena,
			  registry_lease_of_space(listing->reg, space->name),
			  space);
}

/* show_page_table() - view_page_table() likewise */
static void *show_page_table(const struct listing *listing, const void *object)
{
	const struct page_table *table = object;

	return view_page_table(listing->arena,
			       registry_lease_of_table(listing->reg,
						       table->name),
			       table);
}

/**
 * struct kind - How one collection is listed
 * @prefix:		Of its resource names
 * @newest_first:	Or by name. Names of what is listed so are ULIDs, so it
 *			is by name too, backwards
 * @collect:		Finds what there is to list
 * @show:		Makes the message of one object
 */
static const struct kind {
	const char *prefix;
	bool newest_first;
	void (*collect)(struct listing *listing);
	void *(*show)(const struct listing *listing, const void *object);
} kinds[] = {
	[COLLECTION_DEVICES] = { "devices/", false, collect_devices,
				 show_device },
	[COLLECTION_GROUPS] = { "groups/", false, collect_groups,
				show_group },
	[COLLECTION_IOMMUS] = { "iommus/", false, collect_iommus,
				show_iommu },
	[COLLECTION_LEASES] = { "leases/", true, collect_leases, show_lease },
	[COLLECTION_OPERATIONS] = { "operations/", true, collect_operations,
				    show_operation },
	[COLLECTION_SPACES] = { "spaces/", true, collect_spaces, show_space },
	[COLLECTION_PAGE_TABLES] = { "pageTables/", true, collect_page_tables,
				     show_page_table },
};
static_assert(ARRAY_SIZE(kinds) == COLLECTION_COUNT,
	      "each collection can be listed");

/* collection_prefix() - "devices/" and so on */
const char *collection_prefix(enum collection collection)
{
	return kinds[collection].prefix;
}

/* collection_name_valid() - Could this be the name of an object? */
bool collection_name_valid(enum collection collection, const char *name)
{
	const char *rest = str_starts(name, kinds[collection].prefix);

	return rest && *rest && strlen(name) < 2 * NAME_SIZE &&
	       !rest[strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789.-")];
}

/**
 * compare_up() - Order items by name, for qsort(3)
 * @a:	One
 * @b:	Another
 */
static int compare_up(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->name,
		      ((const struct item *)b)->name);
}

/**
 * compare_down() - Order items by name, the last first
 * @a:	One
 * @b:	Another
 */
static int compare_down(const void *a, const void *b)
{
	return compare_up(b, a);
}

/**
 * skip() - Where the page begins
 * @listing:	Sorted
 * @kind:	How
 * @token:	The last name of the page before; empty for none
 *
 * Return: the index of the first item behind @token.
 */
static size_t skip(const struct listing *listing, const struct kind *kind,
		   const char *token)
{
	size_t i = 0;

	if (!*token)
		return 0;
	while (i < listing->n) {
		int order = strcmp(listing->items[i].name, token);

		if (kind->newest_first ? order < 0 : order > 0)
			break;
		i++;
	}
	return i;
}

/**
 * fill() - Show items until the page or the packet is full
 * @listing:	Sorted
 * @kind:	How
 * @page:	Filled; has room for @page->size items
 */
static void fill(const struct listing *listing, const struct kind *kind,
		 struct page *page)
{
	size_t size = LIST_OVERHEAD, i = skip(listing, kind, page->token);

	for (; i < listing->n && page->n_items < page->size; i++) {
		ProtobufCMessage *item = kind->show(listing,
						    listing->items[i].object);

		if (!item)
			return;
		size += ITEM_OVERHEAD +
			protobuf_c_message_get_packed_size(item);
		if (size > MESSAGE_MAX)
			break;
		page->items[page->n_items++] = item;
	}
	if (i < listing->n && page->n_items)
		page->next = arena_text(listing->arena,
					listing->items[i - 1].name);
}

/**
 * check_page() - Check what was asked for
 * @collection:	Of what
 * @page:	Its size becomes the default if none was given
 */
static int check_page(enum collection collection, struct page *page,
		      struct error *err)
{
	if (page->size > PAGE_SIZE_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field page_size: %u is more than %d",
				 page->size, PAGE_SIZE_MAX);
	if (*page->token && !collection_name_valid(collection, page->token))
		return error_set(err, -EINVAL, ERROR_LIST_BAD_TOKEN,
				 "field page_token: not a token of this list");
	if (!page->size)
		page->size = PAGE_SIZE_DEFAULT;
	return 0;
}

/* view_page() - Make a page of a list that fits a packet */
int view_page(struct arena *arena, struct registry *reg,
	      enum collection collection, struct page *page,
	      struct error *err)
{
	const struct kind *kind = &kinds[collection];
	struct listing listing = { .arena = arena, .reg = reg, .page = page };
	int r;

	r = check_page(collection, page, err);
	if (r < 0)
		return r;

	page->revision = reg->shown;
	page->next = (char *)protobuf_c_empty_string;
	page->n_items = 0;
	page->items = arena_alloc(arena, page->size * sizeof(*page->items));
	kind->collect(&listing);
	if (arena_ok(arena)) {
		if (listing.n)
			qsort(listing.items, listing.n, sizeof(struct item),
			      kind->newest_first ? compare_down : compare_up);
		fill(&listing, kind, page);
	}
	if (!arena_ok(arena))
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for a page of %u of %zu",
				 page->size, listing.n);
	return 0;
}
