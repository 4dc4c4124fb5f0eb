/* SPDX-License-Identifier: Apache-2.0
 *
 * fake-link.h - a link with nobody behind it, for tests of who uses one
 *
 * What is called does not matter; the request, text instead of a message, says
 * what becomes of the call:
 *
 *	echo ...	it is the reply, all of it
 *	reply SIZE	so many bytes
 *	late MS ...	the same, so many milliseconds later
 *	hang		nothing
 *	fail ID N	fails with N causes, one in two of them a field
 *	stream N SIZE	N items of SIZE bytes, each with its number; 0: no end
 *	counts		the reply is "calls=N open=N cancelled=N early=N most=N"
 *
 * An empty request is answered with an ioasid.v1.Version. "early" counts items
 * that were asked for before they can have been passed on, "most" is the
 * largest number of items that were out at a time.
 */
#ifndef TESTS_API_FAKE_LINK_H
#define TESTS_API_FAKE_LINK_H

#include "core/link.h"

/* fake_link_new() - Or the end of the program. */
struct link *fake_link_new(struct loop *loop);

/* fake_link_open() - How many calls are open. */
size_t fake_link_open(const struct link *link);

/* fake_link_calls() - How many there have been. */
size_t fake_link_calls(const struct link *link);

#endif
