/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Questions to junctord, and what a refusal means: said on stderr, turned into an exit code.
 */
#ifndef JUNCTOR_CLI_ASK_H
#define JUNCTOR_CLI_ASK_H

#include "cli/cli.h"
#include "client/client.h"
#include "proto/json.h"
#include "proto/object.h"

#define JN_PATIENCE_MS 60000 /* of silence, for whatever has no time of its own */

/*
 * Each returns an exit code; other than JN_EXIT_OK it has been explained on stderr. To open is to
 * hear a first answer, within seconds; what is asked then may take its time.
 */
int jn_ask_open(const struct jn_command *command, struct jn_client **out);
int jn_ask(struct jn_client *client, const struct jn_request *request, struct jn_answer *out);

/*
 * Like jn_ask about the one object that the command names, of the first kind of its noun that has
 * one; one that is not there is said so. kind may be NULL.
 */
int jn_ask_for_object(struct jn_client *client, const struct jn_command *command,
		      const char *method, enum jn_kind *kind, struct jn_answer *out);

/* What was answered, or a part of it, as a document, which does not need the text any more. */
int jn_ask_read(const char *text, size_t size, struct jn_json **out);

/*
 * Path of the objects of a kind: in `namespace_`, or (NULL) in all of them; with a name (NULL: the
 * collection) it is that of one object.
 */
void jn_ask_add_path(struct jn_buffer *out, enum jn_kind kind, const char *namespace_,
		     const char *name);
/* GET of that path. */
int jn_ask_for_list(struct jn_client *client, enum jn_kind kind, const char *namespace_,
		    struct jn_answer *out);

#define JN_KINDS_OF_NOUN 2
/* The kinds that a noun may mean, in the order of asking; JN_KIND_MAX where there is one only. */
const enum jn_kind *jn_ask_kinds(enum jn_noun noun);

/* The namespace that a command with a name means. */
const char *jn_ask_namespace(const struct jn_command *command);

#endif
