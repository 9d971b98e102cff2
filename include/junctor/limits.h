/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every limit junctor has, as a number with its reason.
 *
 * A limit that is reached is reported by the name in /v1/status and refused with the cause
 * LimitReached; nothing is dropped silently past one. This file holds numbers only: what happens
 * at a limit stands where the limit is kept.
 */
#ifndef JUNCTOR_LIMITS_H
#define JUNCTOR_LIMITS_H

/*
 * Kernel tables begin at these sizes, enough for 10,000 services of ten backends, and double when
 * they are full. id 0 is never used.
 */
#define JN_FIRST_SERVICES 16384 /* service ports */
#define JN_FIRST_SETS 32768 /* a service port needs two when its VIP families differ in backends */
#define JN_FIRST_FRONTENDS 16384  /* {address, port, protocol} */
#define JN_FIRST_ENDPOINTS 131072 /* {service port, address, port} */
#define JN_FIRST_REVISIONS 32768 /* two per set that changes: the published one and its successor */
#define JN_FIRST_SLOTS 262144	 /* eight bytes each; an equal-weight set takes one per endpoint */
#define JN_FIRST_LIVE 4096	 /* backends that somebody asks about, and services with limits */

/* Beyond these a table does not grow: by the sizes of their entries some 3 GiB all together. */
#define JN_MAX_SERVICES 1048576
#define JN_MAX_SETS 2097152
#define JN_MAX_FRONTENDS 4194304
#define JN_MAX_ENDPOINTS 16777216
#define JN_MAX_REVISIONS 4194304
#define JN_MAX_SLOTS 67108864
#define JN_MAX_LIVE 16777216

#define JN_MAX_UDP_SOCKETS 32768 /* entries of each LRU for unconnected UDP; the oldest one goes */
#define JN_MAX_AFFINITIES 65536	 /* entries of the LRU of clients that stay; the oldest one goes */
#define JN_MAX_ENDINGS 8192 /* sockets ended in one pass over a network namespace; then the next */

/* Choice. */
#define JN_MAX_WEIGHT 1000
#define JN_MAX_MAGLEV 65537 /* entries of a Maglev table: a prime; 512 KiB */
/*
 * Slots of one object, all its ports together: a quarter of the table, 128 MiB. Whatever an object
 * may hold fits with a slot for each backend: 1000 ports with VIPs of both families and 8192
 * backends are 16,384,000. Where Maglev would take more, its tables become smaller.
 */
#define JN_MAX_OBJECT_SLOTS 16777216
/* Steps of a build, some 10 ms: from here on a thread of its own does it. */
#define JN_BIG_BUILD 262144
#define JN_MAX_REDRAWS 8 /* draws after which a slowly starting endpoint is taken all the same */
#define JN_MAX_AFFINITY_SECONDS 86400 /* Kubernetes' own limit */
#define JN_MAX_SLOW_START_SECONDS 3600
#define JN_MAX_FAILURES 1000 /* in a row, before a backend is ejected */
#define JN_MAX_EJECTION_SECONDS 3600
#define JN_MAX_PROBE_SECONDS 3600	/* between two probes: rarer ones would tell nothing */
#define JN_MAX_PROBE_TIMEOUT_SECONDS 60 /* a place among those in flight is taken all the time */
#define JN_MAX_PROBE_THRESHOLD 100	/* in a row; what an 8-bit counter bears */
#define JN_MAX_PROBE_TEXT 255		/* bytes of a path, a host or a gRPC service */
#define JN_MAX_LIMIT 1000000000 /* connections, or new ones a second: what a 32-bit counter bears */
#define JN_MAX_SEQUENCE 4096 /* RoundRobin: turns in one cycle, unless there are more endpoints */

/* Endings. */
#define JN_STUCK_MS 3000 /* nothing acknowledged for so long: the connection makes no progress */
#define JN_MAX_REMOVALS 65536 /* backends removed from service addresses whose deadline is kept */
#define JN_MAX_DRAIN_SECONDS 86400 /* drainSeconds: a day */

/* Objects: what one of them may hold (see docs/control-protocol.md). */
#define JN_MAX_NAME 63		    /* bytes: a DNS label */
#define JN_MAX_LONG_NAME 253	    /* bytes: a DNS name, of a Node or an EndpointSlice */
#define JN_MAX_ADDRESSES 16	    /* VIPs of one object */
#define JN_MAX_PORTS 64		    /* ports of one object */
#define JN_MAX_BACKENDS 8192	    /* backends of one object: a slot names its alias in 16 bits */
#define JN_MAX_CLUSTER_IPS 2	    /* of a Service: one of each family */
#define JN_MAX_CLUSTER_PORTS 1000   /* of one Service or EndpointSlice */
#define JN_MAX_SLICE_ENDPOINTS 1000 /* of one EndpointSlice; this and the next two: Kubernetes' */
#define JN_MAX_ENDPOINT_ADDRESSES 100 /* of one endpoint of a slice; the first is used */
#define JN_MAX_HINTS 8		      /* zones, or nodes, of one endpoint of a slice */
#define JN_MAX_LABELS 256	      /* labels, and annotations, of one object */
#define JN_MAX_LABEL_BYTES 65536      /* one annotation's or label's value */

/* Control socket. */
#define JN_MAX_CLIENTS 64	      /* connections at once; the last place is kept for an admin */
#define JN_MAX_CLIENTS_PER_UID 8      /* for everybody but root */
#define JN_MAX_OBJECT_BYTES 4194304   /* one document, or one line of JSON lines: 4 MiB */
#define JN_MAX_STREAM_BYTES 268435456 /* JSON lines together: 256 MiB */
#define JN_MAX_JSON_DEPTH 32	      /* objects and lists inside each other */
#define JN_HEAD_TIMEOUT_MS 5000	      /* a request's head must be complete */
#define JN_BODY_TIMEOUT_MS 5000	      /* its body too, plus one second per MiB received */
#define JN_IDLE_TIMEOUT_MS 30000      /* a keep-alive connection without a request */
#define JN_WRITE_TIMEOUT_MS 5000      /* a client that takes nothing of its answer is closed */
#define JN_MAX_HEAD_BYTES 16384	      /* request line and headers */
#define JN_MAX_WAIT_SECONDS 3600      /* /v1/wait?timeoutSeconds= */

/* File source. */
#define JN_MAX_FILES 4096 /* in the folder: one look asks for each of them, every ten seconds */
#define JN_MAX_FILE_BYTES 16777216 /* of one file, read whole: 16 MiB; a document as above */
#define JN_MAX_FILES_BYTES JN_MAX_STREAM_BYTES /* of all that changed together: as one apply */
#define JN_FILE_LOOK_MS 10000	 /* between two looks at the folder when nothing is heard of it */
#define JN_FILE_BURST_MS 3	 /* a change so soon after another one waits for quiet */
#define JN_FILE_QUIET_MS 20	 /* which is this long */
#define JN_FILE_MISSING_MS 100	 /* editors replace a file by taking it away first */
#define JN_FILE_PATIENCE_MS 1000 /* a folder that is never quiet is applied as it is */
#define JN_FILE_BUSY_LOOKS 6	 /* at a file that somebody writes to, before status says so */

/* Configuration. */
#define JN_MAX_CONFIG_BYTES 1048576 /* of the configuration file: 1 MiB, read whole */

/* Probes. */
#define JN_MAX_PROBES_IN_FLIGHT 1024 /* sockets at once; the others wait for their turn */
#define JN_MAX_PROBE_BYTES 65536     /* read of one answer before it counts as wrong */

/* Reuse. */
/* Where no membarrier tells: real-time throttling gives everybody a turn each second. */
#define JN_GRACE_FALLBACK_MS 1000
/* A freed id rests, so that a racing connect cannot reach another tenant. */
#define JN_QUARANTINE_MS 60000

#endif
