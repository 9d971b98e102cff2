/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file source's own parts.
 *
 *	look     the folder is read on a worker thread: which files are there, what is new in them
 *	merge    what was found becomes what each file wants; files that are gone want nothing
 *	batch    one write of all that is wanted; between two files the first keeps an object
 *	write    through the engine; a file that is refused is left out, and the rest tried again
 */
#ifndef JUNCTOR_SOURCE_INTERNAL_H
#define JUNCTOR_SOURCE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/engine.h"
#include "proto/object.h"

/* --- content.c: bytes -> objects --------------------------------------------------------------- */

/* Where in its file an object stands. */
struct jn_place {
	unsigned document; /* counted from 0; of JSON lines: the line */
	unsigned line;	   /* on which the document begins, counted from 1 */
	int item;	   /* of a List; -1: the document is the object */
};

struct jn_content {
	struct jn_object_list objects;
	struct {
		struct jn_place *items; /* of each object */
		size_t count, capacity;
	} places;
	bool is_lines;	 /* JSON lines */
	bool is_several; /* documents */
};
void jn_content_done(struct jn_content *content);

/* Is this the name of a file that is read? */
bool jn_content_has_name(const char *name);

/*
 * The objects of a file, owned by it; text ends with a 0 behind its size. 0; -EINVAL with *error:
 * "line 3: spec.…: …", which ends with the remedy, to be freed; -ENOMEM. *out is zeroed before.
 */
int jn_content_read(const char *name, const char *text, size_t size, struct jn_content *out,
		    char **error);

/* "line 3: documents[1].spec.…: message" for a fault of the object at `index`. NULL: no memory. */
char *jn_content_fault(const struct jn_content *content, size_t index, const char *field,
		       const char *message);

/* --- look.c: the folder, on a worker thread ---------------------------------------------------- */

/* What tells that a file is not the one that was read. */
struct jn_signature {
	uint64_t device, inode, size, hash; /* hash: of the bytes */
	int64_t written_ns, changed_ns;
	bool is_old; /* it was no fresh change when it was read: the times tell the next one */
};

enum jn_found_as {
	JN_FOUND_SAME, /* as it was read before */
	JN_FOUND_NEW,  /* content is what stands in it */
	JN_FOUND_BAD,  /* error says why it cannot be taken */
	JN_FOUND_BUSY  /* somebody is writing to it */
};

struct jn_found {
	char *name;
	enum jn_found_as as;
	struct jn_signature signature;
	struct jn_content content;
	char *error;
};

struct jn_look {
	const char *folder;
	char *only; /* one of the files that are known, and nothing else is looked at; NULL: all */
	struct {
		struct jn_found *items; /* before: known names and signatures; by name */
		size_t count, capacity;
	} known, found;
	uint64_t files_device; /* before: where the files were that are known; 0: not known */
	int rc;		/* negative errno: the folder cannot be read, -ENOENT: is not there */
	char *error;	/* says so; NULL where memory is out */
	char *to_watch; /* the folder, or of what is above it the nearest that is there */
	uint64_t device, inode; /* of to_watch */
	uint64_t bytes;		/* read so far */
};
/* Blocks. folder, known (of the files to look at) and only are set before. */
void jn_look_run(struct jn_look *look);
void jn_look_done(struct jn_look *look);

/* --- files.c: what is known of each file --------------------------------------------------------- */

struct jn_keys {
	struct jn_object_key *items;
	size_t count, capacity;
};

struct jn_file {
	char *name;
	struct jn_signature signature;
	bool is_there;
	uint64_t missing_since_ms; /* 0: it is not missing; it counts as there for a moment more */
	unsigned busy_looks;	   /* in a row that found somebody writing to it */
	struct jn_keys applied;	   /* what the engine has of it */
	bool has_wanted;
	struct jn_content wanted; /* what shall be applied */
	char *error;		  /* why it is not; "line 3: …" */
	bool is_refused;	  /* by the engine or by another file: not to be tried again now */
	bool is_included;	  /* in the write under way */
};

struct jn_files {
	struct jn_file **items; /* by name */
	size_t count, capacity;
	bool has_news; /* the last merge changed what one of them wants, or found it gone */
};
struct jn_file *jn_file_new(const char *name);
void jn_file_free(struct jn_file **file);
void jn_files_done(struct jn_files *files);
struct jn_file *jn_files_find(const struct jn_files *files, const char *name); /* or NULL */
/* Sets, and logs, why it is not served as it stands. Takes error (NULL: memory is out). */
void jn_file_refuse(struct jn_file *file, char *error);

/* Those that an earlier junctord read, by what the engine has of them. 0 or -ENOMEM. */
int jn_files_load(struct jn_files *files, struct jn_engine *engine);
/* What a look found becomes what each file wants. 0, or -ENOMEM with nothing changed. */
int jn_files_merge(struct jn_files *files, struct jn_look *look, uint64_t now_ms);
/* When to look again at files that are missing, or being written to; 0: there are none. */
uint64_t jn_files_unsettled_ms(const struct jn_files *files, bool *is_missing);
/* Is any of them not served as it stands? */
bool jn_files_are_pending(const struct jn_files *files);
/* The first that is not, and how many there are; NULL: none. To be freed. */
char *jn_files_describe(const struct jn_files *files);

/* --- batch.c: what all files want -> one write -------------------------------------------------- */

/* Who wants what stands at each position of a write. */
struct jn_batch {
	struct jn_write *write; /* NULL: there is nothing to do */
	struct {
		struct jn_batch_item {
			struct jn_file *file;
			size_t index; /* in what the file wants; SIZE_MAX: it goes */
		} * items;
		size_t count, capacity;
	} items;
	size_t included; /* files */
};
/* At most `most` files that want something. 0 or -ENOMEM. *out is zeroed before. */
int jn_batch_build(struct jn_files *files, struct jn_engine *engine, size_t most,
		   struct jn_batch *out);
void jn_batch_done(struct jn_batch *batch);
/* It was written: what was wanted is applied, files that are gone are forgotten. */
int jn_batch_settle(struct jn_files *files);
/* It was refused: who is to blame is marked so. Returns how many; 0: it is nobody's fault. */
size_t jn_batch_blame(const struct jn_batch *batch, const struct jn_error *err);
/*
 * It was refused for what it holds and no object is named: a limit is reached, and a part may fit.
 * Halves *most; where one file was in it, that is refused. False: it was not for what it holds.
 */
bool jn_batch_narrow(const struct jn_batch *batch, struct jn_files *files, struct jn_error *err,
		     size_t *most);

#endif
