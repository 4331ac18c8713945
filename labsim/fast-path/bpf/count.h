/* Counters, and what is noted of a flow. */
#pragma once

#include "maps.h"
#include "packet.h"

static __always_inline void count_total(__u32 which, __u64 packets, __u64 bytes)
{
	struct total *total = bpf_map_lookup_elem(&totals, &which);

	if (total) {
		total->packets += packets;
		total->bytes += bytes;
	}
}

static __always_inline void count_traffic(struct traffic *traffic, bool reply, __u64 packets,
					  __u64 bytes)
{
	if (!traffic)
		return;
	if (reply) {
		traffic->reply_packets += packets;
		traffic->reply_bytes += bytes;
	} else {
		traffic->packets += packets;
		traffic->bytes += bytes;
	}
}

/* Counts a packet that is forwarded: a super-frame as the packets that it stands for. */
static __always_inline void count_forwarded(const struct flow *flow, const struct packet *packet,
					    __u32 frame)
{
	bool reply = (flow->rewrites & TO_CLIENT) != 0;
	__u64 more = packet->segments - 1;
	__u64 bytes = packet->length + more * packet->headers;
	__u32 server = flow->server, member = flow->member;

	count_traffic(bpf_map_lookup_elem(&servers, &server), reply, packet->segments, bytes);
	count_traffic(bpf_map_lookup_elem(&members, &member), reply, packet->segments, bytes);
	count_total(reply ? TOTAL_FORWARDED_TO_CLIENT : TOTAL_FORWARDED, packet->segments,
		    frame + more * (ETH_HLEN + packet->headers));
}

/* The one of two sequence numbers that lies behind the other (RFC 9293 3.4). */
static __always_inline __u32 later(__u32 one, __u32 other)
{
	return (__s32)(other - one) > 0 ? other : one;
}

/* Notes what the engine would have noted of the packet. */
static __always_inline void note(struct flow *flow, const struct packet *packet)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	__u32 seen = flow->seen | SEEN_PACKET;

	/* The clock's last tick may be before the engine's own look at a finer one. */
	if (now > flow->last_seen)
		flow->last_seen = now;
	if (packet->protocol == IPPROTO_TCP) {
		flow->client_next = seen & SEEN_NUMBERS ? later(flow->client_next, packet->next)
							: packet->next;
		seen |= SEEN_NUMBERS;
		if (packet->acknowledges) {
			flow->server_next = seen & SEEN_ACKNOWLEDGEMENT
						    ? later(flow->server_next, packet->acknowledged)
						    : packet->acknowledged;
			seen |= SEEN_ACKNOWLEDGEMENT;
		}
	}
	if (seen != flow->seen)
		flow->seen = seen;
}
