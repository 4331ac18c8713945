//! Codes of causes: why an exchange did not go as expected.

use crate::{Code, codes};

/// Every cause that a diagnosis can name.
pub fn all() -> impl Iterator<Item = Code> {
    ALL.iter().copied().filter(|code| *code != EXPECTATION_FAILED)
}

codes! {
    /// An expectation failed and no cause is shown.
    EXPECTATION_FAILED = "expectation-failed" {
        meaning: "An expectation of the scenario does not hold, and neither a frame nor a counter shows the cause.",
        evidence: "The expected and the observed values printed below the expectation, and its frames.",
        remedy: "Compare the expectation with the lab's configuration; follow the frames in capture.pcapng (--out DIR) from the last place where they were seen.",
    }
    /// No tunnel device for the tunnel's packets.
    TUNNEL_MISSING = "tunnel-missing" {
        meaning: "A node received tunnel packets and has no tunnel device that decapsulates them.",
        evidence: "The node captured the tunnel packets as incoming, nothing came out of a tunnel device, and its IpInUnknownProtos rose or it sent ICMP protocol or port unreachable about them.",
        remedy: "Create the tunnel device on the node and set it up (ip link set DEVICE up).",
    }
    /// The tunnel device is down.
    TUNNEL_DOWN = "tunnel-down" {
        meaning: "A node has a tunnel device for the packets that it received, and the device is down.",
        evidence: "The node captured the tunnel packets as incoming, answered with ICMP port or protocol unreachable, and its tunnel device is down.",
        remedy: "Set the device up (ip link set DEVICE up).",
    }
    /// The two ends of the tunnel differ.
    ENCAPSULATION_MISMATCH = "encapsulation-mismatch" {
        meaning: "The load balancer encapsulates packets in another way than the server's tunnel device decapsulates: another protocol, key, checksum or local address.",
        evidence: "The captured tunnel packets, the server's ICMP protocol or port unreachable or its IpInUnknownProtos, and the tunnel device that it has.",
        remedy: "Give the pool and the server's tunnel device the same protocol and options.",
    }
    /// The destination address is on none of the node's interfaces.
    VIP_MISSING = "vip-missing" {
        meaning: "A node received packets for an address, such as the VIP of a real server, that none of its interfaces has.",
        evidence: "The node captured the packets as incoming, and its IpInAddrErrors or Ip6InAddrErrors rose by more than other packets explain; or, where it forwards, it sent them on.",
        remedy: "Add the address to the node's loopback or tunnel device (ip address add VIP/32 dev lo), or correct the destination.",
    }
    /// Reverse path filtering dropped the packets.
    RP_FILTER = "rp-filter" {
        meaning: "A node dropped packets because the route back to their source does not use the interface where they came in (RFC 3704).",
        evidence: "The node captured the packets as incoming, and its IPReversePathFilter rose.",
        remedy: "Set rp_filter to 0 on the interface, such as the tunnel device, and in conf.all, as the greater of the two values is in force; or 2, with an IPv4 address on the interface.",
    }
    /// A checksum that was left to transmit offload.
    CHECKSUM_UNFINISHED = "checksum-unfinished" {
        meaning: "A node dropped segments whose checksum was left to transmit offload and never completed, as a program copied them before it was.",
        evidence: "The node's TcpInCsumErrors rose, and captured segments have the checksum of the pseudo-header only.",
        remedy: "Turn off transmit checksum offload where the segments come from (ethtool -K DEVICE tx off).",
    }
    /// TCP segments with wrong checksums.
    BAD_CHECKSUM = "bad-checksum" {
        meaning: "A node dropped TCP segments because their checksum is wrong.",
        evidence: "The node's TcpInCsumErrors rose, and captured segments have a wrong checksum.",
        remedy: "Find what changes the segments without correcting the checksum.",
    }
    /// No route to the VIP.
    NO_ROUTE_TO_VIP = "no-route-to-vip" {
        meaning: "A router received packets for the VIP and has no route to it.",
        evidence: "The router captured the packets as incoming, nothing left it, and its InNoRoutes rose or it sent ICMP network or host unreachable about them.",
        remedy: "Add a route to the VIP whose next hop is the load balancer's address.",
    }
    /// No route to the destination.
    NO_ROUTE = "no-route" {
        meaning: "A node received packets and has no route to their destination.",
        evidence: "The node captured the packets as incoming, and its InNoRoutes or OutNoRoutes rose.",
        remedy: "Add a route to the destination, or a default route, on the node.",
    }
    /// No answer to ARP or neighbour discovery.
    NEIGHBOUR_SILENT = "neighbour-silent" {
        meaning: "A node requested the link-layer address of a neighbour and got no reply.",
        evidence: "The node sent ARP requests or neighbour solicitations for the address, and no reply came in at it.",
        remedy: "Check that a host on the same link has the address and is up, and that arp_ignore on it does not suppress the reply.",
    }
    /// The load balancer's forwarder does not run.
    FORWARDER_STOPPED = "forwarder-stopped" {
        meaning: "Packets for a VIP went to a load balancer whose forwarder is stopped.",
        evidence: "The load balancer captured the packets as incoming after a step had stopped its forwarder.",
        remedy: "Start the forwarder, or fail over to another load balancer.",
    }
    /// The load balancer that took the VIP over did not announce it.
    VIP_NOT_ANNOUNCED = "vip-not-announced" {
        meaning: "A load balancer took a VIP over and did not announce it on the link, so a router or host still sends packets for the VIP to the link-layer address of the load balancer that had it before.",
        evidence: "The load balancer that had the VIP captured the packets as incoming, addressed to its own link-layer address, while a step had stopped its forwarder or put it on standby; and no ARP message or neighbour advertisement with the VIP as its sender's was captured from the one that took over.",
        remedy: "Have the load balancer announce its VIPs when it becomes active (gratuitous ARP, unsolicited neighbour advertisements); until then, delete the entry of the neighbour (ip neigh del VIP dev DEVICE).",
    }
    /// The forwarder dropped packets.
    FORWARDER_DROPPED = "forwarder-dropped" {
        meaning: "The load balancer received the packets and dropped packets, for the named reason.",
        evidence: "The load balancer captured the packets as incoming, nothing left it, and the named drop counter of its forwarder is not zero.",
        remedy: "Look up the named outcome in the manual; correct the virtual server, the pool or the packet accordingly.",
    }
    /// An ICMP error about the packets.
    ICMP_ERROR = "icmp-error" {
        meaning: "A node on the path sent an ICMP error that quotes the packets.",
        evidence: "The captured ICMP error, its type and code, and the quoted header.",
        remedy: "Act on the error's type: an unreachable port, host or protocol at its sender; an MTU that is too small; a TTL that expired.",
    }
    /// The connection was reset.
    CONNECTION_RESET = "connection-reset" {
        meaning: "A RST was sent to the client and closed or refused its connection.",
        evidence: "The captured RST, with the place where it was seen first.",
        remedy: "Start the server, or correct its port; if the load balancer sent the RST, look at its drop counters, such as no_flow.",
    }
    /// A node on the path reset the connection towards the server.
    RESET_TO_SERVER = "reset-to-server" {
        meaning: "A node other than the client sent a RST to the server from the client's address and port.",
        evidence: "The captured RST, seen first as outgoing at that node.",
        remedy: "Find out why the node receives the server's packets as its own: it has the client's address, or translates to it without a flow.",
    }
    /// A routing loop.
    ROUTING_LOOP = "routing-loop" {
        meaning: "A packet visited the same nodes again and again until its TTL ended or the capture did.",
        evidence: "One packet captured at the same place several times with a falling TTL.",
        remedy: "Correct the routes of the named nodes; a load balancer that does not take the packet sends it back to its gateway.",
    }
    /// A server answers ARP or neighbour discovery for the VIP.
    SERVER_ANSWERS_ARP = "server-answers-arp" {
        meaning: "A real server claimed the VIP on the link, and packets went to it directly and bypassed the load balancer.",
        evidence: "The server's ARP or neighbour discovery message with the VIP, and packets for the VIP sent to its link-layer address.",
        remedy: "On the server, set arp_ignore to 1 and arp_announce to 2, and have the VIP on the loopback or tunnel device.",
    }
    /// The pool member's port differs and is not translated.
    PORT_DIFFERS = "port-differs" {
        meaning: "A server refused packets for the virtual server's port, and its pool member has another port.",
        evidence: "The client's SYN came in at the server unchanged, the server replied with RST, and the pool member has another port.",
        remedy: "With DSR, give the pool member the virtual server's port, or have the server listen on it.",
    }
    /// The destination address was translated under DSR.
    DESTINATION_TRANSLATED = "destination-translated" {
        meaning: "The load balancer translated the destination address, the server replied from its own address, and the reply bypassed the load balancer untranslated.",
        evidence: "The same packet before and after the load balancer, and the replies from the server's own address.",
        remedy: "Turn address translation off (translate_address: false, translate-address disabled), or use SNAT so that replies return through the load balancer.",
    }
    /// The source address was translated under DSR.
    SOURCE_TRANSLATED = "source-translated" {
        meaning: "The load balancer translated the source address although the server is to see the client's own, and replies return through the load balancer.",
        evidence: "The same packet before and after the load balancer, and what the server made of the other address.",
        remedy: "Take the source translation (SNAT, automap) out of the virtual server.",
    }
    /// A request that came back to the host that sent it.
    SOURCE_IS_OWN = "source-is-own" {
        meaning: "A server asked a VIP that it serves itself, and the load balancer sent the request back to it with its own address as the source; hosts drop such packets.",
        evidence: "The same packet as it left the host, and as it came back to it.",
        remedy: "Translate the source of what the servers ask (SNAT, no client address preservation), or have each server ask itself without the load balancer.",
    }
    /// A reply from another of the server's addresses.
    REPLY_FROM_OTHER_ADDRESS = "reply-from-other-address" {
        meaning: "The server received a request at the VIP and replied from another of its addresses, as a UDP socket that is bound to no address does.",
        evidence: "The request as it came in at the server, and the reply from another address.",
        remedy: "Have the server reply from the address that was asked (IP_PKTINFO), or bind it to the VIP.",
    }
    /// Replies from another address or port.
    WRONG_REPLY_SOURCE = "wrong-reply-source" {
        meaning: "Replies came from another address or port than the client had connected to, so that the client cannot accept them.",
        evidence: "The captured replies.",
        remedy: "Find what changed the request's destination or the reply's source between the client and the named node.",
    }
    /// Frames lost on an impaired link.
    LINK_LOSSY = "link-lossy" {
        meaning: "The packets were last seen as they went out to an impaired link, and the link dropped frames.",
        evidence: "The last capture point of the packets, and the drop counters of the link.",
        remedy: "Expected if the scenario impairs the link; otherwise lower its loss, or raise its rate or queue length.",
    }
    /// Replies that did not arrive.
    REPLIES_LOST = "replies-lost" {
        meaning: "Replies were sent and did not come in at the client.",
        evidence: "The captured replies, and the place where the last one was seen last.",
        remedy: "Check the return path from the named place: routes to the client, filters and neighbours.",
    }
    /// A link that is down.
    LINK_DOWN = "link-down" {
        meaning: "Packets were sent to an interface whose link is down.",
        evidence: "The frames that went out to the interface and did not come in there, and its state.",
        remedy: "Set the interface up, or take the node out of the pool.",
    }
    /// Flows of a pool member that was removed.
    MEMBER_REMOVED = "member-removed" {
        meaning: "The load balancer sends packets of a flow to a member that was removed from the pool or is down, where they are lost.",
        evidence: "The member's removal, and packets of the flow that the load balancer sent to it afterwards.",
        remedy: "Have the flows of a member that is gone reset or moved (action_on_down: reset or reselect), with a monitor; or drain the member first.",
    }
    /// A connection's packets went to another server than its SYN.
    FLOW_MOVED = "flow-moved" {
        meaning: "A load balancer sent packets of a connection to a server that did not get its SYN, from it or from the load balancer that it took over from, and so does not know the connection.",
        evidence: "The load balancer's captured packets: the SYN to one server, later ones to another, which may have reset the connection.",
        remedy: "Keep the flow table when a load balancer restarts or another one takes over (mirroring), or choose servers by a hash that all load balancers share (maglev).",
    }
    /// All datagrams of a step came from one port, so they were one flow.
    ONE_SOURCE_PORT = "one-source-port" {
        meaning: "A client sent all of its requests over UDP from one port. For a load balancer that is one flow, however many requests it has, and a flow stays with its server.",
        evidence: "The captured packets of all requests, from one address and port, which the load balancer sent to one server, though its pool has others.",
        remedy: "Have the load balancer choose a server for each datagram (datagram_load_balancing; in F5's udp profile datagram-load-balancing; in IPVS one-packet scheduling, --ops), or have the client send from several ports.",
    }
    /// A node that would have to send packets on does not forward.
    FORWARDING_OFF = "forwarding-off" {
        meaning: "A node that is another's gateway received packets for somebody else, and does not forward packets.",
        evidence: "The node captured the packets as incoming, its IpInAddrErrors or Ip6InAddrErrors rose, and forwarding is off there.",
        remedy: "Turn forwarding on (net.ipv4.ip_forward=1, net.ipv6.conf.all.forwarding=1), or correct the route that leads there.",
    }
    /// Packets for a VIP went to a real server without a load balancer.
    BALANCER_BYPASSED = "balancer-bypassed" {
        meaning: "The client's packets for the VIP went to a real server directly, and no load balancer saw them.",
        evidence: "The captured packets at the real server, for the VIP and in no tunnel, and none at a load balancer.",
        remedy: "Route the VIP to the load balancer on the named node.",
    }
    /// A packet's TTL or hop limit ended on its way.
    TTL_EXPIRED = "ttl-expired" {
        meaning: "A packet was sent with a TTL or hop limit that is smaller than the number of routers on its way, the load balancer among them.",
        evidence: "The captured packet with a TTL of 1 at a node that had to send it on, and that node's ICMP time exceeded or the load balancer's ttl_exceeded.",
        remedy: "Have the sender use a greater TTL (net.ipv4.ip_default_ttl, or the program's IP_TTL).",
    }
    /// A reply arrived when the client had given up.
    REPLY_LATE = "reply-late" {
        meaning: "A reply reached the client after the client's time-out.",
        evidence: "The captured reply at the client, later after the first packet than the client waited; the longest pause between two captured frames of the exchange tells where the time went.",
        remedy: "Find what delays the packets or the server at the named place, or have the client wait longer.",
    }
    /// A firewall drops packets by IP protocol.
    PROTOCOL_FILTERED = "protocol-filtered" {
        meaning: "A node dropped packets of an IP protocol without an error: a filter does not let the protocol pass.",
        evidence: "The node captured the packets as incoming, neither forwarded nor delivered them, and no counter of its kernel names another reason.",
        remedy: "Let the IP protocol pass: 4 for IPIP, 47 for GRE, UDP port 6080 for GUE.",
    }
    /// A firewall or uRPF drops the tunnel packets' outer source.
    OUTER_SOURCE_FILTERED = "outer-source-filtered" {
        meaning: "A node dropped tunnel packets because their outer source is the client's address, which does not belong where they came from.",
        evidence: "The node captured the tunnel packets as incoming and did not forward them, and its reverse path filter counted them or its filter matches sources.",
        remedy: "Have the load balancer use its own address as the outer source (outer_source: egress), or let the node accept the clients' addresses there.",
    }
    /// Anti-spoofing drops replies with the VIP as their source.
    REPLY_SOURCE_FILTERED = "reply-source-filtered" {
        meaning: "A node dropped replies because their source is the VIP, which does not belong where they came from.",
        evidence: "The node captured the replies as incoming and did not forward them, and its reverse path filter counted them or nothing else explains the drop.",
        remedy: "Allow the VIP as a source where the servers are connected (anti-spoofing, port security, uRPF).",
    }
    /// A stateful firewall sees one direction.
    HALF_FLOW_FILTERED = "half-flow-filtered" {
        meaning: "A node that sees only one direction of the connection let its beginning pass and dropped what followed, or dropped replies to a request that it did not see, as a stateful firewall does.",
        evidence: "The packets that the node let pass and those that it dropped, and that no packet of the other direction was captured there.",
        remedy: "Use a stateless rule for this traffic on the firewall, or route both directions through it.",
    }
    /// Fragments are dropped.
    FRAGMENTS_DROPPED = "fragments-dropped" {
        meaning: "A node dropped fragments, while whole packets or first fragments of the same flow passed.",
        evidence: "The fragments that came in at the node and were not forwarded, and the packets that passed.",
        remedy: "Let fragments pass, or avoid them with a smaller packet size or MTU.",
    }
    /// Packets are too long for the path.
    MTU_BLACK_HOLE = "mtu-black-hole" {
        meaning: "Packets are longer than the MTU of the path once the tunnel's header is added, may not be fragmented, and the sender does not send shorter ones.",
        evidence: "The packets' length, the MTU that they met, and the counter or ICMP error about it.",
        remedy: "Lower the MTU or the MSS by the tunnel's header on clients or servers, raise the MTU of the path, or let ICMP fragmentation needed pass.",
    }
    /// The client cannot use an ICMP error about the tunnel packet.
    PMTU_ERROR_IGNORED = "pmtu-error-ignored" {
        meaning: "A router sent ICMP fragmentation needed about a tunnel packet to the client, whose address is the outer source; the client ignored it, as it sent no such packet.",
        evidence: "The ICMP error that came in at the client quotes a tunnel packet, and the client sent a packet of the same length again.",
        remedy: "Have the load balancer use its own address as the outer source (outer_source: egress), or lower the MSS.",
    }
    /// An ICMP error reached another server.
    ICMP_ERROR_MISDELIVERED = "icmp-error-misdelivered" {
        meaning: "An ICMP error about a server's reply was sent on to another server than the one that had sent the reply.",
        evidence: "The ICMP error, its quoted packet, the server that sent that packet, and the one that the error went to.",
        remedy: "Have the load balancer schedule ICMP errors by the packet that they quote.",
    }
    /// The load balancer does not know the flow.
    FLOW_UNKNOWN = "flow-unknown" {
        meaning: "The load balancer received a packet in the middle of a connection that it has no flow for, and dropped or reset it.",
        evidence: "The packet that came in, the forwarder's no_flow, and that the flow did not time out.",
        remedy: "Turn loose_initiation on, so that a flow may begin with any packet; where a load balancer took over, mirror the flows to it.",
    }
    /// The load balancer's flow timed out.
    FLOW_EXPIRED = "flow-expired" {
        meaning: "The connection's flow on the load balancer timed out while the connection was idle, and was then unknown or reset.",
        evidence: "The pause before the packet, the forwarder's flows.timed_out, and its no_flow or flows.reset_on_timeout.",
        remedy: "Make the idle timeout longer than the longest pause, or turn loose_initiation on and reset_on_timeout off.",
    }
    /// The load balancer keeps a flow that has ended.
    FLOW_LINGERS = "flow-lingers" {
        meaning: "The connection ended with a FIN, and its flow stays on the load balancer, which under DSR never sees the server's FIN.",
        evidence: "The FIN that the load balancer received, and its counters of open and closed flows.",
        remedy: "Turn loose_close on.",
    }
    /// The monitor does not see the fault.
    MONITOR_BLIND = "monitor-blind" {
        meaning: "The pool's monitor finds a member up that does not serve the VIP, because its probes go to the member's own address and not through the tunnel.",
        evidence: "The monitor's probes and their answers, and the cause on the member.",
        remedy: "Make the monitor transparent, so that probes go through the tunnel to the VIP.",
    }
    /// The DSCP mark changed on the way.
    MARK_CHANGED = "mark-changed" {
        meaning: "A node between load balancer and server changed the DSCP mark that the load balancer had set.",
        evidence: "The same packet before and after the node.",
        remedy: "Have the node trust and keep the DSCP mark.",
    }
    /// No socket at the VIP.
    NOT_LISTENING_AT_VIP = "not-listening-at-vip" {
        meaning: "The server refused the packets: no socket listens at the VIP and port. A load balancer that has the VIP itself refuses what no virtual server takes.",
        evidence: "The packets that came in at the server, and its RST or ICMP port unreachable.",
        remedy: "Start the server program, and bind it to the VIP or to any address.",
    }
    /// The server rejected the login.
    LOGIN_REJECTED = "login-rejected" {
        meaning: "All packets arrived, and the server rejected the login: user or password are wrong.",
        evidence: "The server's reply and its log.",
        remedy: "Correct the user or the password; nothing in the network is wrong.",
    }
    /// The shared secrets differ.
    SECRET_MISMATCH = "secret-mismatch" {
        meaning: "All packets arrived, and client or server could not read them: their shared secrets differ.",
        evidence: "The server's log of a protocol error, or the client's.",
        remedy: "Give client and server the same secret; nothing in the network is wrong.",
    }
    /// The client dropped replies without a Message-Authenticator.
    REPLY_UNAUTHENTICATED = "reply-unauthenticated" {
        meaning: "The server's RADIUS replies arrived, and the client dropped them: they carry no Message-Authenticator.",
        evidence: "The client's count of replies that it dropped for that reason, and the captured replies.",
        remedy: "Update the server, so that its replies carry a Message-Authenticator (CVE-2024-3596), or have the client accept replies without one (require_message_authenticator: false); nothing in the network is wrong.",
    }
    /// The server does not know the client.
    CLIENT_UNKNOWN = "client-unknown" {
        meaning: "All packets arrived, and the server refused the client's address.",
        evidence: "The server's log, with the address that it saw.",
        remedy: "Add the client's address to the server's list of clients.",
    }
}
