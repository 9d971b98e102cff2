/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A policy as the kernel reads it, and back. Pure.
 */
#ifndef JUNCTOR_MODEL_RULES_H
#define JUNCTOR_MODEL_RULES_H

#include <junctor/abi.h>

#include "proto/object.h"

/* Ejection is TCP's: of UDP the kernel sees no failure. */
struct jn_rules jn_rules_of(const struct jn_traffic_policy *policy, uint8_t proto);

/* The policy's probe, where it applies to ports of this protocol; else NULL. Borrowed. */
struct jn_probe *jn_rules_probe(const struct jn_traffic_policy *policy, uint8_t proto);

/* For a lost database: the fields of a policy that say these rules. How to probe is lost. */
void jn_rules_recover(const struct jn_rules *rules, struct jn_traffic_policy *policy);

/* What the kernel has to look at beyond slots: JN_REVISION_…. */
uint8_t jn_rules_flags(const struct jn_rules *rules, enum jn_algorithm algorithm, uint8_t proto);

/* Is anything asked about single backends, or about the service as a whole? */
bool jn_rules_ask_backends(const struct jn_rules *rules, enum jn_algorithm algorithm);
bool jn_rules_ask_service(const struct jn_rules *rules);

#endif
