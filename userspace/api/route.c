/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths and methods -> verbs. What is not there is answered with what probably was meant.
 */
#include <errno.h>
#include <string.h>

#include "api/internal.h"
#include "base/auto.h"
#include "base/spelling.h"

#define OBJECTS "/apis/" JN_API_VERSION "/"
#define MAX_WORDS 5 /* namespaces/{ns}/{kinds}/{name}, and one too many */

#define KINDS "{localservices,trafficpolicies}"
#define OBJECT_PATHS OBJECTS "[namespaces/{namespace}/]" KINDS "[/{name}]"

struct method {
	const char *name;
	const struct jn_verb *verb;
};

struct path {
	const char *path;
	const struct method methods[4]; /* up to one without a name */
	const char *allow;
};

static const struct path paths[] = {
	{ "/v1/apply", { { "POST", &jn_verb_apply } }, "POST" },
	{ "/v1/status", { { "GET", &jn_verb_status } }, "GET, HEAD" },
	{ "/v1/wait", { { "GET", &jn_verb_wait } }, "GET, HEAD" },
	{ "/metrics", { { "GET", &jn_verb_metrics } }, "GET, HEAD" },
	{ "/healthz", { { "GET", &jn_verb_live } }, "GET, HEAD" },
	{ "/livez", { { "GET", &jn_verb_live } }, "GET, HEAD" },
	{ "/readyz", { { "GET", &jn_verb_ready } }, "GET, HEAD" },
};

static const struct path collection = {
	OBJECTS KINDS,
	{ { "GET", &jn_verb_list }, { "POST", &jn_verb_create } },
	"GET, HEAD, POST",
};

static const struct path one_object = {
	OBJECTS KINDS "/{name}",
	{ { "GET", &jn_verb_get }, { "PUT", &jn_verb_replace }, { "DELETE", &jn_verb_delete } },
	"GET, HEAD, PUT, DELETE",
};

/* --- what is not there ------------------------------------------------------------------------- */

/* curl --unix-socket S http://v1/status asks host "v1" for "/status". */
static bool is_path_word(const char *host)
{
	static const char *const words[] = { "v1",    "apis",	"metrics",   "healthz",
					     "livez", "readyz", "namespaces" };

	for (size_t i = 0; host && i < JN_COUNT(words); i++) {
		if (!strcmp(words[i], host))
			return true;
	}
	return false;
}

static int no_such_path(const struct jn_call *call, struct jn_error *err)
{
	const char *host = jn_exchange_header(call->exchange, "Host");
	const char *names[JN_COUNT(paths)], *nearest;

	if (is_path_word(host))
		return jn_error_set(err, -ENOENT, JN_ERROR_NOT_FOUND,
				    "there is no path %.200s; with a unix socket the first part of "
				    "the URL is only a name: write http://junctor/%s%.200s",
				    call->path, host, strcmp(call->path, "/") ? call->path : "");
	for (size_t i = 0; i < JN_COUNT(paths); i++)
		names[i] = paths[i].path;
	nearest = jn_spelling_nearest(call->path, names, JN_COUNT(paths));
	if (nearest)
		return jn_error_set(err, -ENOENT, JN_ERROR_NOT_FOUND,
				    "there is no path %.200s; did you mean %s?", call->path,
				    nearest);
	return jn_error_set(err, -ENOENT, JN_ERROR_NOT_FOUND,
			    "there is no path %.200s; there are /v1/apply, /v1/status, /v1/wait, "
			    "/metrics, /healthz, /livez, /readyz and " OBJECT_PATHS,
			    call->path);
}

static int no_such_kind(const struct jn_call *call, const char *plural, struct jn_error *err)
{
	const char *names[JN_KIND_MAX], *nearest;

	for (unsigned i = 0; i < JN_KIND_MAX; i++)
		names[i] = jn_kind_names((enum jn_kind)i)->plural;
	nearest = jn_spelling_nearest(plural, names, JN_KIND_MAX);
	return jn_error_set(err, -ENOENT, JN_ERROR_NOT_FOUND,
			    "there is no path %.200s, because there are no objects \"%.64s\"; "
			    "%s%s%s",
			    call->path, plural, nearest ? "did you mean " : "",
			    nearest ? nearest : "there are localservices and trafficpolicies",
			    nearest ? "?" : "");
}

/* --- what is ----------------------------------------------------------------------------------- */

static int take_method(struct jn_call *call, const struct path *path, struct jn_error *err,
		       const char **allow)
{
	const char *wanted = strcmp(call->method, "HEAD") ? call->method : "GET";

	for (size_t i = 0; i < JN_COUNT(path->methods) && path->methods[i].name; i++) {
		if (!strcmp(path->methods[i].name, wanted)) {
			call->verb = path->methods[i].verb;
			return 0;
		}
	}
	*allow = path->allow;
	return jn_error_set(err, -ENOTSUP, JN_ERROR_METHOD, "%s takes no %s; it takes %s",
			    path->path, call->method, path->allow);
}

/* Cut the path behind OBJECTS into words; 0 where one is empty or there are too many. */
static unsigned cut(char *text, const char *words[MAX_WORDS])
{
	unsigned count = 0;

	while (text) {
		char *slash = strchr(text, '/');

		if (slash)
			*slash++ = '\0';
		if (!*text || count == MAX_WORDS)
			return 0;
		words[count++] = text;
		text = slash;
	}
	return count;
}

static int route_objects(struct jn_call *call, struct jn_error *err, const char **allow)
{
	const char *all[MAX_WORDS], **words = all;
	unsigned count = cut(call->words + strlen(OBJECTS), all);

	call->namespace_ = JN_DEFAULT_NAMESPACE;
	if (count > 2 && !strcmp(words[0], "namespaces")) {
		call->has_namespace = true;
		call->namespace_ = words[1];
		words += 2;
		count -= 2;
	}
	if (!count || count > 2)
		return no_such_path(call, err);
	if (jn_kind_by_plural(words[0], &call->kind))
		return no_such_kind(call, words[0], err);
	call->has_kind = true;
	call->name = count == 2 ? words[1] : NULL;
	return take_method(call, call->name ? &one_object : &collection, err, allow);
}

int jn_call_route(struct jn_call *call, struct jn_error *err, const char **allow)
{
	for (size_t i = 0; i < JN_COUNT(paths); i++) {
		if (!strcmp(paths[i].path, call->path))
			return take_method(call, &paths[i], err, allow);
	}
	if (!strncmp(call->path, OBJECTS, strlen(OBJECTS)))
		return route_objects(call, err, allow);
	return no_such_path(call, err);
}
