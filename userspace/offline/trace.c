/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor trace: a question in words -> jn_trace -> what it did, step by step, and how that ends. The
 * decision itself is the kernel's; nothing is decided here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "netlink/routes.h"
#include "offline/internal.h"
#include "proto/address.h"

#define NETNS_FOLDER "/run/netns/"

/* --- the question -------------------------------------------------------------------------------- */

static int refuse(struct jn_error *err, const char *flag, const char *text, const char *why)
{
	return jn_error_set(err, -EINVAL, JN_ERROR_INVALID, "%s: \"%s\" %s", flag, text, why);
}

static int parse(const struct jn_question *q, struct jn_trace *out, struct jn_error *err)
{
	const char *why = NULL;
	uint16_t port;

	if (jn_addr_parse_with_port(q->to, &out->key.vip, &port, &why))
		return refuse(err, "--to", q->to, why);
	if (!port)
		return refuse(err, "--to", q->to,
			      "has no port; write IP:PORT, or [IP]:PORT where the IP has colons");
	out->key.port = htons(port);
	out->key.proto = q->is_udp ? IPPROTO_UDP : IPPROTO_TCP;
	out->is_v4 = (uint32_t)jn_addr_is_v4(&out->key.vip);
	if (!q->from)
		return 0;
	if (jn_addr_parse(q->from, &out->client, &why))
		return refuse(err, "--from", q->from, why);
	if ((uint32_t)jn_addr_is_v4(&out->client) != out->is_v4)
		return refuse(err, "--from", q->from,
			      "is of another family than --to; a socket has one of them");
	out->is_bound = !jn_addr_is_any(&out->client);
	return 0;
}

static int enter(const char *netns, struct jn_error *err)
{
	JN_AUTO(jn_close_fd) int fd = -1;
	char path[PATH_MAX];
	int rc = 0;

	(void)snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') ? "" : NETNS_FOLDER, netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		rc = -errno;
	if (!rc)
		return 0;
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "the network namespace %s cannot be entered (%s); give a name that `ip "
			    "netns` lists, or a path as /proc/PID/ns/net, and run this as root",
			    path, strerror(-rc));
}

static int ask(const struct jn_question *q, struct jn_trace *out, struct jn_error *err)
{
	uint64_t cookie = 0;
	int rc = parse(q, out, err);

	if (!rc && q->netns)
		rc = enter(q->netns, err);
	if (rc)
		return rc;
	rc = jn_datapath_netns_cookie(&cookie);
	out->netns_cookie = cookie;
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the network namespace has no cookie (%s); Linux 6.1 or later "
				    "is needed",
				    strerror(-rc));
	return 0;
}

/* --- the answer ---------------------------------------------------------------------------------- */

static void write_address(struct jn_writer *w, const char *key, const struct jn_addr *addr,
			  __be16 port)
{
	char text[JN_ADDR_TEXT_BYTES];

	jn_write_key(w, key);
	jn_write_open(w, '{');
	jn_write_key_text(w, "address", jn_addr_format(addr, text));
	if (port)
		jn_write_key_unsigned(w, "port", ntohs(port));
	jn_write_close(w, '}');
}

static void write_steps(struct jn_writer *w, struct jn_datapath *dp, const struct jn_trace *trace)
{
	uint32_t count = trace->step_count < JN_MAX_STEPS ? trace->step_count : JN_MAX_STEPS;

	jn_write_key(w, "steps");
	jn_write_open(w, '[');
	for (uint32_t i = 0; i < count; i++) {
		JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

		jn_offline_add_step(dp, trace, i, &text);
		jn_write_open(w, '{');
		jn_write_key_text(w, "step", jn_offline_step_name(trace->steps[i].kind));
		jn_write_key_text(w, "message", jn_buffer_text(&text));
		jn_write_close(w, '}');
	}
	jn_write_close(w, ']');
}

/* An errno of connect(); 0. *is_route: not of ours. */
static int error_of(const struct jn_trace *trace, bool *is_route)
{
	int err = jn_reason_errno((enum jn_reason)trace->reason, trace->service_errno);
	int answer = 0;

	*is_route = !err && trace->reason != JN_REASON_OK;
	if (*is_route && !jn_route_ask(&trace->key.vip, &answer)) /* else nothing is known */
		err = -answer;
	return err;
}

/* What the application sees. */
static void add_outcome(const struct jn_trace *trace, int err, bool is_route, struct jn_buffer *out)
{
	char text[JN_ENDPOINT_TEXT_BYTES];

	if (trace->reason == JN_REASON_OK)
		jn_buffer_printf(out, "connect() goes to %s",
				 jn_endpoint_format(&trace->backend, ntohs(trace->backend_port),
						    text));
	else if (!err)
		jn_buffer_add_text(out, "connect() passes untouched");
	else
		jn_buffer_printf(out, "connect() %sfails with %s%s",
				 is_route ? "passes untouched and " : "", jn_offline_errno(err),
				 !is_route	 ? ""
				 : err == EINVAL ? ": a guard route, or another blackhole, is there"
						 : ": no route leads there");
}

static void write_verdict(struct jn_writer *w, const struct jn_trace *trace)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	bool is_route;
	int err = error_of(trace, &is_route);

	add_outcome(trace, err, is_route, &text);
	jn_write_key(w, "verdict");
	jn_write_open(w, '{');
	jn_write_key_text(w, "reason", jn_offline_reason(trace->reason));
	jn_write_key_text(w, "meaning", jn_offline_meaning(trace->reason));
	jn_write_key_text(w, "message", jn_buffer_text(&text));
	if (trace->reason == JN_REASON_OK)
		write_address(w, "backend", &trace->backend, trace->backend_port);
	if (err)
		jn_write_key_text(w, "errno", jn_offline_errno(err));
	jn_write_close(w, '}');
}

static void write_service(struct jn_writer *w, struct jn_datapath *dp, const struct jn_trace *trace)
{
	struct jn_name name;

	if (!trace->frontend.service)
		return;
	jn_write_key(w, "service");
	jn_write_open(w, '{');
	jn_write_key_unsigned(w, "id", trace->frontend.service);
	if (!jn_datapath_get_name(dp, trace->frontend.service, &name)) {
		jn_offline_end_name(&name);
		jn_write_key_text(w, "kind",
				  name.kind == JN_NAME_SERVICE ? "Service" : "LocalService");
		jn_write_key_text(w, "namespace", name.namespace_);
		jn_write_key_text(w, "name", name.name);
		if (*name.port_name)
			jn_write_key_text(w, "port", name.port_name);
	}
	jn_write_close(w, '}');
}

int jn_offline_trace(const char *pin_dir, const struct jn_question *question, struct jn_buffer *out,
		     struct jn_error *err)
{
	JN_AUTO(jn_datapath_close) struct jn_datapath *dp = NULL;
	struct jn_trace trace = { 0 };
	struct jn_writer w = jn_writer_to(out);
	int rc = ask(question, &trace, err);

	if (!rc)
		rc = jn_datapath_look(pin_dir, &dp, err);
	if (!rc)
		rc = jn_datapath_trace(dp, &trace, err);
	if (rc)
		return rc;
	jn_write_open(&w, '{');
	write_address(&w, "to", &trace.key.vip, trace.key.port);
	jn_write_key_text(&w, "protocol", question->is_udp ? "UDP" : "TCP");
	if (trace.is_bound)
		write_address(&w, "from", &trace.client, 0);
	jn_write_key_unsigned(&w, "networkNamespace", trace.netns_cookie);
	write_service(&w, dp, &trace);
	write_steps(&w, dp, &trace);
	write_verdict(&w, &trace);
	jn_write_close(&w, '}');
	return 0;
}
