/* SPDX-License-Identifier: Apache-2.0
 *
 * rule.h - every rule of the simulated machine, by number
 *
 * A rule is one thing that the kernel does or refuses and that a client can
 * notice. In FAULTS=1 builds each can be switched off (IOASID_SIM_MUTANT=n in
 * the machine's environment), to show that the conformance suite notices; in
 * all other builds sim_rule() is true and costs nothing.
 *
 * Where a rule is asked for, its absence is the natural mistake: the check is
 * left out, the wrong errno is given, the clean-up does not happen.
 */
#ifndef IOASIDD_KERNEL_SIM_RULE_H
#define IOASIDD_KERNEL_SIM_RULE_H

#include <stdbool.h>

enum sim_rule {
	SIM_RULE_NONE = 0,
#define RULE(number, name, words) SIM_RULE_##name = number,
#include "kernel/sim/rules.inc"
#undef RULE
};

#ifdef IOASID_FAULTS
/* sim_rule() - Does the rule hold? */
bool sim_rule(enum sim_rule rule);
#else
#define sim_rule(rule) ((void)(rule), true)
#endif

/* sim_rule_words() - What a rule says; NULL for a number that is none. */
const char *sim_rule_words(unsigned int number);

/* sim_rule_next() - The first number after @number that is a rule; 0: none. */
unsigned int sim_rule_next(unsigned int number);

#endif
