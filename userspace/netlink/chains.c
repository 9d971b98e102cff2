/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The list of chains, by the names of their table and their own. It changes nothing.
 */
#include "netlink/chains.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "base/auto.h"
#include "netlink/internal.h"

struct walk {
	int (*fn)(void *arg, const char *table, const char *chain);
	void *arg;
};

static int on_chain(void *arg, const struct nlmsghdr *reply)
{
	const struct walk *walk = arg;
	struct nlattr *attributes[NFTA_CHAIN_MAX + 1];

	if (reply->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
	    nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), attributes,
			NFTA_CHAIN_MAX, NULL) < 0 ||
	    !attributes[NFTA_CHAIN_TABLE] || !attributes[NFTA_CHAIN_NAME])
		return 0;
	return walk->fn(walk->arg, nla_get_string(attributes[NFTA_CHAIN_TABLE]),
			nla_get_string(attributes[NFTA_CHAIN_NAME]));
}

int jn_chains_each(int (*fn)(void *arg, const char *table, const char *chain), void *arg)
{
	JN_AUTO(jn_netlink_close) struct nl_sock *socket = NULL;
	struct walk walk = { fn, arg };
	struct {
		struct nlmsghdr head;
		struct nfgenmsg family;
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.family = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 },
	};
	int rc = jn_netlink_open(NETLINK_NETFILTER, &socket);

	if (!rc)
		rc = jn_netlink_dump(socket, &request, sizeof(request), on_chain, &walk);
	return rc == -EPROTONOSUPPORT || rc == -EINVAL ? -EOPNOTSUPP : rc;
}
