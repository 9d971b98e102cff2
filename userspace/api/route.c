/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths and methods -> verbs. What is not there is answered with what probably was meant.
 */
#include <errno.h>
#include <string.h>

#include "api/internal.h"
#include "base/auto.h"
#include "base/spelling.h"

#define MAX_WORDS 5 /* namespaces/{ns}/{kinds}/{name}, and one too many */

#define KINDS "there are localservices, trafficpolicies, services, endpointslices and nodes"
#define IN_NAMESPACE "[namespaces/{namespace}/]"
#define OBJECT_PATHS                                                                               \
	"/apis/" JN_API_VERSION "/" IN_NAMESPACE "{localservices,trafficpolicies}[/{name}], "      \
	"/api/v1/" IN_NAMESPACE "services[/{name}], /api/v1/nodes[/{name}], "                      \
	"/apis/discovery.k8s.io/v1/" IN_NAMESPACE "endpointslices[/{name}]"

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
	{ "/v1/verify", { { "GET", &jn_verb_verify } }, "GET, HEAD" },
	{ "/v1/wait", { { "GET", &jn_verb_wait } }, "GET, HEAD" },
	{ "/metrics", { { "GET", &jn_verb_metrics } }, "GET, HEAD" },
	{ "/healthz", { { "GET", &jn_verb_live } }, "GET, HEAD" },
	{ "/livez", { { "GET", &jn_verb_live } }, "GET, HEAD" },
	{ "/readyz", { { "GET", &jn_verb_ready } }, "GET, HEAD" },
};

static const struct path collection = {
	"a collection",
	{ { "GET", &jn_verb_list }, { "POST", &jn_verb_create } },
	"GET, HEAD, POST",
};

static const struct path one_object = {
	"an object",
	{ { "GET", &jn_verb_get }, { "PUT", &jn_verb_replace }, { "DELETE", &jn_verb_delete } },
	"GET, HEAD, PUT, DELETE",
};

/* --- what is not there ------------------------------------------------------------------------- */

/* curl --unix-socket S http://v1/status asks host "v1" for "/status". */
static bool is_path_word(const char *host)
{
	static const char *const words[] = { "v1",	"api",	 "apis",   "metrics",
					     "healthz", "livez", "readyz", "namespaces" };

	for (size_t i = 0; host && i < JN_COUNT(words); i++) {
		if (!strcmp(words[i], host))
			return true;
	}
	return false;
}

/* Kubernetes' first group has a tree of its own. */
static const char *prefix_of(enum jn_kind kind)
{
	return strchr(jn_kind_names(kind)->api_version, '/') ? "/apis/" : "/api/";
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
			    "there is no path %.200s; there are /v1/apply, /v1/status, /v1/verify, "
			    "/v1/wait, /metrics, /healthz, /livez, /readyz and " OBJECT_PATHS,
			    call->path);
}

/* A kind that is not there, or not at such a path. */
static int no_such_kind(const struct jn_call *call, const char *plural, struct jn_error *err)
{
	enum jn_kind kind;

	const char *names[JN_KIND_MAX], *nearest;

	if (!jn_kind_by_plural(plural, &kind))
		return jn_error_set(err, -ENOENT, JN_ERROR_NOT_FOUND,
				    "there is no path %.200s; those of %s begin with %s%s/%s",
				    call->path, plural, prefix_of(kind),
				    jn_kind_names(kind)->api_version,
				    jn_kind_names(kind)->has_no_namespace ? "" : IN_NAMESPACE);
	for (unsigned i = 0; i < JN_KIND_MAX; i++)
		names[i] = jn_kind_names((enum jn_kind)i)->plural;
	nearest = jn_spelling_nearest(plural, names, JN_KIND_MAX);
	return jn_error_set(err, -ENOENT, JN_ERROR_NOT_FOUND,
			    "there is no path %.200s, because there are no objects \"%.64s\"; "
			    "%s%s%s",
			    call->path, plural, nearest ? "did you mean " : "",
			    nearest ? nearest : KINDS, nearest ? "?" : "");
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

/* Cut a path into words; 0 where one is empty or there are too many. */
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

/* How long the part of the path is that names a group and a version of which we have kinds; or 0. */
static size_t group_size(const char *path)
{
	for (unsigned i = 0; i < JN_KIND_MAX; i++) {
		const char *prefix = prefix_of((enum jn_kind)i);
		const char *version = jn_kind_names((enum jn_kind)i)->api_version;
		size_t size = strlen(prefix);

		if (strncmp(path, prefix, size) != 0 ||
		    strncmp(path + size, version, strlen(version)) != 0)
			continue;
		size += strlen(version);
		if (path[size] == '/')
			return size + 1;
	}
	return 0;
}

/* Is the path, up to its words, that of this kind? */
static bool is_path_of(const struct jn_call *call, enum jn_kind kind)
{
	const struct jn_kind_names *names = jn_kind_names(kind);
	const char *prefix = prefix_of(kind), *path = call->path;

	return !strncmp(path, prefix, strlen(prefix)) &&
	       !strncmp(path + strlen(prefix), names->api_version, strlen(names->api_version)) &&
	       path[strlen(prefix) + strlen(names->api_version)] == '/' &&
	       !(names->has_no_namespace && call->has_namespace);
}

static int route_objects(struct jn_call *call, size_t group, struct jn_error *err,
			 const char **allow)
{
	const char *all[MAX_WORDS], **words = all;
	unsigned count = cut(call->words + group, all);

	call->namespace_ = JN_DEFAULT_NAMESPACE;
	if (count > 2 && !strcmp(words[0], "namespaces")) {
		call->has_namespace = true;
		call->namespace_ = words[1];
		words += 2;
		count -= 2;
	}
	if (!count || count > 2)
		return no_such_path(call, err);
	if (jn_kind_by_plural(words[0], &call->kind) || !is_path_of(call, call->kind))
		return no_such_kind(call, words[0], err);
	call->has_kind = true;
	if (jn_kind_names(call->kind)->has_no_namespace)
		call->namespace_ = "";
	call->name = count == 2 ? words[1] : NULL;
	return take_method(call, call->name ? &one_object : &collection, err, allow);
}

int jn_call_route(struct jn_call *call, struct jn_error *err, const char **allow)
{
	size_t group = group_size(call->path);

	for (size_t i = 0; i < JN_COUNT(paths); i++) {
		if (!strcmp(paths[i].path, call->path))
			return take_method(call, &paths[i], err, allow);
	}
	return group ? route_objects(call, group, err, allow) : no_such_path(call, err);
}
