/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes -> one HTTP answer, by llhttp. For client only. It reads and writes no socket.
 */
#ifndef JUNCTOR_CLIENT_PARSE_H
#define JUNCTOR_CLIENT_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include <llhttp.h>

#include "client/client.h"

struct jn_parser {
	llhttp_t llhttp;
	struct jn_answer *answer;
	bool is_complete, keeps_alive, is_out_of_memory;
};

/* `answer` ({ 0 }) is filled while bytes come, and is the caller's all the time. */
void jn_parser_init(struct jn_parser *p, struct jn_answer *answer);

/* 1: the answer is complete; 0: more is to come; -EPROTO: not HTTP; -ENOMEM. */
int jn_parser_feed(struct jn_parser *p, const char *data, size_t size);

/* The connection ended: 1: so did the answer; -ECONNRESET: it was not complete. */
int jn_parser_end(struct jn_parser *p);

/* May a further request be sent on this connection? */
bool jn_parser_keeps_alive(const struct jn_parser *p);

#endif
