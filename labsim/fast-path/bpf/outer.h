/* Outer headers, as labsim/forwarder/src/engine/encapsulate.rs writes them. */
#pragma once

#include "maps.h"
#include "packet.h"

#define OUTER_TTL 255

/* The next identification. Each processor counts by itself: packets with DF need no single ones
 * (RFC 6864 4.1). Every segment of a super-frame takes one. */
static __always_inline __be16 next_outer_id(__u32 segments)
{
	__u32 first = 0;
	__u64 *last = bpf_map_lookup_elem(&outer_ids, &first);
	__u64 id = 0;

	if (last) {
		id = *last + 1;
		*last += segments;
	}
	return bpf_htons(id);
}

static __always_inline void write_outer_ipv4(struct iphdr *outer, const struct path *path,
					     const struct packet *packet, int family,
					     const __be32 *inner_source)
{
	const __u32 *words = (const __u32 *)outer;
	__u64 sum;

	outer->version = 4;
	outer->ihl = 5;
	outer->tos = path->flags & PATH_OUTER_TOS ? path->tos : packet->tos;
	outer->tot_len = bpf_htons(packet->length + path->overhead);
	outer->id = next_outer_id(packet->segments);
	outer->frag_off = bpf_htons(DONT_FRAGMENT);
	outer->ttl = OUTER_TTL;
	outer->protocol = path->outer_protocol[family];
	outer->check = 0;
	outer->saddr = path->flags & PATH_OUTER_SOURCE ? path->source[0] : inner_source[0];
	outer->daddr = path->destination[0];
	sum = (__u64)words[0] + words[1] + words[2] + words[3] + words[4];
	outer->check = ~fold(sum);
}

static __always_inline void copy_address(__be32 *to, const __be32 *from)
{
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
}

static __always_inline void write_outer_ipv6(struct ipv6hdr *outer, const struct path *path,
					     const struct packet *packet, int family,
					     const __be32 *inner_source)
{
	__u32 tos = path->flags & PATH_OUTER_TOS ? path->tos : packet->tos;

	*(__be32 *)outer = bpf_htonl(0x60000000 | (tos & 0xff) << 20);
	outer->payload_len = bpf_htons(packet->length + path->tunnel_length);
	outer->nexthdr = path->outer_protocol[family];
	outer->hop_limit = OUTER_TTL;
	copy_address(outer->saddr.in6_u.u6_addr32,
		     path->flags & PATH_OUTER_SOURCE ? path->source : inner_source);
	copy_address(outer->daddr.in6_u.u6_addr32, path->destination);
}

/* What follows the outer IP header; whether there was room for it. */
static __always_inline bool write_tunnel(__be32 *at, const void *end, const struct path *path,
					 const struct flow *flow, const struct packet *packet,
					 int family)
{
	if (path->tunnel_length >= 4) {
		if ((const void *)(at + 1) > end)
			return false;
		at[0] = path->tunnel[family][0];
	}
	if (path->tunnel_length >= 8) {
		if ((const void *)(at + 2) > end)
			return false;
		at[1] = path->tunnel[family][1];
		if (path->flags & PATH_GUE) {
			*(__be16 *)at = flow->gue_source_port;
			*(__be16 *)(at + 1) = bpf_htons(packet->length + path->tunnel_length);
		}
	}
	if (path->tunnel_length >= 12) {
		if ((const void *)(at + 3) > end)
			return false;
		at[2] = path->tunnel[family][2];
	}
	return true;
}
