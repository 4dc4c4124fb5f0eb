/* SPDX-License-Identifier: Apache-2.0
 *
 * token.h - secrets that are shown once, and kept as a hash
 *
 * A token is 256 bits from the kernel's random numbers, as 64 hexadecimal
 * digits. As nobody can guess it, its plain SHA-256 gives nothing away.
 */
#ifndef IOASIDD_BASE_TOKEN_H
#define IOASIDD_BASE_TOKEN_H

#include <stdbool.h>

#include "base/sha256.h"

#define TOKEN_SIZE 65

/**
 * token_make() - Make a token
 * @ret:	64 digits and a NUL; token_forget() when it has been shown
 * @ret_hash:	What is kept
 *
 * Return: 0 or -errno of getrandom(2).
 */
int token_make(char ret[TOKEN_SIZE], uint8_t ret_hash[SHA256_SIZE]);

/**
 * token_matches() - Is it the token that a hash is of?
 * @token:	What a stranger has sent
 * @hash:	What was kept
 *
 * Takes the same time however much of it is right.
 */
bool token_matches(const char *token, const uint8_t hash[SHA256_SIZE]);

/* token_forget() - Overwrite it. */
void token_forget(char token[TOKEN_SIZE]);

#endif
