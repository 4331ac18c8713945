/* What the program uses of the kernel: types, helpers (bpf-helpers(7)), byte order. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

typedef __u8 bool;
#define true 1
#define false 0

/* A map as the object's section `maps` describes it, so that the object needs no BTF. */
struct map_definition {
	__u32 type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 flags;
};

#define MAP(name, kind, key, value, entries, with) \
	struct map_definition SEC("maps") name = { \
		.type = kind, \
		.key_size = sizeof(key), \
		.value_size = sizeof(value), \
		.max_entries = entries, \
		.flags = with, \
	}

/* The packet goes on as if the program were not there (TCX_NEXT is the same). */
#define GO_ON TC_ACT_UNSPEC
#define DROP TC_ACT_SHOT

static __always_inline void *data_of(const struct __sk_buff *skb)
{
	return (void *)(long)skb->data;
}

static __always_inline void *end_of(const struct __sk_buff *skb)
{
	return (void *)(long)skb->data_end;
}

/* Whether the first bytes of a frame, as far as it has them, can be read at `data`. */
static __always_inline bool pull(struct __sk_buff *skb, __u32 length)
{
	if (length > skb->len)
		length = skb->len;
	if (end_of(skb) - data_of(skb) >= length)
		return true;
	return bpf_skb_pull_data(skb, length) == 0;
}

/* A sum of 16-bit words as the 16 bits of RFC 1071. */
static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}
