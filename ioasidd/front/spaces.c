/* SPDX-License-Identifier: Apache-2.0
 *
 * spaces.c - the methods of the Spaces service
 */
#include <errno.h>

#include "front/handlers.h"
#include "front/spaces.h"
#include "front/windows.h"
#include "ops/authorize.h"
#include "ops/ops.h"

/* --- what is shown --- */

/**
 * view_devices() - The devices that are on a space
 * @arena:	Where they go
 * @space:	The space
 * @ret:	Its view
 */
static void view_devices(struct arena *arena, const struct space *space,
			 pb_space *ret)
{
	ret->attachments = arena_alloc(arena, space->devices.n *
					      sizeof(*ret->attachments));
	for (size_t i = 0; ret->attachments && i < space->devices.n; i++) {
		Ioasid__V1__Attachment *one =
			arena_message(arena, PB(attachment));

		if (!one)
			return;
		one->device = arena_text(arena, space->devices.items[i]);
		ret->attachments[ret->n_attachments++] = one;
	}
}

/**
 * view_labels() - What its owner calls a space
 * @arena:	Where they go
 * @space:	The space
 * @ret:	Its view
 */
static void view_labels(struct arena *arena, const struct space *space,
			pb_space *ret)
{
	ret->labels = arena_alloc(arena, space->labels.n / 2 *
					 sizeof(*ret->labels));
	for (size_t i = 0; ret->labels && i + 1 < space->labels.n; i += 2) {
		Ioasid__V1__Space__LabelsEntry *one =
			arena_message(arena, PB(space__labels_entry));

		if (!one)
			return;
		one->key = arena_text(arena, space->labels.items[i]);
		one->value = arena_text(arena, space->labels.items[i + 1]);
		ret->labels[ret->n_labels++] = one;
	}
}

/* view_space() - A space */
pb_space *view_space(struct arena *arena, const struct lease *lease,
		     const struct space *space)
{
	pb_space *ret = arena_message(arena, PB(space));
	size_t n_ranges, n;

	if (!ret)
		return NULL;
	ret->name = arena_text(arena, space->name);
	ret->revision = lease->revision;
	ret->etag = view_etag(arena, lease->revision);
	ret->lease = arena_text(arena, lease->name);
	ret->windows = view_windows(arena, space->windows, space->n_windows);
	ret->n_windows = ret->windows ? space->n_windows : 0;
	view_devices(arena, space, ret);
	ret->kernel_id = space->kernel_id;
	n_ranges = space->n_ranges < VIEW_RANGES ? space->n_ranges :
						   VIEW_RANGES;
	ret->iova_ranges = view_iova_ranges(arena, space->ranges, n_ranges);
	ret->n_iova_ranges = ret->iova_ranges ? n_ranges : 0;
	ret->iova_alignment = space->alignment;
	view_labels(arena, space, ret);
	if (lease->mapped) {
		mapped_count(lease->mapped, space->name, &n,
			     &ret->mapped_bytes);
		ret->mappings = (uint32_t)n;
	}
	ret->created = view_time(arena, space->created_us);

	return ret;
}

/**
 * reply_space() - Answer with a space as it is
 * @name:	The space's
 */
static int reply_space(struct call *call, const char *name, struct error *err)
{
	struct registry *reg = call->host->registry;
	const struct lease *lease;
	pb_space *reply = NULL;

	registry_lock(reg);
	lease = registry_lease_of_space(reg, name);
	if (lease && !lease_visible(reg, lease, call->caller))
		lease = NULL;
	if (lease)
		reply = view_space(call->arena, lease,
				   lease_space(lease, name));
	registry_unlock(reg);

	if (lease)
		return handler_reply(call, reply, err);
	error_set(err, -ENOENT, ERROR_SPACE_NOT_FOUND,
		  "there is no space '%s'", name);
	error_object(err, "%s", name);
	return -ENOENT;
}

/**
 * reply_copy() - Answer with a space that was, or that there would be
 * @space:	It; freed
 * @of:		Name of the lease, or of one of its spaces
 */
static int reply_copy(struct call *call, struct space *space, const char *of,
		     struct error *err)
{
	struct registry *reg = call->host->registry;
	const struct lease *lease;
	pb_space *reply = NULL;

	registry_lock(reg);
	lease = registry_lease(reg, of);
	if (!lease)
		lease = registry_lease_of_space(reg, of);
	if (lease)
		reply = view_space(call->arena, lease, space);
	registry_unlock(reg);
	space_deinit(space);
	return handler_reply(call, reply, err);
}

/* --- reading --- */

/* list_spaces() - Spaces.ListSpaces */
int list_spaces(struct call *call, struct error *err)
{
	const Ioasid__V1__ListSpacesRequest *in = (const void *)call->input;
	struct page page = { .size = in->page_size,
			     .token = in->page_token,
			     .filter.lease = in->lease };
	Ioasid__V1__ListSpacesResponse *reply;
	int r = 0;

	if (*in->lease)
		r = handler_name(COLLECTION_LEASES, "lease", in->lease, err);
	if (r == 0)
		r = handler_page(call, COLLECTION_SPACES, &page, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(list_spaces_response));
	if (reply) {
		reply->spaces = (pb_space **)page.items;
		reply->n_spaces = page.n_items;
		reply->next_page_token = page.next;
		reply->revision = page.revision;
	}
	return handler_reply(call, reply, err);
}

/* get_space() - Spaces.GetSpace */
int get_space(struct call *call, struct error *err)
{
	const Ioasid__V1__GetSpaceRequest *in = (const void *)call->input;
	int r = handler_name(COLLECTION_SPACES, "name", in->name, err);

	return r < 0 ? r : reply_space(call, in->name, err);
}

/* --- changing --- */

/**
 * take_labels() - Take over the labels of a space
 *
 * protobuf-c knows no maps: they come as pairs, and keys may come twice.
 *
 * Return: 0; -EINVAL request.invalid; -ENOMEM.
 */
static int take_labels(const Ioasid__V1__SpaceWish *in, struct strv *ret,
		       struct error *err)
{
	int r = 0;

	if (in->n_labels > SPACE_LABELS_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field labels: more than %d",
				 SPACE_LABELS_MAX);
	for (size_t i = 0; i < in->n_labels && r == 0; i++) {
		r = handler_label(ret, in->labels[i]->key,
				  in->labels[i]->value, err);
		if (r == 0 && (strv_add(ret, in->labels[i]->key) < 0 ||
			       strv_add(ret, in->labels[i]->value) < 0))
			r = error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				      "no memory for the space");
	}
	return r;
}

/**
 * take_windows() - Take over what a space is to promise
 * @field:	Where it stood
 * @ret:	The call's arena has them; NULL for none
 *
 * Return: 0; as windows_from_wishes(); -ENOMEM.
 */
static int take_windows(const struct call *call, const char *field,
			pb_window_wish *const *in, size_t n,
			struct window_wish **ret, struct error *err)
{
	*ret = n ? arena_alloc(call->arena, WINDOWS_MAX * sizeof(**ret)) :
		   NULL;
	if (n && !*ret)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the windows");
	return n ? windows_from_wishes(field, in, n, *ret, err) : 0;
}

/* spaces_take_wish() - See spaces.h */
int spaces_take_wish(const struct call *call, const Ioasid__V1__SpaceWish *in,
		     struct space_wish *ret, struct error *err)
{
	struct space_wish wish = { .devices = STRV_NULL, .labels = STRV_NULL };
	size_t i;
	int r;

	r = take_windows(call, "windows", in->windows, in->n_windows,
			 &wish.windows, err);
	wish.n_windows = in->n_windows;
	for (i = 0; i < in->n_devices && r == 0; i++) {
		r = handler_name(COLLECTION_DEVICES, "devices",
				 in->devices[i], err);
		if (r == 0 && strv_add(&wish.devices, in->devices[i]) < 0)
			r = error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				      "no memory for the space");
	}
	if (r == 0)
		r = take_labels(in, &wish.labels, err);
	if (r < 0)
		spaces_drop_wish(&wish);
	else
		*ret = wish;
	return r;
}

/* spaces_drop_wish() - See spaces.h */
void spaces_drop_wish(struct space_wish *wish)
{
	strv_deinit(&wish->devices);
	strv_deinit(&wish->labels);
}

/* create_space() - Spaces.CreateSpace */
int create_space(struct call *call, struct error *err)
{
	const Ioasid__V1__CreateSpaceRequest *in = (const void *)call->input;
	static const Ioasid__V1__SpaceWish nothing =
		IOASID__V1__SPACE_WISH__INIT;
	struct change change = { in->lease, in->request_id, in->etag,
				 in->dry_run, "" };
	struct space dry = SPACE_NULL;
	struct space_wish wish;
	char name[NAME_SIZE];
	int r;

	r = handler_change(call, COLLECTION_LEASES, &change, err);
	if (r == 0)
		r = spaces_take_wish(call, in->space ? in->space : &nothing,
				     &wish, err);
	if (r < 0)
		return r;
	r = space_create(call->host, call->caller, &change, &wish, name, &dry,
			 err);
	spaces_drop_wish(&wish);
	if (r < 0)
		return r;
	return *name ? reply_space(call, name, err) :
		       reply_copy(call, &dry, in->lease, err);
}

/* delete_space() - Spaces.DeleteSpace */
int delete_space(struct call *call, struct error *err)
{
	const Ioasid__V1__DeleteSpaceRequest *in = (const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	struct space was = SPACE_NULL;
	char lease[NAME_SIZE];
	int r;

	r = handler_change(call, COLLECTION_SPACES, &change, err);
	if (r == 0)
		r = space_delete(call->host, call->caller, &change, &was,
				 lease, err);
	return r < 0 ? r : reply_copy(call, &was, lease, err);
}

/* set_windows() - Spaces.SetWindows */
int set_windows(struct call *call, struct error *err)
{
	const Ioasid__V1__SetWindowsRequest *in = (const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	struct space dry = SPACE_NULL;
	struct window_wish *wishes;
	int r;

	r = handler_change(call, COLLECTION_SPACES, &change, err);
	if (r == 0)
		r = take_windows(call, "windows", in->windows, in->n_windows,
				 &wishes, err);
	if (r == 0)
		r = space_set_windows(call->host, call->caller, &change,
				      wishes, in->n_windows, &dry, err);
	if (r < 0)
		return r;
	return in->dry_run ? reply_copy(call, &dry, in->name, err) :
			     reply_space(call, in->name, err);
}

/* attach_device() - Spaces.AttachDevice */
int attach_device(struct call *call, struct error *err)
{
	const Ioasid__V1__AttachDeviceRequest *in = (const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	int r;

	r = handler_change(call, COLLECTION_SPACES, &change, err);
	if (r == 0)
		r = handler_name(COLLECTION_DEVICES, "device", in->device,
				 err);
	if (r == 0)
		r = space_attach(call->host, call->caller, &change,
				 in->device, err);
	return r < 0 ? r : reply_space(call, in->name, err);
}

/* detach_device() - Spaces.DetachDevice */
int detach_device(struct call *call, struct error *err)
{
	const Ioasid__V1__DetachDeviceRequest *in = (const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	int r;

	r = handler_change(call, COLLECTION_SPACES, &change, err);
	if (r == 0)
		r = handler_name(COLLECTION_DEVICES, "device", in->device,
				 err);
	if (r == 0)
		r = space_detach(call->host, call->caller, &change,
				 in->device, err);
	return r < 0 ? r : reply_space(call, in->name, err);
}
