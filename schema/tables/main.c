/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - at build time: check the contract, print what is made from it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract.h"

/* main() - See usage */
int main(int argc, char **argv)
{
	struct contract contract = { .root = "" };
	const char *want;

	if (argc != 5 && argc != 6) {
		fprintf(stderr,
			"usage: schema-tables SCHEMA.FDS PACKAGE FOLDER methods\n"
			"       schema-tables SCHEMA.FDS PACKAGE FOLDER api SYMBOL\n"
			"       schema-tables SCHEMA.FDS PACKAGE FOLDER reflection SYMBOL\n"
			"       schema-tables SCHEMA.FDS PACKAGE FOLDER openapi\n");
		return 2;
	}
	contract.package = argv[2];
	contract.root = argv[3];
	contract_load(&contract, argv[1]);
	if (!contract_check(&contract))
		return 1;

	want = argv[4];
	if (!strcmp(want, "methods"))
		print_methods(&contract);
	else if (!strcmp(want, "api") && argc == 6)
		print_api(&contract, argv[5]);
	else if (!strcmp(want, "reflection") && argc == 6)
		print_reflection(&contract, argv[5]);
	else if (strcmp(want, "openapi") != 0)
		return 2;
	else if (!print_openapi(&contract))
		return 1;
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
