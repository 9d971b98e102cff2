/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An allocator for a whole junctord, its libraries included: glibc's, behind a counter that can fail.
 * It is linked into a junctord of its own (build/test/tools/junctord_short_of_memory).
 *
 * The environment's SHORT_OF_MEMORY names a file of three 64-bit numbers, which the test maps, too:
 * allocations so far; how many more until one fails (0: none does); how many fail from there on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct page {
	_Atomic uint64_t calls, until, length;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static struct page *page; /* NULL until main() is near */

static __attribute__((constructor)) void map_page(void)
{
	const char *path = getenv("SHORT_OF_MEMORY");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mapped;

	if (fd < 0)
		return;
	mapped = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (mapped != MAP_FAILED)
		page = mapped;
}

/* Any thread; two that come at the same moment may fail both. */
static bool fails(void)
{
	uint64_t until;

	if (!page)
		return false;
	page->calls++;
	until = page->until;
	if (!until)
		return false;
	if (until > 1) {
		page->until = until - 1;
		return false;
	}
	if (page->length-- == 1)
		page->until = 0;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return fails() ? NULL : __libc_realloc(block, size);
}

void *reallocarray(void *block, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	void *block = aligned_alloc(alignment, size);

	if (!block)
		return ENOMEM;
	*out = block;
	return 0;
}
