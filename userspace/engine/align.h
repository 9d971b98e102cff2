/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A start over tables that serve what files declare and no store holds: the last life ended between
 * the two, or its disk was full. To bring them in line with the store would take away what is served,
 * and end sockets of backends that are not gone, until the files are read a moment later. So tables
 * stay as they are until then, and are brought in line with all that is declared by one more write:
 *
 *	open -> the files are read, and written -> alignment -> endings, guard routes
 */
#ifndef JUNCTOR_ENGINE_ALIGN_H
#define JUNCTOR_ENGINE_ALIGN_H

struct jn_engine;
struct jn_key_list;

/* Is there something that tables serve and no store holds? Tells the tables, for the next start. */
void jn_align_note(struct jn_engine *e);
/*
 * The services that the write under way touches; of an alignment one, or all, also those to be
 * removed.
 */
int jn_align_touched(struct jn_engine *e, struct jn_key_list *out);
/* With what runs beside writes, if the tables are in line and the hooks are attached. */
void jn_align_go_on(struct jn_engine *e);

#endif
