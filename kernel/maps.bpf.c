/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The only definitions of the tables, and the licence of the linked object. No code.
 */
#include "maps.bpf.h"

jn_frontends_t jn_frontends SEC(".maps");
jn_sets_t jn_sets SEC(".maps");
jn_revisions_t jn_revisions SEC(".maps");
jn_slots_t jn_slots SEC(".maps");
jn_endpoints_t jn_endpoints SEC(".maps");
jn_names_t jn_names SEC(".maps");
jn_meta_t jn_meta SEC(".maps");

jn_cursors_t jn_cursors SEC(".maps");
jn_stats_t jn_stats SEC(".maps");
jn_reasons_t jn_reasons SEC(".maps");
jn_affinity_t jn_affinity SEC(".maps");
jn_live_t jn_live SEC(".maps");
jn_events_t jn_events SEC(".maps");
jn_socket_t jn_socket SEC(".maps");
jn_udp_choice_t jn_udp_choice SEC(".maps");
jn_udp_peer_t jn_udp_peer SEC(".maps");

char LICENSE[] SEC("license") = "Dual BSD/GPL";
