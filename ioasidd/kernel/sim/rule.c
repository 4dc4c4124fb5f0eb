/* SPDX-License-Identifier: Apache-2.0
 *
 * rule.c - the rules' words, and which one is switched off
 */
#include "kernel/sim/rule.h"

#include <stddef.h>
#include <stdlib.h>

static const struct {
	unsigned int number;
	const char *words;
} rules[] = {
#define RULE(number, name, words) { number, words },
#include "kernel/sim/rules.inc"
#undef RULE
	{ 0, NULL },
};

#ifdef IOASID_FAULTS
/* sim_rule() - Does the rule hold? */
bool sim_rule(enum sim_rule rule)
{
	/* Read each time: it is set before the machine starts. */
	const char *off = getenv("IOASID_SIM_MUTANT");

	return !off || strtoul(off, NULL, 10) != (unsigned long)rule;
}
#endif

/* sim_rule_words() - What a rule says */
const char *sim_rule_words(unsigned int number)
{
	for (size_t i = 0; rules[i].words; i++)
		if (rules[i].number == number)
			return rules[i].words;

	return NULL;
}

/* sim_rule_next() - The next number that is a rule */
unsigned int sim_rule_next(unsigned int number)
{
	unsigned int next = 0;

	for (size_t i = 0; rules[i].words; i++)
		if (rules[i].number > number &&
		    (!next || rules[i].number < next))
			next = rules[i].number;

	return next;
}
