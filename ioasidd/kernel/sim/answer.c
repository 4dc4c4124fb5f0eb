/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.c - what the machine answers to ioasidd-sim
 */
#include "kernel/sim/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/**
 * struct asked - A request that is being answered
 * @server:	The machine's process
 * @request:	What was asked, checked
 * @reply:	What is answered
 * @closing:	For end_settle()
 * @fd:		What goes with it; -1 for nothing
 * @sock:	Where to
 */
struct asked {
	struct server *server;
	struct control_request request;
	struct control_reply reply;
	uint64_t closing;
	int fd;
	int sock;
};

/* --- memory that is passed on --- */

/**
 * write_all() - Write to a new file
 *
 * Return: 0 or -errno.
 */
static int write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}

	return 0;
}

/**
 * memory_new() - Make a memfd
 * @ret_fd:	It
 *
 * Return: 0 or -errno.
 */
static int memory_new(int *ret_fd)
{
	*ret_fd = memfd_create("ioasidd-machine",
			       MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return *ret_fd < 0 ? -errno : 0;
}

/**
 * memory_seal() - What is in it stays as it is
 *
 * Return: 0 or -errno.
 */
static int memory_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
		     F_SEAL_WRITE | F_SEAL_SEAL) ? -errno : 0;
}

/* --- what there is --- */

/**
 * write_inventory() - Write an inventory into memory
 * @fd:		Where to
 * @inv:	The inventory
 *
 * Return: 0 or -errno.
 */
static int write_inventory(int fd, const struct kernel_inventory *inv)
{
	struct control_inventory head = {
		.n_devices = inv->n_devices,
		.n_groups = inv->n_groups,
		.n_iommus = inv->n_iommus,
		.isolated_msi = inv->isolated_msi,
		.no_iommu_mode = inv->no_iommu_mode,
	};
	int r;

	for (size_t i = 0; i < inv->n_groups; i++)
		head.n_reserved += inv->groups[i].n_reserved;
	r = write_all(fd, &head, sizeof(head));
	if (!r)
		r = write_all(fd, inv->devices,
			      inv->n_devices * sizeof(*inv->devices));
	if (!r)
		r = write_all(fd, inv->groups,
			      inv->n_groups * sizeof(*inv->groups));
	if (!r)
		r = write_all(fd, inv->iommus,
			      inv->n_iommus * sizeof(*inv->iommus));
	for (size_t i = 0; i < inv->n_groups && !r; i++)
		r = write_all(fd, inv->groups[i].reserved,
			      inv->groups[i].n_reserved *
			      sizeof(*inv->groups[i].reserved));

	return r ? r : memory_seal(fd);
}

/* answer_inventory() - CONTROL_INVENTORY */
static int answer_inventory(struct asked *a)
{
	struct kernel_inventory *inv = NULL;
	int r;

	sim_lock(a->server->sim);
	r = sim_inventory(a->server->sim, &inv);
	sim_unlock(a->server->sim);
	if (!r)
		r = memory_new(&a->fd);
	if (!r)
		r = write_inventory(a->fd, inv);
	(void)kernel_inventory_free(inv);

	return r;
}

/* answer_device() - CONTROL_DEVICE */
static int answer_device(struct asked *a)
{
	struct sim *sim = a->server->sim;
	struct sim_device *device;

	sim_lock(sim);
	device = sim_device(sim, a->request.bdf);
	if (device)
		a->reply.device = device->facts;
	sim_unlock(sim);

	return device ? 0 : -ENODEV;
}

/**
 * add_user() - Tell one more user of a function
 * @users:	Where
 * @kind:	As in struct error_cause, as are @name and @detail
 */
static void add_user(struct control_users *users, const char *kind,
		     const char *name, const char *detail)
{
	struct error_cause *cause;

	if (users->n == CONTROL_USERS_MAX)
		return;
	cause = &users->causes[users->n++];
	(void)str_copy(cause->kind, sizeof(cause->kind), kind);
	(void)str_copy(cause->name, sizeof(cause->name), name);
	(void)str_copy(cause->detail, sizeof(cause->detail), detail);
}

/* answer_users() - CONTROL_USERS: of its host driver's devices, and its VFs */
static int answer_users(struct asked *a)
{
	struct control_users *users = &a->reply.users;
	struct sim *sim = a->server->sim;
	struct sim_device *device;

	sim_lock(sim);
	device = sim_device(sim, a->request.bdf);
	if (device && device->facts.driver[0] &&
	    str_eq(device->facts.driver, device->host_driver))
		for (size_t i = 0; i < device->n_users; i++)
			add_user(users, device->users[i].kind,
				 device->users[i].name,
				 device->users[i].detail);
	for (size_t i = 0; device && i < sim->n_devices; i++) {
		const struct sim_device *vf = sim->devices[i];

		if (vf->present &&
		    str_eq(vf->facts.physfn, device->facts.bdf))
			add_user(users, "device", vf->facts.bdf,
				 "is a VF of it");
	}
	sim_unlock(sim);

	return device ? 0 : -ENODEV;
}

/* answer_files() - CONTROL_FILES */
static int answer_files(struct asked *a)
{
	struct control_files *files = &a->reply.files;
	struct sim *sim = a->server->sim;

	sim_lock(sim);
	for (const struct sim_file *file = sim->files; file; file = file->next)
		if (file->kind == SIM_FILE_CDEV &&
		    files->n < CONTROL_FILES_MAX &&
		    str_eq(file->device->facts.bdf, a->request.bdf))
			files->inodes[files->n++] = file->inode;
	sim_unlock(sim);

	return 0;
}

/* --- descriptors --- */

/* answer_iommufd() - CONTROL_IOMMUFD */
static int answer_iommufd(struct asked *a)
{
	struct sim_file *file = NULL;
	int r;

	sim_lock(a->server->sim);
	r = sim_open_iommufd(a->server->sim, &file);
	sim_unlock(a->server->sim);

	return r < 0 ? r : end_new_consume(a->server, file, &a->fd);
}

/* answer_cdev() - CONTROL_CDEV */
static int answer_cdev(struct asked *a)
{
	struct sim_file *file = NULL;
	int r;

	sim_lock(a->server->sim);
	r = sim_open_cdev(a->server->sim, a->request.bdf, &file);
	sim_unlock(a->server->sim);

	return r < 0 ? r : end_new_consume(a->server, file, &a->fd);
}

/* answer_uevents() - CONTROL_UEVENTS */
static int answer_uevents(struct asked *a)
{
	return announce_subscribe(a->server, &a->fd);
}

/* --- calls that take a device's lock --- */

/**
 * make_call() - Do what was asked for
 * @a:		What
 * @number:	Of the call
 *
 * The machine is locked, and unlocked while it waits.
 *
 * Return: as the call.
 */
static int make_call(struct asked *a, uint64_t number)
{
	struct sim *sim = a->server->sim;
	const char *bdf = a->request.bdf;

	switch ((enum control_op)a->request.op) {
	case CONTROL_GET_OVERRIDE:
		return sim_get_override(sim, bdf, number, a->reply.text);
	case CONTROL_SET_OVERRIDE:
		return sim_set_override(sim, bdf, a->request.text, number);
	case CONTROL_UNBIND:
		return sim_unbind(sim, bdf, number);
	case CONTROL_PROBE:
		return sim_probe(sim, bdf, number);
	case CONTROL_MEND:
		return sim_mend_config(sim, bdf, number, &a->reply.mended);
	case CONTROL_HELLO:
	case CONTROL_INVENTORY:
	case CONTROL_DEVICE:
	case CONTROL_USERS:
	case CONTROL_FILES:
	case CONTROL_ENDED:
	case CONTROL_WAIT_EARLIER:
	case CONTROL_IOMMUFD:
	case CONTROL_CDEV:
	case CONTROL_UEVENTS:
	case CONTROL_POKE:
		break;
	}

	return -EINVAL; /* see the table below */
}

/* The names of such calls, as struct kernel_stuck has them. */
static const char *const call_names[] = {
	[CONTROL_GET_OVERRIDE] = "get_override",
	[CONTROL_SET_OVERRIDE] = "set_override",
	[CONTROL_UNBIND] = "unbind",
	[CONTROL_PROBE] = "probe",
	[CONTROL_MEND] = "config",
};

/* answer_call() - CONTROL_UNBIND and its like: say its number, make the call */
static int answer_call(struct asked *a)
{
	struct server *server = a->server;
	struct call call = { .next = NULL }, **at;
	struct control_reply begun;
	int r;

	(void)str_copy(call.bdf, sizeof(call.bdf), a->request.bdf);
	(void)str_copy(call.name, sizeof(call.name),
		       call_names[a->request.op]);
	memset(&begun, 0, sizeof(begun));
	begun.magic = CONTROL_MAGIC;
	begun.begun = 1;

	sim_lock(server->sim);
	call.number = begun.number = sim_call_new(server->sim);
	call.next = server->calls;
	server->calls = &call;
	/* Who has gone meanwhile wanted it done all the same. */
	(void)fd_send(a->sock, &begun, sizeof(begun), NULL, 0);
	r = make_call(a, call.number);
	for (at = &server->calls; *at != &call; at = &(*at)->next)
		;
	*at = call.next;
	sim_changed(server->sim);
	sim_unlock(server->sim);

	return r;
}

/* answer_ended() - CONTROL_ENDED */
static int answer_ended(struct asked *a)
{
	const struct call *call;

	sim_lock(a->server->sim);
	for (call = a->server->calls; call; call = call->next)
		if (call->number == a->request.number)
			break;
	sim_unlock(a->server->sim);

	return call ? 0 : 1;
}

/**
 * find_earlier() - A call of an earlier life that is at work at a function
 * @a:		Which function, which number is of this life
 *
 * Return: the call; NULL if there is none.
 */
static const struct call *find_earlier(const struct asked *a)
{
	const struct call *call;

	for (call = a->server->calls; call; call = call->next)
		if (call->number < a->request.number &&
		    str_eq(call->bdf, a->request.bdf))
			break;

	return call;
}

/* answer_wait_earlier() - CONTROL_WAIT_EARLIER */
static int answer_wait_earlier(struct asked *a)
{
	uint64_t deadline = clock_mono_ns() + 1 +
			    a->request.timeout_ms * UINT64_C(1000000);
	struct sim *sim = a->server->sim;
	const struct call *call;
	int found = 0, r = 0;

	sim_lock(sim);
	while ((call = find_earlier(a)) && r != -ETIMEDOUT) {
		found = 1;
		r = sim_wait(sim, deadline);
	}
	if (call) {
		a->reply.number = call->number;
		(void)str_copy(a->reply.text, sizeof(a->reply.text),
			       call->name);
	}
	sim_unlock(sim);

	return call ? -ETIMEDOUT : found;
}

/* --- pokes --- */

/* Ours: first it is answered, then done. */
#define POWER_OFF "power-off"

/**
 * made() - Was there memory for a text?
 * @ret:	The text; NULL if not
 * @n:		Of asprintf(3)
 *
 * Return: 0 or -ENOMEM.
 */
static int made(char **ret, int n)
{
	if (n >= 0)
		return 0;

	*ret = NULL; /* asprintf(3) does not say what it is then */
	return -ENOMEM;
}

/**
 * poke_machine() - What the machine says to a command
 * @a:		The command
 * @ret:	Text, to be freed
 *
 * Its help has our commands, too.
 *
 * Return: 0 or -errno.
 */
static int poke_machine(struct asked *a, char **ret, struct error *err)
{
	struct sim *sim = a->server->sim;
	char *text = NULL;
	int r;

	sim_lock(sim);
	r = sim_poke(sim, a->request.text, &text, err);
	sim_unlock(sim);
	if (r < 0 || !str_eq(a->request.text, "help")) {
		*ret = text;
		return r;
	}

	r = made(ret, asprintf(ret, "%spid\n" POWER_OFF "\n", text));
	free(text);
	return r;
}

/**
 * poke() - What a command says, ours or the machine's
 *
 * As poke_machine().
 */
static int poke(struct asked *a, char **ret, struct error *err)
{
	if (str_eq(a->request.text, "pid"))
		return made(ret, asprintf(ret, "%d\n", (int)getpid()));
	if (!str_eq(a->request.text, POWER_OFF))
		return poke_machine(a, ret, err);

	*ret = strdup("");
	return *ret ? 0 : -ENOMEM;
}

/* answer_poke() - CONTROL_POKE */
static int answer_poke(struct asked *a)
{
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_NULL;
	const char *words;
	int r, m;

	r = poke(a, &text, &err);
	words = r < 0 ? err.msg : text;
	m = memory_new(&a->fd);
	if (!m)
		m = write_all(a->fd, words, strlen(words));
	if (!m)
		m = memory_seal(a->fd);

	return r < 0 ? r : m;
}

/* --- which is answered how --- */

/**
 * struct answer - How a request is answered
 * @fn:		0 or positive, or -errno; without the machine's lock
 * @waits:	It may take long: not on the loop's thread
 */
static const struct answer {
	int (*fn)(struct asked *a);
	bool waits;
} answers[] = {
	[CONTROL_INVENTORY] = { answer_inventory, false },
	[CONTROL_DEVICE] = { answer_device, false },
	[CONTROL_USERS] = { answer_users, false },
	[CONTROL_FILES] = { answer_files, false },
	[CONTROL_GET_OVERRIDE] = { answer_call, true },
	[CONTROL_SET_OVERRIDE] = { answer_call, true },
	[CONTROL_UNBIND] = { answer_call, true },
	[CONTROL_PROBE] = { answer_call, true },
	[CONTROL_MEND] = { answer_call, true },
	[CONTROL_ENDED] = { answer_ended, false },
	[CONTROL_WAIT_EARLIER] = { answer_wait_earlier, true },
	[CONTROL_IOMMUFD] = { answer_iommufd, false },
	[CONTROL_CDEV] = { answer_cdev, false },
	[CONTROL_UEVENTS] = { answer_uevents, false },
	[CONTROL_POKE] = { answer_poke, true },
};

/**
 * give() - Send the answer
 * @a:		It; freed
 * @result:	Of the call
 */
static void give(struct asked *a, int result)
{
	int r;

	a->reply.magic = CONTROL_MAGIC;
	a->reply.result = result;
	r = fd_send(a->sock, &a->reply, sizeof(a->reply), &a->fd, a->fd >= 0);
	if (r < 0)
		log_debug("request %u: nobody waits for the answer: %d",
			  a->request.op, r);
	(void)fd_close(a->fd);
	(void)fd_close(a->sock);
	free(a);
}

/**
 * answer_main() - A thread: answer
 * @data:	The request
 */
static void answer_main(void *data)
{
	struct asked *a = data;
	struct server *server = a->server;
	bool off = a->request.op == CONTROL_POKE &&
		   str_eq(a->request.text, POWER_OFF);

	give(a, answers[a->request.op].fn(a));
	if (off)
		loop_stop(server->loop);
}

/**
 * settle_main() - A thread: let what came before it be over, then answer
 * @data:	The request
 */
static void settle_main(void *data)
{
	struct asked *a = data;

	sim_lock(a->server->sim);
	end_settle(a->server, a->closing);
	sim_unlock(a->server->sim);
	answer_main(a);
}

/* answer_consume() - Answer a request */
void answer_consume(struct server *server, int fd,
		    const struct control_request *request)
{
	struct asked *a = calloc(1, sizeof(*a));

	if (!a) {
		(void)fd_close(fd);
		return;
	}
	a->server = server;
	a->request = *request;
	a->closing = server->last_closing;
	a->request.bdf[BDF_SIZE - 1] = '\0';
	a->request.text[sizeof(a->request.text) - 1] = '\0';
	a->fd = -1;
	a->sock = fd;

	if (request->op >= ARRAY_SIZE(answers) || !answers[request->op].fn)
		give(a, -EINVAL);
	else if (!answers[request->op].waits)
		answer_main(a);
	else if (server_job(server, settle_main, a) < 0)
		give(a, -ENOMEM);
}

/* answer_hello() - Answer CONTROL_HELLO */
int answer_hello(struct server *server, int fd)
{
	struct control_reply reply;

	memset(&reply, 0, sizeof(reply));
	reply.magic = CONTROL_MAGIC;
	reply.hello = server->hello;
	sim_lock(server->sim);
	reply.hello.next_call = server->sim->next_call;
	reply.hello.allow_unsafe = server->sim->allow_unsafe;
	sim_unlock(server->sim);

	return fd_send(fd, &reply, sizeof(reply), NULL, 0);
}
