/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The list of checks, and how findings are written down.
 */
#include "doctor/doctor.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/auto.h"
#include "datapath/datapath.h"
#include "doctor/internal.h"

static const struct {
	const char *name;
	void (*check)(struct jn_doctor *d);
	bool is_feature; /* of /v1/status, too */
} checks[] = {
	{ "kernel", jn_check_kernel, false },
	{ "btf", jn_check_btf, false },
	{ "unprivileged-bpf", jn_check_unprivileged, false },
	{ "cgroup", jn_check_cgroup, false },
	{ "files", jn_check_files, false },
	{ "trust", jn_check_trust, false },
	{ "membarrier", jn_check_membarrier, true },
	{ "sock-destroy", jn_check_sock_destroy, true },
	{ "sock-kfunc", jn_check_sock_kfunc, true },
	{ "leftovers", jn_check_leftovers, false },
	{ "self-test", jn_check_selftest, false },
	{ "guards", jn_check_guards, false },
	{ "pins", jn_check_pins, false },
	{ "links", jn_check_links, false },
	{ "routes", jn_check_routes, false },
	{ "foreign-programs", jn_check_foreign, false },
	{ "kube-proxy", jn_check_kube_proxy, false },
};

static void add(struct jn_doctor *d, const char *result, const char *format, va_list args)
{
	char sentence[JN_MAX_FINDING];

	if (d->feature) {
		(void)vsnprintf(d->feature->reason, sizeof(d->feature->reason), format, args);
		return;
	}
	(void)vsnprintf(sentence, sizeof(sentence), format, args); /* cut if need be */
	jn_write_open(&d->w, '{');
	jn_write_key_text(&d->w, "check", d->check);
	jn_write_key_text(&d->w, "result", result);
	jn_write_key_text(&d->w, "message", sentence);
	jn_write_close(&d->w, '}');
}

void jn_doctor_good(struct jn_doctor *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(d, "Good", format, args);
	va_end(args);
}

void jn_doctor_warn(struct jn_doctor *d, const char *format, ...)
{
	va_list args;

	d->warned++;
	va_start(args, format);
	add(d, "Warning", format, args);
	va_end(args);
}

void jn_doctor_fail(struct jn_doctor *d, const char *format, ...)
{
	va_list args;

	d->failed++;
	va_start(args, format);
	add(d, "Failure", format, args);
	va_end(args);
}

void jn_features_try(struct jn_feature out[JN_FEATURE_COUNT])
{
	struct jn_feature *feature = out;

	for (size_t i = 0; i < JN_COUNT(checks); i++) {
		struct jn_doctor d = { .check = checks[i].name, .feature = feature };

		if (!checks[i].is_feature)
			continue;
		assert(feature < out + JN_FEATURE_COUNT);
		checks[i].check(&d);
		feature->name = checks[i].name;
		feature->is_available = !d.failed && !d.warned;
		feature++;
	}
}

void jn_doctor(const struct jn_doctor_options *options, struct jn_buffer *out)
{
	struct jn_doctor d = { .options = options, .w = jn_writer_to(out) };

	if (options->cgroup)
		(void)snprintf(d.cgroup, sizeof(d.cgroup), "%s", options->cgroup);
	else if (jn_cgroup_find_root(d.cgroup, sizeof(d.cgroup), NULL))
		d.cgroup[0] = 0;
	d.is_served = jn_folder_is_held(options->pin_dir);
	jn_write_open(&d.w, '{');
	jn_write_key(&d.w, "findings");
	jn_write_open(&d.w, '[');
	for (size_t i = 0; i < JN_COUNT(checks); i++) {
		d.check = checks[i].name;
		checks[i].check(&d);
	}
	jn_write_close(&d.w, ']');
	jn_write_key_unsigned(&d.w, "failures", d.failed);
	jn_write_key_unsigned(&d.w, "warnings", d.warned);
	jn_write_close(&d.w, '}');
}
