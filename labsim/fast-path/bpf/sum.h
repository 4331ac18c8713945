/* Checksums of tunnels that cover the inner packet: GRE's (RFC 2784 2.1), and UDP's around GUE over
 * IPv6 (RFC 8200 8.1). */
#pragma once

#include "maps.h"
#include "packet.h"

#define TCP_CHECKSUM 16
#define UDP_CHECKSUM 6

#define CHUNK 64
/* Longer packets are the engine's. */
#define MOST_CHUNKS 144

/* Whether so many bytes can be read at a place. The compiler must not turn the comparison around: the
 * verifier knows no arithmetic on the packet's end. */
static __always_inline bool has_bytes(const void *at, const void *end, __u32 length)
{
	barrier_var(at);
	return at + length <= end;
}

/* The folded sum of `length` bytes of the frame from `start` on; negative if they cannot be read. */
__noinline long sum_bytes(struct __sk_buff *skb, __u32 start, __u32 length)
{
	const void *end = end_of(skb);
	const void *at = data_of(skb) + (start & 0x7f);
	__u64 sum = 0;

	for (int chunk = 0; chunk < MOST_CHUNKS && length >= CHUNK; chunk++) {
		const __u32 *word = at;

		if (!has_bytes(at, end, CHUNK))
			return -1;
#pragma unroll
		for (int number = 0; number < CHUNK / 4; number++)
			sum += word[number];
		at += CHUNK;
		length -= CHUNK;
	}
	if (length) {
		/* What is left, filled up with zeros (RFC 1071). The verifier of Linux 6.1 does not see that it
		 * is at least a byte, unless it is calculated so. */
		__u32 rest[CHUNK / 4] = {};
		__u32 left = ((length - 1) & (CHUNK - 1)) + 1;

		if (length >= CHUNK || bpf_skb_load_bytes(skb, at - data_of(skb), rest, left))
			return -1;
#pragma unroll
		for (int number = 0; number < CHUNK / 4; number++)
			sum += rest[number];
	}
	return fold(sum);
}

/* The sum of the inner packet as it will leave. The packet has to be readable to its end.
 *
 * A transport's checksum may be half made (CHECKSUM_PARTIAL): it is the pseudo-header's sum alone, and
 * hardware or the receiver's kernel finishes it. A finished one makes the segment's sum the complement
 * of the pseudo-header's, so that is what is summed. */
static __always_inline bool sum_inner(struct __sk_buff *skb, const struct flow *flow,
				      const struct packet *packet, int family, __u64 *result)
{
	__u32 header = family == FAMILY_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	__u32 length = packet->length - header;
	const void *end, *transport;
	__u64 pseudo, sum = 0;
	__u16 checksum;
	long segment;

	if (!pull(skb, skb->len))
		return false;
	end = end_of(skb);
	transport = data_of(skb) + ETH_HLEN + header;
	if (transport + sizeof(struct udphdr) > end)
		return false;
	checksum = ((const struct udphdr *)transport)->check;
	if (packet->protocol == IPPROTO_TCP) {
		if (transport + sizeof(struct tcphdr) > end)
			return false;
		checksum = ((const struct tcphdr *)transport)->check;
	}
	pseudo = bpf_htons(length) + bpf_htons(packet->protocol);
	if (family == FAMILY_IPV4) {
		const struct iphdr *ip = data_of(skb) + ETH_HLEN;

		if ((const void *)(ip + 1) > end)
			return false;
		pseudo += ip->saddr;
		pseudo += ip->daddr;
		/* The header's own checksum makes its sum 0. */
	} else {
		const __u32 *words = data_of(skb) + ETH_HLEN;

		if ((const void *)(words + 10) > end)
			return false;
#pragma unroll
		for (int number = 2; number < 10; number++)
			pseudo += words[number];
		/* The addresses change, and the hop limit loses 1. */
		sum = pseudo - bpf_htons(length) - bpf_htons(packet->protocol) + words[0] +
		      words[1] + flow->address_sum + (__u16)~bpf_htons(1);
	}
	segment = sum_bytes(skb, ETH_HLEN + header, length);
	if (segment < 0)
		return false;
	if (packet->protocol == IPPROTO_UDP && !checksum) {
		*result = sum + segment + flow->port_sum;
		return true;
	}
	if (checksum == fold(pseudo))
		segment = (__u16)~fold(pseudo);
	/* Its checksum takes the changes of addresses and ports back, the latter from among its own words. */
	*result = sum + segment + (__u16)~fold(flow->address_sum);
	return true;
}

/* The checksum in GRE's header at `at`, which is written but for it. */
static __always_inline bool sum_gre(__be32 *at, const void *end, const struct path *path,
				    __u64 inner)
{
	__u64 sum = inner;

	if ((const void *)(at + 2) > end)
		return false;
	*(__be16 *)(at + 1) = 0;
	sum += (__u64)at[0] + at[1];
	if (path->tunnel_length >= 12) {
		if ((const void *)(at + 3) > end)
			return false;
		sum += at[2];
	}
	*(__be16 *)(at + 1) = ~fold(sum);
	return true;
}

/* The checksum in UDP's header behind an outer IPv6 header; both are written but for it. */
static __always_inline bool sum_udp(const struct ipv6hdr *outer, __be32 *at, const void *end,
				    const struct path *path, __u64 inner)
{
	const __u32 *addresses = outer->saddr.in6_u.u6_addr32;
	__u64 sum = inner + outer->payload_len + bpf_htons(IPPROTO_UDP);
	__u16 checksum;

	if ((const void *)(at + 2) > end)
		return false;
#pragma unroll
	for (int number = 0; number < 8; number++)
		sum += addresses[number];
	((__be16 *)at)[3] = 0;
	sum += (__u64)at[0] + at[1];
	if (path->tunnel_length >= 12) {
		if ((const void *)(at + 3) > end)
			return false;
		sum += at[2];
	}
	checksum = ~fold(sum);
	((__be16 *)at)[3] = checksum ? checksum : 0xffff;
	return true;
}
