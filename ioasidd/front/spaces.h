/* SPDX-License-Identifier: Apache-2.0
 *
 * spaces.h - wishes for spaces, as requests have them
 */
#ifndef IOASIDD_FRONT_SPACES_H
#define IOASIDD_FRONT_SPACES_H

#include "front/contract.h"
#include "front/methods.h"
#include "model/space.h"

/**
 * spaces_take_wish() - Take over what a space is to be
 * @call:	Whose; windows stay in its arena
 * @ret:	spaces_drop_wish()
 *
 * Return: 0; -EINVAL request.invalid; -EINVAL window.invalid; -ENOMEM.
 */
int spaces_take_wish(const struct call *call, const Ioasid__V1__SpaceWish *in,
		     struct space_wish *ret, struct error *err);

/* spaces_drop_wish() - Free what is not the arena's. */
void spaces_drop_wish(struct space_wish *wish);

#endif
