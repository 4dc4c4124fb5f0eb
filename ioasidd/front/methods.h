/* SPDX-License-Identifier: Apache-2.0
 *
 * methods.h - the methods of the contract, each with what answers it
 *
 * DOC: Theory of Operation
 *
 * What a method is called, needs and carries comes from the .proto files
 * (schema/tables.c); what answers it is bound to it in methods.c, in the same
 * order and by name. One that reads answers on the loop's thread: it looks at
 * the registry and makes its reply. One that changes runs on a worker and may
 * block. Both only see struct call, and know nothing of sockets.
 */
#ifndef IOASIDD_FRONT_METHODS_H
#define IOASIDD_FRONT_METHODS_H

#include "base/arena.h"
#include "ops/host.h"

/**
 * struct method - What the contract says of a method
 * @name:	"ioasid.v1.<Service>/<Method>"
 * @permission:	"<object>.<verb>"
 * @input:	Type of its request
 * @output:	Type of its reply
 * @verb:	Of its HTTP route
 * @path:	Likewise
 * @body:	Likewise; empty for none
 * @takes_descriptors: They may come with its request
 * @gives_descriptors: They come with its reply
 */
struct method {
	const char *name;
	const char *permission;
	const ProtobufCMessageDescriptor *input;
	const ProtobufCMessageDescriptor *output;
	const char *verb;
	const char *path;
	const char *body;
	bool takes_descriptors;
	bool gives_descriptors;
};

/**
 * struct call - One request, for what answers it
 * @host:	What operations work with
 * @caller:	Who asks
 * @input:	The request message, of the method's input type
 * @fds:	What came with it, of a method that takes descriptors; borrowed
 * @n_fds:	How many
 * @arena:	Where the reply goes, VIEW_BUDGET
 * @reply:	The reply message, of the method's output type; set on success
 * @hand_over:	Sends a reply with descriptors, at once; 0 or -errno of
 *		fd_send(). Then @sent is true and no @reply is wanted.
 * @data:	For @hand_over
 * @sent:	The reply has left
 */
struct call {
	struct host *host;
	const struct caller *caller;
	const ProtobufCMessage *input;
	const int *fds;
	size_t n_fds;
	struct arena *arena;
	ProtobufCMessage *reply;
	int (*hand_over)(void *data, const ProtobufCMessage *reply,
			 const int *fds, size_t n_fds);
	void *data;
	bool sent;
};

/**
 * enum method_kind - Where a method is answered
 * @METHOD_READ:	On the loop's thread; looks at the registry only
 * @METHOD_CHANGE:	On a worker; may block
 * @METHOD_WAIT:	As read, but later if the answer is -EINPROGRESS: when
 *			an operation has ended, or the time is up
 * @METHOD_STREAM:	Many times, see streams.h; by no function of its own
 */
enum method_kind {
	METHOD_READ,
	METHOD_CHANGE,
	METHOD_WAIT,
	METHOD_STREAM,
};

/* Return: 0 with the reply made or sent, or -errno with @err filled. */
typedef int (*method_fn)(struct call *call, struct error *err);

/**
 * struct binding - What answers a method
 * @name:	The method's
 * @kind:	Where
 * @fn:		What; NULL for a stream
 */
struct binding {
	const char *name;
	enum method_kind kind;
	method_fn fn;
};

/**
 * methods_check() - Is each method bound to what answers it?
 *
 * At start-up: the order of the contract and of the bindings must be the same.
 *
 * Return: 0; -EINVAL daemon.internal naming the first that is not.
 */
int methods_check(struct error *err);

/**
 * method_find() - A method by its name
 * @name:	What a stranger asked for
 * @ret_binding: What answers it
 *
 * Return: the method; NULL if there is none.
 */
const struct method *method_find(const char *name,
				 const struct binding **ret_binding);

/**
 * method_allowed() - May the caller call the method at all?
 *
 * By the policy of now, see ops/authorize.h. Who has no grant may look at the
 * host and at what is its own, and claim, acknowledge and release what is
 * addressed to it; which objects that is the handlers decide. Nothing is claimed
 * through ioasid-api.
 *
 * Return: 0; -EACCES permission.denied, permission.unauthenticated,
 * permission.native-socket-only.
 */
int method_allowed(const struct method *method, const struct caller *caller,
		   struct error *err);

/* methods_all() - All methods of the contract; for tests. */
const struct method *methods_all(size_t *ret_n);

#endif
