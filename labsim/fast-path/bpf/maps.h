/* The program's maps and what is in them. labsim/fast-path/src/layout.rs writes and reads the same
 * bytes. All numbers are the machine's own but those of type __be16 and __be32. */
#pragma once

#include "kernel.h"

/* Bits of flow.rewrites. */
#define REWRITE_SOURCE 1
#define REWRITE_DESTINATION 2
#define REWRITE_PORTS 4
/* From a member back to the client. */
#define TO_CLIENT 8

/* Bits of flow.seen. */
#define SEEN_NUMBERS 1
#define SEEN_ACKNOWLEDGEMENT 2
#define SEEN_PACKET 4

struct flow4_key {
	__be32 source;
	__be32 destination;
	__be16 source_port;
	__be16 destination_port;
	__u32 protocol;
};

struct flow6_key {
	__be32 source[4];
	__be32 destination[4];
	__be16 source_port;
	__be16 destination_port;
	__u32 protocol;
};

/* An IPv4 address is in the first word of source and destination, which are those of the packet as it
 * leaves. */
struct flow {
	__u64 last_seen;
	__u32 client_next;
	__u32 server_next;
	__u32 seen;
	__u32 rewrites;
	/* What RFC 1624 adds to checksums: for the addresses, and for the ports. */
	__u32 address_sum;
	__u32 port_sum;
	__u32 path;
	__u32 server;
	__u32 member;
	__be16 source_port;
	__be16 destination_port;
	__be16 gue_source_port;
	__u8 unused[6];
	__be32 source[4];
	__be32 destination[4];
};

/* Bits of path.flags. */
#define PATH_OUTER_IPV4 1
#define PATH_OUTER_IPV6 2
#define PATH_OUTER_SOURCE 4
#define PATH_OUTER_TOS 8
#define PATH_GUE 16
/* A checksum over the inner packet. */
#define PATH_CHECKSUM 32

/* By the family of the packet that comes in: 0 is IPv4. */
struct path {
	__u64 room_flags;
	__u32 flags;
	/* Bytes of the outer headers; of these, those behind the outer IP header. */
	__u32 overhead;
	__u32 tunnel_length;
	__u32 mtu;
	__u32 tos;
	__u32 outer_protocol[2];
	/* The bytes behind the outer IP header. */
	__be32 tunnel[2][3];
	__be32 source[4];
	__be32 destination[4];
	__u8 next_hop[6];
	__u8 own[6];
};

/* Bits of owned.flags. */
/* The engine gets every packet. */
#define OWNED_ALL 1
/* Of these, the kernel gets what is not of the services. */
#define OWNED_HOST 2
/* The engine alone gets TCP and UDP of the services; both get ICMP errors and later fragments. */
#define OWNED_SHARED 4
/* Both get ICMP errors. */
#define OWNED_ERRORS 8

#define MOST_SERVICES 32

struct service {
	__u8 protocol;
	__u8 unused;
	__u16 first;
	__u16 last;
};

struct owned {
	__u32 flags;
	__u32 services;
	struct service service[MOST_SERVICES];
};

/* An IPv4 address is ::ffff:a.b.c.d. */
struct address {
	__be32 word[4];
};

struct settings {
	__u32 engine;
	/* Whether the engine has IPv6 addresses, and takes part in neighbour discovery. */
	__u32 ipv6;
};

/* What was received for a virtual server, or sent to a member; and the way back. */
struct traffic {
	__u64 packets;
	__u64 bytes;
	__u64 reply_packets;
	__u64 reply_bytes;
};

#define TOTAL_FORWARDED 0
#define TOTAL_FORWARDED_TO_CLIENT 1
#define TOTAL_LOST 2
#define TOTALS 3

struct total {
	__u64 packets;
	__u64 bytes;
};

/* The loader gives the sizes. Flows take memory when they are there. */
MAP(flows4, BPF_MAP_TYPE_HASH, struct flow4_key, struct flow, 1, BPF_F_NO_PREALLOC);
MAP(flows6, BPF_MAP_TYPE_HASH, struct flow6_key, struct flow, 1, BPF_F_NO_PREALLOC);
/* A hash, because its values are replaced whole. */
MAP(paths, BPF_MAP_TYPE_HASH, __u32, struct path, 1, 0);
MAP(owned_addresses, BPF_MAP_TYPE_HASH, struct address, struct owned, 1, BPF_F_NO_PREALLOC);
MAP(settings_map, BPF_MAP_TYPE_ARRAY, __u32, struct settings, 1, 0);
MAP(servers, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct traffic, 1, 0);
MAP(members, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct traffic, 1, 0);
MAP(totals, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct total, TOTALS, 0);
/* The last identification of an outer IPv4 header. */
MAP(outer_ids, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, 1, 0);
