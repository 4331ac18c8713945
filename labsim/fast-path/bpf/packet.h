/* Reading of packets that may be forwarded here: whole, correct, and nothing about them special.
 * All others are the engine's. */
#pragma once

#include "kernel.h"

#define FRAGMENT 0x3fff
#define DONT_FRAGMENT 0x4000

#define FAMILY_IPV4 0
#define FAMILY_IPV6 1

struct packet {
	/* Of the IP packet. */
	__u32 length;
	/* Of IP and transport header. */
	__u32 headers;
	/* As many packets as a super-frame (GSO) is cut into; otherwise 1. */
	__u32 segments;
	/* The payload of each; 0 if it is no super-frame. */
	__u32 segment;
	/* TCP: what follows the segment, and what it acknowledges. */
	__u32 next;
	__u32 acknowledged;
	bool acknowledges;
	bool may_fragment;
	__u8 protocol;
	__u8 tos;
	__be16 source_port;
	__be16 destination_port;
};

/* Reads a TCP header at `at` of a packet whose IP header has `before` bytes. SYN, FIN and RST begin
 * and end flows. */
static __always_inline bool read_tcp(const void *at, const void *end, __u32 before,
				     struct packet *packet)
{
	const struct tcphdr *tcp = at;
	__u32 header, payload;

	if ((const void *)(tcp + 1) > end)
		return false;
	header = tcp->doff * 4;
	if (header < sizeof(*tcp) || before + header > packet->length)
		return false;
	if (tcp->syn || tcp->fin || tcp->rst)
		return false;
	payload = packet->length - before - header;
	packet->headers = before + header;
	packet->next = bpf_ntohl(tcp->seq) + payload;
	packet->acknowledges = tcp->ack;
	packet->acknowledged = bpf_ntohl(tcp->ack_seq);
	packet->source_port = tcp->source;
	packet->destination_port = tcp->dest;
	return true;
}

/* The same for UDP. */
static __always_inline bool read_udp(const void *at, const void *end, __u32 before,
				     struct packet *packet)
{
	const struct udphdr *udp = at;

	if ((const void *)(udp + 1) > end)
		return false;
	/* A datagram that is shorter than its packet is left to the engine. */
	if (before + bpf_ntohs(udp->len) != packet->length)
		return false;
	packet->headers = before + sizeof(*udp);
	packet->source_port = udp->source;
	packet->destination_port = udp->dest;
	return packet->headers <= packet->length;
}

static __always_inline bool read_transport(const struct __sk_buff *skb, const void *at,
					   const void *end, __u32 before, struct packet *packet)
{
	__u32 payload;

	if (packet->protocol == IPPROTO_TCP) {
		if (!read_tcp(at, end, before, packet))
			return false;
	} else if (packet->protocol == IPPROTO_UDP) {
		if (!read_udp(at, end, before, packet))
			return false;
	} else {
		return false;
	}
	packet->segment = skb->gso_size;
	packet->segments = 1;
	payload = packet->length - packet->headers;
	if (packet->segment && payload > packet->segment)
		packet->segments = (payload + packet->segment - 1) / packet->segment;
	return true;
}

/* Whether it is an IPv4 packet that may be forwarded here (RFC 1812 5.2). */
static __always_inline bool read_ipv4(struct __sk_buff *skb, struct packet *packet)
{
	const void *end = end_of(skb);
	const struct iphdr *ip = data_of(skb) + ETH_HLEN;
	const __u32 *words = (const __u32 *)ip;
	__u64 sum;

	if ((const void *)(ip + 1) > end)
		return false;
	if (ip->version != 4 || ip->ihl != 5 || ip->ttl <= 1)
		return false;
	if (ip->frag_off & bpf_htons(FRAGMENT))
		return false;
	packet->length = bpf_ntohs(ip->tot_len);
	if (packet->length + ETH_HLEN > skb->len)
		return false;
	sum = (__u64)words[0] + words[1] + words[2] + words[3] + words[4];
	if (fold(sum) != 0xffff)
		return false;
	packet->may_fragment = !(ip->frag_off & bpf_htons(DONT_FRAGMENT));
	packet->protocol = ip->protocol;
	packet->tos = ip->tos;
	return read_transport(skb, ip + 1, end, sizeof(*ip), packet);
}

/* Whether it is an IPv6 packet that may be forwarded here: one without extension headers. */
static __always_inline bool read_ipv6(struct __sk_buff *skb, struct packet *packet)
{
	const void *end = end_of(skb);
	const struct ipv6hdr *ip = data_of(skb) + ETH_HLEN;
	__u32 first;

	if ((const void *)(ip + 1) > end)
		return false;
	if (ip->version != 6 || ip->hop_limit <= 1)
		return false;
	packet->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	if (packet->length + ETH_HLEN > skb->len)
		return false;
	first = bpf_ntohl(*(const __be32 *)ip);
	packet->may_fragment = false;
	packet->protocol = ip->nexthdr;
	packet->tos = first >> 20;
	return read_transport(skb, ip + 1, end, sizeof(*ip), packet);
}
