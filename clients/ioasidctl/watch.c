/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.c - ioasidctl watch
 */
#include <errno.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "ioasid/v1/event.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/channel.h"
#include "libioasid/message.h"

/* How long to wait before the daemon is tried again. */
#define RETRY_US 250000

static uint64_t opt_since;
static const char *opt_since_text;

static const struct option_spec options[] = {
	{ "since", 0, OPTION_TEXT, &opt_since_text, "REVISION",
	  "what is later than that, such as the revision of a list (now)" },
	NO_MORE_OPTIONS,
};

/* notice() - Say something about the watch itself. */
static void notice(const char *fmt, uint64_t revision)
	__attribute__((format(printf, 1, 0)));

/**
 * notice() - Say something about the watch itself, on stderr
 * @fmt:	The words, with a number in them
 * @revision:	The number
 */
static void notice(const char *fmt, uint64_t revision)
{
	(void)fflush(stdout);
	fprintf(stderr, "ioasidctl: ");
	fprintf(stderr, fmt, revision);
	fprintf(stderr, "\n");
}

/* word_if() - Print " name=value" if there is a value. */
static void word_if(const char *name, const char *value)
{
	if (!value[0])
		return;
	printf(" %s=", name);
	output_clean(stdout, value);
}

/**
 * print_device() - What of a device fits the line
 * @d:		The device
 */
static void print_device(const Ioasid__V1__Device *d)
{
	char state[32];

	printf(" %s", ctl_word(&ioasid__v1__device__state__descriptor,
			       (int)d->state, state));
	word_if("driver", d->driver);
	word_if("lease", ctl_short_name(d->lease));
	word_if("operation", ctl_short_name(d->operation));
	word_if("reason", d->state_reason);
}

/**
 * print_lease() - What of a lease fits the line
 * @l:		The lease
 */
static void print_lease(const Ioasid__V1__Lease *l)
{
	char state[32];

	printf(" %s", ctl_word(&ioasid__v1__lease__state__descriptor,
			       (int)l->state, state));
	for (size_t i = 0; i < l->n_devices; i++)
		word_if("device", ctl_short_name(l->devices[i]));
	if (l->claimant)
		printf(" uid=%u", l->claimant->uid);
	if (l->n_holders)
		printf(" pid=%d", l->holders[l->n_holders - 1]->pid);
	word_if("end", l->end_reason);
}

/**
 * print_operation() - What of an operation fits the line
 * @op:		The operation
 */
static void print_operation(const Ioasid__V1__Operation *op)
{
	char state[32];

	printf(" %s ", ctl_word(&ioasid__v1__operation__state__descriptor,
				(int)op->state, state));
	output_clean(stdout, op->kind);
	printf(" ");
	output_clean(stdout, op->target);
	if (op->state == IOASID__V1__OPERATION__STATE__RUNNING)
		word_if("step", op->step);
	printf(" done=%zu", op->n_steps);
	if (op->cancelling)
		printf(" cancelling");
	if (op->error)
		word_if("error", op->error->id);
}

/**
 * print_object() - What of an object fits the line
 * @change:	With the object
 */
static void print_object(const Ioasid__V1__Change *change)
{
	switch (change->object_case) {
	case IOASID__V1__CHANGE__OBJECT_DEVICE:
		print_device(change->device);
		break;
	case IOASID__V1__CHANGE__OBJECT_GROUP:
		printf(" %s devices=%zu",
		       change->group->viable ? "viable" : "blocked",
		       change->group->n_devices);
		break;
	case IOASID__V1__CHANGE__OBJECT_IOMMU:
		printf(" devices=%zu", change->iommu->n_devices);
		break;
	case IOASID__V1__CHANGE__OBJECT_LEASE:
		print_lease(change->lease);
		break;
	case IOASID__V1__CHANGE__OBJECT_OPERATION:
		print_operation(change->operation);
		break;
	case IOASID__V1__CHANGE__OBJECT__NOT_SET:
	case _IOASID__V1__CHANGE__OBJECT__CASE_IS_INT_SIZE:
		break;
	}
}

/**
 * print_change() - Print a change, one line
 * @ctl:	For whom
 * @change:	The change
 *
 * Whoever reads it shall have it at once.
 *
 * Return: true; false if it cannot be written.
 */
static bool print_change(const struct ctl *ctl,
			 const Ioasid__V1__Change *change)
{
	char time[32];

	if (ctl->json) {
		json_print_line(&change->base);
	} else {
		printf("%s %" PRIu64 " ", ctl_time(change->at, time),
		       change->revision);
		output_clean(stdout, change->name);
		if (change->removed)
			printf(" removed");
		print_object(change);
		printf("\n");
	}
	return fflush(stdout) == 0;
}

/**
 * read_revision() - Ask for the revision of now
 * @ctl:	Connected
 * @ret:	The revision
 *
 * Return: 0; as channel_call().
 */
static int read_revision(struct ctl *ctl, uint64_t *ret,
			 struct ioasid_error *err)
{
	Ioasid__V1__GetVersionRequest request =
		IOASID__V1__GET_VERSION_REQUEST__INIT;
	ProtobufCMessage *reply;
	int r;

	r = channel_call(ctl->conn, "Host/GetVersion", &request.base,
			 &ioasid__v1__version__descriptor, &reply, err);
	if (r < 0)
		return r;
	*ret = ((Ioasid__V1__Version *)reply)->revision;
	(void)message_free(reply);
	return 0;
}

/**
 * begin() - Begin a watch
 * @ctl:	This run
 * @request:	With the revision to begin at; 0 becomes the one of now
 *
 * Return: 0; as ioasid_connect() and channel_stream().
 */
static int begin(struct ctl *ctl, Ioasid__V1__WatchEventsRequest *request,
		 struct ioasid_error *err)
{
	int r = 0;

	if (!ctl->conn)
		r = ioasid_connect(ctl->socket, ctl->timeout_ms, &ctl->conn,
				   err);
	if (r == 0 && !request->revision)
		r = read_revision(ctl, &request->revision, err);
	if (r == 0)
		r = channel_stream(ctl->conn, "Events/WatchEvents",
				   &request->base, err);
	return r;
}

/**
 * follow() - Print changes until the watch ends
 * @ctl:	This run
 * @request:	Its revision becomes that of the last change
 *
 * Return: -errno why it ended; 0 if the output did.
 */
static int follow(struct ctl *ctl, Ioasid__V1__WatchEventsRequest *request,
		  struct ioasid_error *err)
{
	for (;;) {
		_cleanup_message_ ProtobufCMessage *item = NULL;
		const Ioasid__V1__Change *change;
		int r;

		r = channel_item(ctl->conn, -1,
				 &ioasid__v1__change__descriptor, &item, err);
		if (r < 0)
			return r;
		change = (const Ioasid__V1__Change *)item;
		request->revision = change->revision;
		if (!print_change(ctl, change))
			return 0;
	}
}

/**
 * may_resume() - Can a watch that has ended go on, and from where?
 * @request:	Its revision is that of the last change; 0 afterwards if some
 *		may be missed
 * @given:	The revision was given on the command line and nothing has come
 * @err:	Why it has ended
 */
static bool may_resume(Ioasid__V1__WatchEventsRequest *request, bool given,
		       const struct ioasid_error *err)
{
	if (str_eq(err->id, IOASID_ERROR_CLOSED) ||
	    str_eq(err->id, IOASID_ERROR_UNREACHABLE) ||
	    str_eq(err->id, "daemon.stopping"))
		return true;
	if (str_eq(err->id, "watch.slow")) {
		notice("too slow for ioasidd; going on from revision %" PRIu64,
		       request->revision);
		return true;
	}
	if (!str_eq(err->id, "watch.expired") || given)
		return false;
	notice("changes after revision %" PRIu64 " may be missing: list again; going on from now",
	       request->revision);
	request->revision = 0;
	return true;
}

/**
 * watch() - Watch, and again whenever it ends for a while
 * @ctl:	This run
 * @request:	What
 *
 * A daemon that was never there is not waited for.
 *
 * Return: enum ctl_exit.
 */
static int watch(struct ctl *ctl, Ioasid__V1__WatchEventsRequest *request)
{
	uint64_t since = request->revision;
	bool begun = false, gone = false;

	for (;;) {
		struct ioasid_error err = { .id = "" };
		int r = begin(ctl, request, &err);

		if (r == 0 && gone)
			notice("ioasidd is back; watching after revision %" PRIu64,
			       request->revision);
		if (r == 0) {
			begun = true;
			gone = false;
			r = follow(ctl, request, &err);
			if (r == 0)
				return ctl_fail("writing the output: %m");
		}
		if (!begun || !may_resume(request, since &&
					  request->revision == since, &err))
			return ctl_complain(&err, NULL);
		if (r == -EREMOTEIO && !str_eq(err.id, "daemon.stopping"))
			continue;
		if (!gone)
			notice("ioasidd is gone; waiting for it, at revision %" PRIu64,
			       request->revision);
		gone = true;
		ctl_disconnect(ctl);
		(void)usleep(RETRY_US);
	}
}

/**
 * run() - Print changes as they are made
 * @ctl:	This run
 * @args:	Collections
 * @n_args:	How many
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__WatchEventsRequest request =
		IOASID__V1__WATCH_EVENTS_REQUEST__INIT;

	if (opt_since_text &&
	    str_u64(opt_since_text, 10, UINT64_MAX, &opt_since) < 0)
		return ctl_usage("--since takes a revision, not '%s'",
				 opt_since_text);
	request.revision = opt_since;
	request.collections = args;
	request.n_collections = (size_t)n_args;
	return watch(ctl, &request);
}

const struct verb verb_watch = {
	.name = "watch",
	.args = "[COLLECTION...]",
	.summary = "print each change as it is made, one a line",
	.details = "COLLECTION is devices, groups, iommus, leases or operations; without one\n"
		   "all are watched. When ioasidd is started anew it goes on, and says so.\n",
	.options = options,
	.max_args = -1,
	.run = run,
};
