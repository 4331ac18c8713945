/* The fast path: forwards packets of flows that the engine has opened, at the ingress of the
 * forwarder's interface (tc-bpf(8)), behind the packet sockets there. What it does not take goes to
 * the engine, through a device whose other users never see it, or to the kernel, whose it is.
 *
 * `ci/bpf-object write` compiles this into fast_path.o with Debian's clang. */

#include "forward.h"
#include "kernel.h"
#include "maps.h"
#include "owned.h"
#include "packet.h"

/* Enough for the headers that are read here. */
#define PULL_IPV4 (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr))
#define PULL_IPV6 (ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct tcphdr))

static __always_inline bool take_ipv4(struct __sk_buff *skb, int *result)
{
	struct packet packet = {};
	struct flow4_key key;
	const struct iphdr *ip;
	struct flow *flow;

	if (!read_ipv4(skb, &packet))
		return false;
	ip = data_of(skb) + ETH_HLEN;
	if ((const void *)(ip + 1) > end_of(skb))
		return false;
	key.source = ip->saddr;
	key.destination = ip->daddr;
	key.source_port = packet.source_port;
	key.destination_port = packet.destination_port;
	key.protocol = packet.protocol;
	flow = bpf_map_lookup_elem(&flows4, &key);
	return flow && forward(skb, flow, &packet, FAMILY_IPV4, result);
}

static __always_inline bool take_ipv6(struct __sk_buff *skb, int *result)
{
	struct packet packet = {};
	struct flow6_key key;
	const struct ipv6hdr *ip;
	struct flow *flow;

	if (!read_ipv6(skb, &packet))
		return false;
	ip = data_of(skb) + ETH_HLEN;
	if ((const void *)(ip + 1) > end_of(skb))
		return false;
	copy_address(key.source, ip->saddr.in6_u.u6_addr32);
	copy_address(key.destination, ip->daddr.in6_u.u6_addr32);
	key.source_port = packet.source_port;
	key.destination_port = packet.destination_port;
	key.protocol = packet.protocol;
	flow = bpf_map_lookup_elem(&flows6, &key);
	return flow && forward(skb, flow, &packet, FAMILY_IPV6, result);
}

SEC("classifier")
int fast_path(struct __sk_buff *skb)
{
	__u32 first = 0;
	const struct settings *settings = bpf_map_lookup_elem(&settings_map, &first);
	int result = GO_ON;

	if (!settings || skb->vlan_present || skb->pkt_type == PACKET_OTHERHOST)
		return GO_ON;
	switch (skb->protocol) {
	case bpf_htons(ETH_P_ARP):
		return hand(skb, settings, BOTH);
	case bpf_htons(ETH_P_IP):
		if (!pull(skb, PULL_IPV4))
			return GO_ON;
		/* To a group or to all it is not for us to forward (RFC 1812 5.3.4). */
		if (skb->pkt_type == PACKET_HOST && take_ipv4(skb, &result))
			return result;
		return hand(skb, settings, whose_ipv4(skb));
	case bpf_htons(ETH_P_IPV6):
		if (!pull(skb, PULL_IPV6))
			return GO_ON;
		if (skb->pkt_type == PACKET_HOST && take_ipv6(skb, &result))
			return result;
		return hand(skb, settings, whose_ipv6(skb, settings->ipv6));
	default:
		return GO_ON;
	}
}

/* The engine's packet ring has seen the frame, and nobody else is to. */
SEC("classifier")
int drop_seen(struct __sk_buff *skb)
{
	return DROP;
}

char fast_path_license[] SEC("license") = "MIT OR Apache-2.0";
