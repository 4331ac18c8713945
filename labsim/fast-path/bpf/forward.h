/* Forwards a packet of a known flow: TTL, addresses and ports, outer headers, link layer. */
#pragma once

#include "count.h"
#include "maps.h"
#include "outer.h"
#include "packet.h"
#include "sum.h"

/* Whether the packet can go this way whole; the engine answers, cuts or sums the others. */
static __always_inline bool fits(const struct flow *flow, const struct path *path,
				 const struct packet *packet, int family)
{
	__u32 longest = packet->segments > 1 ? packet->headers + packet->segment : packet->length;
	__u32 outer = path->flags & (PATH_OUTER_IPV4 | PATH_OUTER_IPV6);
	__u32 same = family == FAMILY_IPV4 ? PATH_OUTER_IPV4 : PATH_OUTER_IPV6;

	if (longest + path->overhead > path->mtu || packet->length + path->overhead > 0xffff)
		return false;
	/* The engine numbers translated packets that routers may cut (RFC 6864 5.3). */
	if (packet->may_fragment && flow->rewrites & (REWRITE_SOURCE | REWRITE_DESTINATION))
		return false;
	/* Segments would each need a checksum of their own, which the kernel does not make. */
	if (path->flags & PATH_CHECKSUM && packet->segment)
		return false;
	/* Without an outer source it is the inner one, of the same family. */
	return !outer || outer == same || path->flags & PATH_OUTER_SOURCE;
}

/* Changes the inner header and the ports behind it; whether they were there. */
static __always_inline bool rewrite(void *inner, const void *end, const struct flow *flow,
				    int family)
{
	__be16 *ports;

	if (family == FAMILY_IPV4) {
		struct iphdr *ip = inner;
		/* The word of TTL and protocol loses 1 in its high byte (RFC 1624). */
		__u64 sum;

		if ((const void *)(ip + 1) + 4 > end)
			return false;
		sum = (__u16)~ip->check + (__u64)flow->address_sum + (__u16)~bpf_htons(0x0100);
		ip->check = ~fold(sum);
		ip->ttl--;
		if (flow->rewrites & REWRITE_SOURCE)
			ip->saddr = flow->source[0];
		if (flow->rewrites & REWRITE_DESTINATION)
			ip->daddr = flow->destination[0];
		ports = (__be16 *)(ip + 1);
	} else {
		struct ipv6hdr *ip = inner;

		if ((const void *)(ip + 1) + 4 > end)
			return false;
		ip->hop_limit--;
		if (flow->rewrites & REWRITE_SOURCE)
			copy_address(ip->saddr.in6_u.u6_addr32, flow->source);
		if (flow->rewrites & REWRITE_DESTINATION)
			copy_address(ip->daddr.in6_u.u6_addr32, flow->destination);
		ports = (__be16 *)(ip + 1);
	}
	if (flow->rewrites & REWRITE_PORTS) {
		ports[0] = flow->source_port;
		ports[1] = flow->destination_port;
	}
	return true;
}

/* Keeps the transport's checksum in step, which may be half made (CHECKSUM_PARTIAL): then it covers
 * the pseudo-header alone. */
static __always_inline bool update_checksum(struct __sk_buff *skb, const struct flow *flow,
					    const struct packet *packet, __u32 transport)
{
	__u64 flags = 0;
	__u32 at = transport + TCP_CHECKSUM;

	if (packet->protocol == IPPROTO_UDP) {
		flags = BPF_F_MARK_MANGLED_0;
		at = transport + UDP_CHECKSUM;
	}
	if (flow->address_sum &&
	    bpf_l4_csum_replace(skb, at, 0, flow->address_sum, flags | BPF_F_PSEUDO_HDR))
		return false;
	return !flow->port_sum || !bpf_l4_csum_replace(skb, at, 0, flow->port_sum, flags);
}

/* Forwards the packet if it can; whether it was taken is in `result`, which is unchanged if not. */
static __always_inline bool forward(struct __sk_buff *skb, struct flow *flow,
				    struct packet *packet, int family, int *result)
{
	__u32 path_number = flow->path, frame = skb->len, header;
	struct path *path = bpf_map_lookup_elem(&paths, &path_number);
	__u64 inner_sum = 0;
	struct ethhdr *link;
	const void *end;
	void *inner;

	if (!path || !fits(flow, path, packet, family))
		return false;
	if (path->flags & PATH_CHECKSUM && !sum_inner(skb, flow, packet, family, &inner_sum))
		return false;
	/* What fills up a short frame does not go into a tunnel. */
	if (!packet->segment && frame > ETH_HLEN + packet->length &&
	    bpf_skb_change_tail(skb, ETH_HLEN + packet->length, 0))
		return false;
	if (path->overhead && bpf_skb_adjust_room(skb, path->overhead, BPF_ADJ_ROOM_MAC,
						  path->room_flags))
		return false;
	*result = DROP;
	link = data_of(skb);
	end = end_of(skb);
	if ((const void *)(link + 1) > end)
		goto dropped;
	__builtin_memcpy(link->h_dest, path->next_hop, ETH_ALEN);
	__builtin_memcpy(link->h_source, path->own, ETH_ALEN);
	header = sizeof(struct iphdr);
	if (family == FAMILY_IPV6)
		header = sizeof(struct ipv6hdr);
	inner = (void *)(link + 1) + (path->overhead & 0x7f);
	if (!rewrite(inner, end, flow, family))
		goto dropped;
	if (path->flags & PATH_OUTER_IPV4) {
		struct iphdr *outer = (void *)(link + 1);

		if ((const void *)(outer + 1) > end)
			goto dropped;
		link->h_proto = bpf_htons(ETH_P_IP);
		write_outer_ipv4(outer, path, packet, family, flow->source);
		if (!write_tunnel((__be32 *)(outer + 1), end, path, flow, packet, family))
			goto dropped;
		if (path->flags & PATH_CHECKSUM &&
		    !sum_gre((__be32 *)(outer + 1), end, path, inner_sum))
			goto dropped;
	} else if (path->flags & PATH_OUTER_IPV6) {
		struct ipv6hdr *outer = (void *)(link + 1);

		if ((const void *)(outer + 1) > end)
			goto dropped;
		link->h_proto = bpf_htons(ETH_P_IPV6);
		write_outer_ipv6(outer, path, packet, family, flow->source);
		if (!write_tunnel((__be32 *)(outer + 1), end, path, flow, packet, family))
			goto dropped;
		if (path->flags & PATH_CHECKSUM &&
		    !(path->flags & PATH_GUE
			      ? sum_udp(outer, (__be32 *)(outer + 1), end, path, inner_sum)
			      : sum_gre((__be32 *)(outer + 1), end, path, inner_sum)))
			goto dropped;
	}
	if (!update_checksum(skb, flow, packet, ETH_HLEN + (path->overhead & 0x7f) + header))
		goto dropped;
	count_forwarded(flow, packet, frame);
	if (!(flow->rewrites & TO_CLIENT))
		note(flow, packet);
	*result = bpf_redirect(skb->ifindex, 0);
	return true;
dropped:
	count_total(TOTAL_LOST, 1, frame);
	return true;
}
