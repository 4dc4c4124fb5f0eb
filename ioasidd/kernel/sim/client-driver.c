/* SPDX-License-Identifier: Apache-2.0
 *
 * client-driver.c - calls to the simulated machine that may not come back
 *
 * What is a helper process on a real host is a call in the machine's process,
 * known by its number: it goes on when nobody waits for it any more.
 */
#include "kernel/sim/private.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "kernel/sim/link.h"

/**
 * name_holders() - Say who keeps a call from coming back
 * @k:		The machine
 * @dev:	The function, as it was before
 * @err:	A filled error; causes are added
 */
static void name_holders(struct kernel *k, const struct kernel_device *dev,
			 struct error *err)
{
	if (err)
		(void)client_find_holders(k, dev, err, NULL);
}

/**
 * struct attempt - A call that may not come back
 * @op:		Which
 * @call:	For struct kernel_stuck
 * @what:	The file in sysfs, for messages: "write driver/unbind"
 * @text:	What goes with it; NULL for nothing
 */
struct attempt {
	enum control_op op;
	const char *call;
	const char *what;
	const char *text;
};

/**
 * leave() - Note what is to be known of a call that is left behind
 * @k:		The machine
 * @attempt:	The call
 * @number:	Its number there
 *
 * Return: -ETIMEDOUT.
 */
static int leave(struct kernel *k, const struct attempt *attempt,
		 const char *bdf, uint64_t number, unsigned int timeout_ms,
		 struct kernel_stuck *ret_stuck, struct error *err)
{
	const struct control_hello *hello = &client_of(k)->hello;

	*ret_stuck = (struct kernel_stuck){
		.pid = hello->pid,
		.start_ticks = number,
	};
	(void)str_copy(ret_stuck->boot_id, sizeof(ret_stuck->boot_id),
		       hello->info.boot_id);
	(void)str_copy(ret_stuck->call, sizeof(ret_stuck->call),
		       attempt->call);

	return error_set(err, -ETIMEDOUT, ERROR_DEVICE_BLOCKED,
			 "%s of %s has not come back from the simulated "
			 "machine within %u ms; process %d stays in it",
			 attempt->what, bdf, timeout_ms, (int)hello->pid);
}

/**
 * run() - Make a call that takes a device's lock, and wait for it
 * @k:		The machine
 * @attempt:	The call
 * @bdf:	The function
 * @timeout_ms:	How long
 * @ret:	Its answer
 * @ret_stuck:	On -ETIMEDOUT what is to be known of it
 *
 * Return: 0; -ETIMEDOUT, device.blocked; -ENODEV, device.not-found; -errno of
 * the call, kernel.sysfs.
 */
static int run(struct kernel *k, const struct attempt *attempt,
	       const char *bdf, unsigned int timeout_ms,
	       struct control_reply *ret, struct kernel_stuck *ret_stuck,
	       struct error *err)
{
	uint64_t number = 0, deadline = clock_mono_ns() + 1 +
					timeout_ms * UINT64_C(1000000);
	struct control_request request = { .magic = 0 };
	_cleanup_fd_ int fd = -1;
	int r;

	if (!str_copy(request.bdf, sizeof(request.bdf), bdf))
		return client_not_found(bdf, err);
	(void)str_copy(request.text, sizeof(request.text),
		       attempt->text ? attempt->text : "");
	r = link_connect(client_of(k)->dir, &fd);
	if (!r)
		r = link_send(fd, attempt->op, &request);
	if (!r)
		r = link_receive(fd, deadline, ret, NULL);
	if (!r && ret->begun) {
		number = ret->number;
		r = link_receive(fd, deadline, ret, NULL);
	}
	if (r == -ETIMEDOUT)
		return leave(k, attempt, bdf, number, timeout_ms, ret_stuck,
			     err);
	if (r < 0)
		return client_no_answer(r, err);
	if (ret->result == -ENODEV)
		return client_not_found(bdf, err);
	if (ret->result < 0)
		return error_set(err, ret->result, ERROR_KERNEL_SYSFS,
				 "%s of %s: %m", attempt->what, bdf);

	return 0;
}

/* client_get_override() - Read driver_override */
int client_get_override(struct kernel *k, const char *bdf,
			unsigned int timeout_ms, char ret[DRIVER_SIZE],
			struct kernel_stuck *ret_stuck, struct error *err)
{
	const struct attempt attempt = {
		.op = CONTROL_GET_OVERRIDE,
		.call = "get_override",
		.what = "read driver_override",
	};
	struct control_reply reply = { .magic = 0 };
	int r;

	r = run(k, &attempt, bdf, timeout_ms, &reply, ret_stuck, err);
	if (r < 0)
		return r;
	(void)str_copy(ret, DRIVER_SIZE, reply.text);
	return 0;
}

/* client_set_override() - Write driver_override */
int client_set_override(struct kernel *k, const char *bdf, const char *driver,
			unsigned int timeout_ms, struct kernel_stuck *ret_stuck,
			struct error *err)
{
	const struct attempt attempt = {
		.op = CONTROL_SET_OVERRIDE,
		.call = "set_override",
		.what = "write driver_override",
		.text = driver,
	};
	struct control_reply reply = { .magic = 0 };

	if (strlen(driver) >= DRIVER_SIZE || strpbrk(driver, "/\n"))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "'%s' is no name of a driver", driver);

	return run(k, &attempt, bdf, timeout_ms, &reply, ret_stuck, err);
}

/* client_unbind() - Take the driver off a function */
int client_unbind(struct kernel *k, const char *bdf, unsigned int timeout_ms,
		  struct kernel_stuck *ret_stuck, struct error *err)
{
	const struct attempt attempt = {
		.op = CONTROL_UNBIND,
		.call = "unbind",
		.what = "write driver/unbind",
	};
	struct control_reply reply = { .magic = 0 };
	struct kernel_device dev;
	int r;

	r = client_device(k, bdf, &dev, err);
	if (r < 0 || !dev.driver[0])
		return r;
	r = run(k, &attempt, bdf, timeout_ms, &reply, ret_stuck, err);
	if (r == -ETIMEDOUT)
		name_holders(k, &dev, err);

	return r;
}

/* client_probe() - Let the machine find a driver for a function */
int client_probe(struct kernel *k, const char *bdf, unsigned int timeout_ms,
		 struct kernel_stuck *ret_stuck, struct error *err)
{
	const struct attempt attempt = {
		.op = CONTROL_PROBE,
		.call = "probe",
		.what = "write drivers_probe",
	};
	struct control_reply reply = { .magic = 0 };

	return run(k, &attempt, bdf, timeout_ms, &reply, ret_stuck, err);
}

/* client_mend_config() - See that a function answers and has its BARs */
int client_mend_config(struct kernel *k, const char *bdf,
		       unsigned int timeout_ms, bool *ret_mended,
		       struct kernel_stuck *ret_stuck, struct error *err)
{
	const struct attempt attempt = {
		.op = CONTROL_MEND,
		.call = "config",
		.what = "read config",
	};
	struct control_reply reply = { .magic = 0 };
	int r;

	*ret_mended = false;
	r = run(k, &attempt, bdf, timeout_ms, &reply, ret_stuck, err);
	if (r == -EIO)
		return error_set(err, -EIO, ERROR_DEVICE_UNHEALTHY,
				 "%s answers all ones: it does not respond on "
				 "the bus", bdf);
	if (r == 0)
		*ret_mended = reply.mended;

	return r;
}

/* client_wait_earlier() - Wait for what an earlier life has left behind */
int client_wait_earlier(struct kernel *k, const char *bdf,
			unsigned int timeout_ms, struct kernel_stuck *ret_stuck,
			struct error *err)
{
	const struct control_hello *hello = &client_of(k)->hello;
	struct control_request request = {
		.number = hello->next_call,
		.timeout_ms = timeout_ms,
	};
	struct control_reply reply = { .magic = 0 };
	int r;

	(void)str_copy(request.bdf, sizeof(request.bdf), bdf);
	r = client_ask(k, CONTROL_WAIT_EARLIER, &request, &reply, NULL, err);
	if (r < 0 || reply.result >= 0)
		return r < 0 ? r : reply.result;
	if (reply.result != -ETIMEDOUT)
		return client_no_answer(reply.result, err);

	*ret_stuck = (struct kernel_stuck){
		.pid = hello->pid,
		.start_ticks = reply.number,
	};
	(void)str_copy(ret_stuck->boot_id, sizeof(ret_stuck->boot_id),
		       hello->info.boot_id);
	(void)str_copy(ret_stuck->call, sizeof(ret_stuck->call), reply.text);

	return error_set(err, -ETIMEDOUT, ERROR_DEVICE_BLOCKED,
			 "a call about %s that ioasidd made before it was "
			 "ended has not come back; process %d stays in it",
			 bdf, (int)hello->pid);
}

/* client_stuck_ended() - Has a call that was left behind come back? */
bool client_stuck_ended(struct kernel *k, const struct kernel_stuck *stuck)
{
	struct control_request request = { .number = stuck->start_ticks };
	struct control_reply reply = { .magic = 0 };

	if (stuck->pid <= 0 ||
	    !str_eq(stuck->boot_id, client_of(k)->hello.info.boot_id))
		return true;

	return client_ask(k, CONTROL_ENDED, &request, &reply, NULL, NULL) < 0 ||
	       reply.result != 0;
}
