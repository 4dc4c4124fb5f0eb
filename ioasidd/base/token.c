/* SPDX-License-Identifier: Apache-2.0
 *
 * token.c - secrets that are shown once, and kept as a hash
 */
#include "base/token.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* token_make() - Make a token */
int token_make(char ret[TOKEN_SIZE], uint8_t ret_hash[SHA256_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[SHA256_SIZE];
	ssize_t n;

	do
		n = getrandom(bytes, sizeof(bytes), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(bytes))
		return n < 0 ? -errno : -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[TOKEN_SIZE - 1] = '\0';
	explicit_bzero(bytes, sizeof(bytes));
	sha256(ret, TOKEN_SIZE - 1, ret_hash);
	return 0;
}

/* token_matches() - Is it the token that a hash is of? */
bool token_matches(const char *token, const uint8_t hash[SHA256_SIZE])
{
	uint8_t shown[SHA256_SIZE], different = 0;

	sha256(token, strlen(token), shown);
	for (size_t i = 0; i < SHA256_SIZE; i++)
		different |= shown[i] ^ hash[i];
	return !different;
}

/* token_forget() - Overwrite it */
void token_forget(char token[TOKEN_SIZE])
{
	explicit_bzero(token, TOKEN_SIZE);
}
