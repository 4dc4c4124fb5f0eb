/* SPDX-License-Identifier: Apache-2.0
 *
 * methods.c - at build time: the daemon's table of methods
 */
#include <stdio.h>

#include "contract.h"

/* print_methods() - One initialiser of struct method (ioasidd/front/methods.h)
 * for each method.
 */
void print_methods(const struct contract *contract)
{
	printf("/* Made by schema/tables from schema/ioasid/v1. */\n\n");
	for (size_t i = 0; i < contract->n_rpcs; i++) {
		const struct rpc *rpc = &contract->rpcs[i];

		printf("{\n\t.name = \"%s\",\n\t.permission = \"%s\",\n"
		       "\t.input = &%s__descriptor,\n"
		       "\t.output = &%s__descriptor,\n"
		       "\t.verb = \"%s\",\n\t.path = \"%s\",\n"
		       "\t.body = \"%s\",\n%s%s},\n",
		       rpc->name, rpc->permission, symbol(rpc->input->name),
		       symbol(rpc->output->name), rpc->route.verb,
		       rpc->route.path, rpc->route.body,
		       rpc->takes_descriptors ?
			       "\t.takes_descriptors = true,\n" : "",
		       rpc->gives_descriptors ?
			       "\t.gives_descriptors = true,\n" : "");
	}
}
