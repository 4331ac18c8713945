/* Whose a packet is that is not forwarded here: the engine's, the kernel's, or both's. The same
 * choice as the packet ring's filter and ingress rule (labsim/dataplane/src/packet/filter,
 * labsim/dataplane/src/ingress_drop). */
#pragma once

#include "count.h"
#include "maps.h"

#define LATER_FRAGMENT 0x1fff
#define LATER_FRAGMENT6 0xfff8
#define MOST_EXTENSIONS 8

/* ICMP's errors (RFC 792). */
#define UNREACHABLE 3
#define TIME_EXCEEDED 11
#define PARAMETER_PROBLEM 12
/* ICMPv6's errors are the types from 1 to the last (RFC 4443 2.1); neighbour discovery (RFC 4861 4.3
 * and 4.4). */
#define LAST_ERROR 4
#define SOLICITATION 135
#define ADVERTISEMENT 136

enum whose {
	KERNELS,
	ENGINES,
	BOTH,
};

/* What decides about a packet to an address. */
struct question {
	__u8 protocol;
	/* Whether it has ports, or is the later fragment of a packet that has. */
	bool has_ports;
	bool later_fragment;
	bool icmp_error;
	__u16 port;
};

/* Functions that are not static the verifier reads once, and not again with every way to them (it knows them
 * by their BTF). */
__noinline bool of_service(const struct owned *owned, const struct question *question)
{
	if (!owned || !question)
		return false;
	for (int number = 0; number < MOST_SERVICES; number++) {
		const struct service *service = &owned->service[number];

		if (number >= owned->services)
			break;
		if (service->protocol != question->protocol)
			continue;
		if (question->later_fragment)
			return true;
		if (question->has_ports && service->first <= question->port &&
		    question->port <= service->last)
			return true;
		/* Every port of the protocol. */
		if (service->first == 0 && service->last == 0xffff)
			return true;
	}
	return false;
}

__noinline enum whose decide(const struct owned *owned, const struct question *question)
{
	if (!owned || !question)
		return KERNELS;
	if (owned->flags & OWNED_ALL) {
		if (!(owned->flags & OWNED_HOST) || of_service(owned, question))
			return ENGINES;
		return BOTH;
	}
	if (owned->flags & OWNED_SHARED) {
		if (question->later_fragment &&
		    (question->protocol == IPPROTO_TCP || question->protocol == IPPROTO_UDP))
			return BOTH;
		if (of_service(owned, question))
			return ENGINES;
		return question->icmp_error ? BOTH : KERNELS;
	}
	return question->icmp_error ? BOTH : KERNELS;
}

__noinline enum whose whose_ipv4(struct __sk_buff *skb)
{
	const void *end = end_of(skb);
	const struct iphdr *ip = data_of(skb) + ETH_HLEN;
	struct question question = {};
	struct address address = {};
	struct owned *owned;
	__u32 transport;
	__u8 type = 0;

	if ((const void *)(ip + 1) > end)
		return KERNELS;
	address.word[2] = bpf_htonl(0xffff);
	address.word[3] = ip->daddr;
	owned = bpf_map_lookup_elem(&owned_addresses, &address);
	if (!owned)
		return KERNELS;
	question.protocol = ip->protocol;
	question.later_fragment = (ip->frag_off & bpf_htons(LATER_FRAGMENT)) != 0;
	transport = ETH_HLEN + ip->ihl * 4;
	if (question.later_fragment)
		return decide(owned, &question);
	if (ip->protocol == IPPROTO_ICMP) {
		if (bpf_skb_load_bytes(skb, transport, &type, 1) == 0)
			question.icmp_error = type == UNREACHABLE ||
					      type == TIME_EXCEEDED ||
					      type == PARAMETER_PROBLEM;
	} else if (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) {
		__be16 port;

		if (bpf_skb_load_bytes(skb, transport + 2, &port, sizeof(port)) == 0) {
			question.has_ports = true;
			question.port = bpf_ntohs(port);
		}
	}
	return decide(owned, &question);
}

/* Walks the extension headers behind the IPv6 header, as far as they are there. */
static __always_inline void read_extensions(struct __sk_buff *skb, __u8 next,
					    struct question *question)
{
	__u32 at = ETH_HLEN + sizeof(struct ipv6hdr);
	__be16 port;

	for (int number = 0; number < MOST_EXTENSIONS; number++) {
		struct {
			__u8 next;
			__u8 length;
			__be16 fragment;
		} header;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING &&
		    next != IPPROTO_DSTOPTS && next != IPPROTO_FRAGMENT && next != IPPROTO_AH)
			break;
		if (bpf_skb_load_bytes(skb, at, &header, sizeof(header)))
			return;
		if (next == IPPROTO_FRAGMENT) {
			if (header.fragment & bpf_htons(LATER_FRAGMENT6))
				question->later_fragment = true;
			at += 8;
		} else if (next == IPPROTO_AH) {
			at += (header.length + 2) * 4;
		} else {
			at += (header.length + 1) * 8;
		}
		next = header.next;
	}
	question->protocol = next;
	if (question->later_fragment || (next != IPPROTO_TCP && next != IPPROTO_UDP))
		return;
	if (bpf_skb_load_bytes(skb, at + 2, &port, sizeof(port)) == 0) {
		question->has_ports = true;
		question->port = bpf_ntohs(port);
	}
}

__noinline enum whose whose_ipv6(struct __sk_buff *skb, __u32 has_addresses)
{
	const void *end = end_of(skb);
	const struct ipv6hdr *ip = data_of(skb) + ETH_HLEN;
	struct question question = {};
	struct address address;
	struct owned *owned;
	__u8 type = 0;

	if ((const void *)(ip + 1) > end || !has_addresses)
		return KERNELS;
	if (ip->nexthdr == IPPROTO_ICMPV6) {
		/* A packet without a type is nobody's but the kernel's. */
		if (bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(*ip), &type, 1))
			return KERNELS;
		if (type == SOLICITATION || type == ADVERTISEMENT)
			return BOTH;
		question.icmp_error = type >= 1 && type <= LAST_ERROR;
		ip = data_of(skb) + ETH_HLEN;
		end = end_of(skb);
		if ((const void *)(ip + 1) > end)
			return KERNELS;
	}
	copy_address(address.word, ip->daddr.in6_u.u6_addr32);
	owned = bpf_map_lookup_elem(&owned_addresses, &address);
	if (!owned)
		return KERNELS;
	if (owned->flags & OWNED_SHARED && ip->nexthdr == IPPROTO_FRAGMENT)
		return BOTH;
	question.protocol = ip->nexthdr;
	if (!question.icmp_error)
		read_extensions(skb, ip->nexthdr, &question);
	return decide(owned, &question);
}

/* Hands the packet on. */
static __always_inline int hand(struct __sk_buff *skb, const struct settings *settings,
				enum whose whose)
{
	switch (whose) {
	case ENGINES:
		return bpf_redirect(settings->engine, BPF_F_INGRESS);
	case BOTH:
		bpf_clone_redirect(skb, settings->engine, BPF_F_INGRESS);
		return GO_ON;
	default:
		return GO_ON;
	}
}
