/* SPDX-License-Identifier: Apache-2.0
 *
 * library.h - libioasid's own calls on spaces, as commands of the client
 */
#ifndef IOASIDD_TESTS_CONFORMANCE_LIBRARY_H
#define IOASIDD_TESTS_CONFORMANCE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/**
 * library_call() - Do a command, and answer it with a line
 * @words:	Its name and arguments; @n of them
 * @out:	Gets "ok" and what was found, or the name of the errno and the
 *		words of the error, in hexadecimal
 *
 * Return: false: there is no such command, or it has too few words; nothing was
 * done and nothing answered.
 */
bool library_call(char **words, size_t n, FILE *out);

#endif
