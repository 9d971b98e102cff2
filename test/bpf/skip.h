/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leaving a test out, with the reason, which run-cmocka.sh shows. The reason is something that was tried
 * and is not there; a kernel's version is none.
 */
#ifndef JUNCTOR_TEST_SKIP_H
#define JUNCTOR_TEST_SKIP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/btf.h>

/* Does not return. */
static inline void skip_because(const char *reason)
{
	print_message("skipped because %s\n", reason);
	skip();
}

/* Of those that BPF programs may call; what it needs to be called is told by the load. */
static inline bool kernel_has_function(const char *name)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	bool has_it = btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC) > 0;

	btf__free(kernel);
	return has_it;
}

#endif
