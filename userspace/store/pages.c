/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows out of a file that SQLite refuses: page by page, without the header, the schema or the upper
 * pages of the tree, from the write-ahead log where that holds a newer page. Only the layout is
 * followed (https://www.sqlite.org/fileformat2.html), with every length checked; whether a row is
 * right is for its hashes to say. It writes nothing.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "store/internal.h"

#define PAGE JN_STORE_PAGE_BYTES
#define LOG_MAGIC 0x377f0682u /* the lowest bit: checksums of big-endian words */
#define LOG_HEAD_BYTES 32
#define FRAME_HEAD_BYTES 24
#define FRAME_BYTES (FRAME_HEAD_BYTES + PAGE)
#define INTERIOR 2 /* pages of a WITHOUT ROWID table */
#define LEAF 10
#define COLUMN_COUNT 8
/* How much of a row lies in its page, as the file format has it for such tables. */
#define MAX_LOCAL ((PAGE - 12) * 64 / 255 - 23)
#define MIN_LOCAL ((PAGE - 12) * 32 / 255 - 23)

static uint32_t be32_at(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static unsigned be16_at(const unsigned char *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static bool read_at(int fd, void *out, size_t size, uint64_t offset)
{
	return pread(fd, out, size, (off_t)offset) == (ssize_t)size;
}

/* --- the log --------------------------------------------------------------------------------- */

struct checksum {
	bool is_big;
	uint32_t a, b;
};

static void add_checksum(struct checksum *sum, const unsigned char *data, size_t size)
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint32_t words[2];

		memcpy(words, data + i, sizeof(words));
		for (int k = 0; k < 2; k++)
			words[k] = sum->is_big ? be32toh(words[k]) : le32toh(words[k]);
		sum->a += words[0] + sum->b;
		sum->b += words[1] + sum->a;
	}
}

static uint64_t frame_offset(uint32_t frame)
{
	return LOG_HEAD_BYTES + (uint64_t)(frame - 1) * FRAME_BYTES;
}

static bool is_right_frame(const unsigned char *frame, const unsigned char *head,
			   struct checksum *sum)
{
	add_checksum(sum, frame, 8);
	add_checksum(sum, frame + FRAME_HEAD_BYTES, PAGE);
	return !memcmp(frame + 8, head + 16, 8) && be32_at(frame) &&
	       be32_at(frame + 16) == sum->a && be32_at(frame + 20) == sum->b;
}

/* Up to the last commit before the first frame that is wrong; is_log_cut: a commit follows it. */
static void read_log(struct jn_pages *p, uint32_t frame_count)
{
	unsigned char head[LOG_HEAD_BYTES], frame[FRAME_BYTES];
	struct checksum sum = { 0 };
	bool is_right;

	if (!frame_count || !read_at(p->log, head, sizeof(head), 0))
		return;
	sum.is_big = be32_at(head) & 1;
	add_checksum(&sum, head, 24);
	is_right = (be32_at(head) & ~1u) == LOG_MAGIC && be32_at(head + 8) == PAGE &&
		   be32_at(head + 24) == sum.a && be32_at(head + 28) == sum.b;
	for (uint32_t i = 1; i <= frame_count; i++) {
		if (!read_at(p->log, frame, sizeof(frame), frame_offset(i)))
			return;
		is_right = is_right && is_right_frame(frame, head, &sum);
		if (!be32_at(frame + 4)) /* not the last one of a commit */
			continue;
		if (!is_right) {
			p->is_log_cut = true;
			return;
		}
		p->log_used = i;
		p->count = be32_at(frame + 4);
	}
}

static int index_log(struct jn_pages *p)
{
	unsigned char head[FRAME_HEAD_BYTES];

	if (!p->log_used)
		return 0;
	p->frames = calloc((size_t)p->count + 1, sizeof(*p->frames));
	if (!p->frames)
		return -ENOMEM;
	for (uint32_t i = 1; i <= p->log_used; i++) {
		if (read_at(p->log, head, sizeof(head), frame_offset(i)) &&
		    be32_at(head) <= p->count)
			p->frames[be32_at(head)] = i;
	}
	return 0;
}

static int open_file(const char *path, int *fd, uint64_t *size)
{
	struct stat info;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(*fd, &info) != 0)
		return -errno;
	*size = (uint64_t)info.st_size;
	return 0;
}

int jn_pages_open(struct jn_pages *p, const char *path)
{
	JN_AUTO(jn_free_mem) char *log_path = NULL;
	uint64_t size = 0, log_size = 0;
	int rc;

	*p = (struct jn_pages){ .file = -1, .log = -1 };
	if (asprintf(&log_path, "%s-wal", path) < 0) {
		log_path = NULL;
		return -ENOMEM;
	}
	rc = open_file(path, &p->file, &size);
	if (!rc)
		rc = open_file(log_path, &p->log, &log_size);
	p->count = (uint32_t)(size / PAGE);
	if (!rc && log_size > LOG_HEAD_BYTES)
		read_log(p, (uint32_t)((log_size - LOG_HEAD_BYTES) / FRAME_BYTES));
	if (!rc)
		rc = index_log(p);
	if (rc)
		jn_pages_close(p);
	return rc;
}

void jn_pages_close(struct jn_pages *p)
{
	jn_close_fd(&p->file);
	jn_close_fd(&p->log);
	free(p->frames);
	p->frames = NULL;
}

static bool read_page(const struct jn_pages *p, uint32_t number, unsigned char *out)
{
	if (!number || number > p->count)
		return false;
	if (p->frames && p->frames[number])
		return read_at(p->log, out, PAGE,
			       frame_offset(p->frames[number]) + FRAME_HEAD_BYTES);
	return p->file >= 0 && read_at(p->file, out, PAGE, (uint64_t)(number - 1) * PAGE);
}

/* --- rows ------------------------------------------------------------------------------------ */

struct bytes {
	const unsigned char *at, *end;
};

/* Seven bits a byte, the high bit says that more follow; all eight of a ninth byte. */
static bool take_varint(struct bytes *in, uint64_t *out)
{
	uint64_t value = 0;

	for (int i = 0; i < 9 && in->at < in->end; i++) {
		unsigned char byte = *in->at++;

		if (i == 8) {
			*out = value << 8 | byte;
			return true;
		}
		value = value << 7 | (byte & 0x7f);
		if (!(byte & 0x80)) {
			*out = value;
			return true;
		}
	}
	return false;
}

/* Integers of serial type 1..6 are 1, 2, 3, 4, 6, 8 bytes; 8 and 9 are the numbers 0 and 1. */
static bool take_number(struct bytes *in, uint64_t type, uint64_t *out)
{
	static const unsigned char sizes[] = { 0, 1, 2, 3, 4, 6, 8 };
	uint64_t value;
	size_t size;

	if (type == 8 || type == 9) {
		*out = type - 8;
		return true;
	}
	if (type < 1 || type > 6)
		return false;
	size = sizes[type];
	if ((size_t)(in->end - in->at) < size)
		return false;
	value = *in->at & 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | *in->at++;
	*out = value;
	return true;
}

/* Blobs have even types from 12 on, texts odd ones from 13 on. */
static bool take_span(struct bytes *in, uint64_t type, bool is_text, struct jn_span *out)
{
	uint64_t size = (type - 12) / 2;

	if (type < 12 || (type & 1) != is_text || size > (uint64_t)(in->end - in->at))
		return false;
	*out = (struct jn_span){ (const char *)in->at, (size_t)size };
	in->at += size;
	return true;
}

static bool parse_row(const unsigned char *data, size_t size, struct jn_stored *out)
{
	struct bytes head = { data, data + size }, body = { data, data + size };
	uint64_t types[COLUMN_COUNT], head_size;

	*out = (struct jn_stored){ 0 };
	if (!take_varint(&head, &head_size) || head_size > size)
		return false;
	head.end = body.at = data + head_size;
	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (!take_varint(&head, &types[i]))
			return false;
	}
	for (int i = 0; i < JN_NAME_COUNT; i++) {
		if (!take_span(&body, types[i], true, &out->names[i]))
			return false;
	}
	return take_number(&body, types[3], &out->version) &&
	       take_number(&body, types[4], &out->flags) &&
	       take_number(&body, types[5], &out->name_hash) &&
	       take_number(&body, types[6], &out->hash) &&
	       (!types[7] || take_span(&body, types[7], false, &out->body));
}

/* A row's bytes, joined from its cell and the chain of pages behind that. */
struct payload {
	unsigned char *data;
	size_t size, capacity;
};

static int reserve(struct payload *payload, size_t size)
{
	unsigned char *grown;

	if (size <= payload->capacity)
		return 0;
	grown = realloc(payload->data, size);
	if (!grown)
		return -ENOMEM;
	payload->data = grown;
	payload->capacity = size;
	return 0;
}

/* False where the chain breaks; it cannot be endless, because each page brings bytes. */
static bool read_chain(const struct jn_pages *p, uint32_t next, size_t have,
		       struct payload *payload)
{
	unsigned char page[PAGE];

	while (have < payload->size) {
		size_t part = payload->size - have;

		if (!read_page(p, next, page))
			return false;
		if (part > PAGE - 4)
			part = PAGE - 4;
		memcpy(payload->data + have, page + 4, part);
		have += part;
		next = be32_at(page);
	}
	return true;
}

/* 1: read; 0: there is no row here; or -ENOMEM. */
static int read_cell(const struct jn_pages *p, const unsigned char *page, size_t offset,
		     struct payload *payload)
{
	struct bytes in = { page + offset, page + PAGE };
	uint64_t size;
	size_t local;

	if (offset >= PAGE || !take_varint(&in, &size) || size > JN_STORE_MAX_ROW_BYTES ||
	    size > (uint64_t)p->count * PAGE)
		return 0;
	local = (size_t)size;
	if (size > MAX_LOCAL) {
		local = MIN_LOCAL + (size - MIN_LOCAL) % (PAGE - 4);
		if (local > MAX_LOCAL)
			local = MIN_LOCAL;
	}
	if ((size_t)(in.end - in.at) < local + (local < size ? 4 : 0))
		return 0;
	if (reserve(payload, (size_t)size))
		return -ENOMEM;
	payload->size = (size_t)size;
	if (local)
		memcpy(payload->data, in.at, local);
	return local == size || read_chain(p, be32_at(in.at + local), local, payload);
}

static int each_cell(const struct jn_pages *p, const unsigned char *page, struct payload *payload,
		     jn_stored_visit visit, void *arg)
{
	bool is_interior = page[0] == INTERIOR;
	size_t head = is_interior ? 12 : 8;
	size_t count = be16_at(page + 3);
	struct jn_stored row;
	int rc = 0;

	if (count > (PAGE - head) / 2)
		count = (PAGE - head) / 2;
	for (size_t i = 0; i < count && rc >= 0; i++) {
		size_t offset = be16_at(page + head + 2 * i) + (is_interior ? 4u : 0u);

		rc = read_cell(p, page, offset, payload);
		if (rc == 1)
			rc = parse_row(payload->data, payload->size, &row) ? visit(arg, &row) : 0;
		if (rc > 0)
			return rc;
	}
	return rc;
}

int jn_pages_each(const struct jn_pages *p, jn_stored_visit visit, void *arg)
{
	struct payload payload = { 0 };
	unsigned char page[PAGE];
	int rc = 0;

	for (uint32_t number = 1; number <= p->count && !rc; number++) {
		if (read_page(p, number, page) && (page[0] == LEAF || page[0] == INTERIOR))
			rc = each_cell(p, page, &payload, visit, arg);
	}
	free(payload.data);
	return rc;
}
