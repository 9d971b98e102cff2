/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line of a load program, as a table: what an option is called, what its value is and
 * where it goes. Whether the values make sense together is the program's business.
 */
#ifndef JN_BENCH_OPTIONS_H
#define JN_BENCH_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

#include "bench.h"

#define MAX_OPTIONS 16
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct bench_option {
	const char *name;
	void (*take)(const struct bench_option *option, char *value); /* one of those below */
	void *out;
	unsigned *count;	  /* take_addresses: how many there were */
	unsigned max;		  /* take_addresses, take_word: how many there may be */
	const char *const *words; /* take_word */
};

/* out: bool. The option has no value. */
static inline void take_flag(const struct bench_option *option, char *value)
{
	(void)value;
	*(bool *)option->out = true;
}

/* out: const char *. */
static inline void take_text(const struct bench_option *option, char *value)
{
	*(const char **)option->out = value;
}

/* out: int. */
static inline void take_int(const struct bench_option *option, char *value)
{
	*(int *)option->out = atoi(value);
}

/* out: uint64_t. */
static inline void take_count(const struct bench_option *option, char *value)
{
	*(uint64_t *)option->out = strtoull(value, NULL, 10);
}

/* out: double. */
static inline void take_seconds(const struct bench_option *option, char *value)
{
	*(double *)option->out = atof(value);
}

/* out: an enum whose values are the places in `words`. */
static inline void take_word(const struct bench_option *option, char *value)
{
	for (unsigned i = 0; i < option->max; i++) {
		if (!strcmp(value, option->words[i])) {
			*(unsigned *)option->out = i;
			return;
		}
	}
	errno = EINVAL;
	die("%s '%s'", option->name, value);
}

/* out: struct sockaddr_in. */
static inline void take_address(const struct bench_option *option, char *value)
{
	*(struct sockaddr_in *)option->out = parse_address(value);
}

/* out: the first of `max` struct sockaddr_in. With commas between. */
static inline void take_addresses(const struct bench_option *option, char *value)
{
	struct sockaddr_in *out = option->out;
	unsigned count = 0;

	for (char *one = strtok(value, ","); one; one = strtok(NULL, ",")) {
		errno = E2BIG;
		if (count == option->max)
			die("more than %u addresses", option->max);
		out[count++] = parse_address(one);
	}
	*option->count = count;
}

/* Returns what follows the options. */
static inline char **parse_options(int argc, char **argv, const struct bench_option *options,
				   size_t count)
{
	struct option names[MAX_OPTIONS + 1] = { 0 };
	int c, at;

	errno = E2BIG;
	if (count > MAX_OPTIONS)
		die("more than %d options", MAX_OPTIONS);
	for (size_t i = 0; i < count; i++) {
		names[i].name = options[i].name;
		names[i].has_arg = options[i].take != take_flag;
	}
	while ((c = getopt_long(argc, argv, "", names, &at)) != -1) {
		if (c)
			exit(2);
		options[at].take(&options[at], optarg);
	}
	return argv + optind;
}

#endif
