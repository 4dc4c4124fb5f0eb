/* SPDX-License-Identifier: Apache-2.0
 *
 * test-token.c - SHA-256 against published vectors, and tokens
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/token.h"

/* hex() - A hash in hexadecimal */
static void hex(const uint8_t hash[SHA256_SIZE], char ret[65])
{
	for (size_t i = 0; i < SHA256_SIZE; i++)
		snprintf(ret + 2 * i, 3, "%02x", hash[i]);
}

/* Of FIPS 180-4's examples: none, one and two blocks. */
static const struct {
	const char *text, *hash;
} vectors[] = {
	{ "",
	  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc",
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
	  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
	  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
};

/* published_vectors_agree() */
static void published_vectors_agree(void **state)
{
	uint8_t hash[SHA256_SIZE];
	char *million, words[65];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		sha256(vectors[i].text, strlen(vectors[i].text), hash);
		hex(hash, words);
		assert_string_equal(words, vectors[i].hash);
	}
	million = malloc(1000000);
	assert_non_null(million);
	memset(million, 'a', 1000000);
	sha256(million, 1000000, hash);
	free(million);
	hex(hash, words);
	assert_string_equal(
		words,
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* each_length_around_a_block_agrees_with_another_program() */
static void each_length_around_a_block_agrees_with_another_program(void **state)
{
	char command[320], words[65], theirs[65], text[130];
	uint8_t hash[SHA256_SIZE];

	for (size_t n = 50; n < 70; n++) {
		FILE *pipe;

		memset(text, 'x', n);
		text[n] = '\0';
		snprintf(command, sizeof(command),
			 "printf %%s %s | sha256sum", text);
		pipe = popen(command, "r"); /* NOLINT: the text is ours */
		assert_non_null(pipe);
		assert_non_null(fgets(theirs, sizeof(theirs), pipe));
		pclose(pipe);
		sha256(text, n, hash);
		hex(hash, words);
		assert_string_equal(words, theirs);
	}
}

/* a_token_matches_itself_and_nothing_else() */
static void a_token_matches_itself_and_nothing_else(void **state)
{
	uint8_t hash[SHA256_SIZE], other_hash[SHA256_SIZE];
	char token[TOKEN_SIZE], other[TOKEN_SIZE];

	assert_int_equal(token_make(token, hash), 0);
	assert_int_equal(token_make(other, other_hash), 0);
	assert_int_equal(strlen(token), 64);
	assert_int_equal(strspn(token, "0123456789abcdef"), 64);
	assert_string_not_equal(token, other);
	assert_true(token_matches(token, hash));
	assert_false(token_matches(other, hash));
	assert_false(token_matches("", hash));
	token[63] ^= 1;
	assert_false(token_matches(token, hash));
	token_forget(token);
	for (size_t i = 0; i < TOKEN_SIZE; i++)
		assert_int_equal(token[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors_agree),
		cmocka_unit_test(
			each_length_around_a_block_agrees_with_another_program),
		cmocka_unit_test(a_token_matches_itself_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
