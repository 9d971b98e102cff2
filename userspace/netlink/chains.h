/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which chains nftables has, those of iptables-nft included, and which the older iptables has. In the
 * calling thread's network namespace.
 */
#ifndef JUNCTOR_NETLINK_CHAINS_H
#define JUNCTOR_NETLINK_CHAINS_H

/*
 * fn(arg, table, chain) for each chain of each family. A nonzero return of fn ends it with that.
 * -EOPNOTSUPP: this kernel has no nftables.
 */
int jn_chains_each(int (*fn)(void *arg, const char *table, const char *chain), void *arg);
/* The same of the older iptables, of both families; 0 where the kernel has none. -EPERM. */
int jn_legacy_chains_each(int (*fn)(void *arg, const char *table, const char *chain), void *arg);

#endif
