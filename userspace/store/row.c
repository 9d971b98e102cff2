/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows and their hashes. XXH3 without a seed finds damage; it is no protection against somebody
 * who may write to the file and can hash as well. It knows nothing of where rows lie.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/internal.h"

static uint64_t hash_words(uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		words[i] = htole64(words[i]);
	return XXH3_64bits(words, count * sizeof(*words));
}

static uint64_t hash_names(const struct jn_stored *row)
{
	uint64_t words[1 + 2 * JN_NAME_COUNT] = { JN_STORE_FORMAT };

	for (size_t i = 0; i < JN_NAME_COUNT; i++) {
		words[1 + 2 * i] = row->names[i].size;
		words[2 + 2 * i] = XXH3_64bits(row->names[i].data, row->names[i].size);
	}
	return hash_words(words, sizeof(words) / sizeof(*words));
}

static uint64_t hash_row(const struct jn_stored *row)
{
	uint64_t words[] = {
		row->name_hash, row->version,
		row->flags,	row->body.data != NULL,
		row->body.size, row->body.data ? XXH3_64bits(row->body.data, row->body.size) : 0,
	};

	return hash_words(words, sizeof(words) / sizeof(*words));
}

static struct jn_span span(const char *text)
{
	return (struct jn_span){ text, strlen(text) };
}

void jn_stored_init(struct jn_stored *row, const struct jn_row *from)
{
	*row = (struct jn_stored){
		.names = { span(from->kind), span(from->namespace_), span(from->name) },
		.version = from->version,
		.flags = from->is_recovered ? JN_STORED_RECOVERED : 0,
		.body = { from->body, from->body ? from->body_size : 0 },
	};
}

void jn_stored_seal(struct jn_stored *row)
{
	row->name_hash = hash_names(row);
	row->hash = hash_row(row);
}

bool jn_stored_has_right_names(const struct jn_stored *row)
{
	return row->name_hash == hash_names(row);
}

bool jn_stored_is_right(const struct jn_stored *row)
{
	return jn_stored_has_right_names(row) && row->hash == hash_row(row);
}

bool jn_stored_is_record(const struct jn_stored *row)
{
	return !row->names[JN_NAME_KIND].size;
}

void jn_record_write(const struct jn_record *record, struct jn_record_text *text,
		     struct jn_stored *out)
{
	int size = snprintf(text->text, sizeof(text->text),
			    "count=%" PRIu64 " sum=%" PRIu64 " kept=%" PRIu64, record->count,
			    record->sum, record->kept_as);

	*out = (struct jn_stored){
		.names = { span(""), span(""), span("") },
		.version = record->generation,
		.body = { text->text, (size_t)size },
	};
	jn_stored_seal(out);
}

int jn_record_read(const struct jn_stored *row, struct jn_record *out)
{
	struct jn_record_text text = { 0 };
	struct jn_record record = { .generation = row->version };

	if (!row->body.data || row->body.size >= sizeof(text.text))
		return -EINVAL;
	memcpy(text.text, row->body.data, row->body.size);
	/* NOLINTNEXTLINE(cert-err34-c): its hash was right, so these are the numbers we wrote */
	if (sscanf(text.text, "count=%" SCNu64 " sum=%" SCNu64 " kept=%" SCNu64, &record.count,
		   &record.sum, &record.kept_as) != 3)
		return -EINVAL;
	*out = record;
	return 0;
}
