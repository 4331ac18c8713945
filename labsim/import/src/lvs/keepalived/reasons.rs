//! Why words of `keepalived.conf` are not imported.

use crate::text::reason;

const STATEMENTS: &str = "\
    persistence_engine: labsim's persistence is by source address only
    persistence_granularity: labsim's persistence has a time; add `persistence_timeout`
    quorum hysteresis: labsim's pools have no quorum
    sorry_server sorry_server_inhibit sorry_server_lvs_method: labsim's pools have no sorry server
    quorum_up quorum_down notify_up notify_down: labsim runs no scripts
    ha_suspend: the lab has one load balancer
    alpha omega: in a lab the first probe of a member decides whether it is up
    warmup: labsim's monitors begin at once
    uthreshold lthreshold: labsim's members have no limits on flows
    smtp_alert virtualhost snmp_name log_all_failures: it has no effect on packets
    HTTP_GET SSL_GET SMTP_CHECK DNS_CHECK MISC_CHECK UDP_CHECK BFD_CHECK FILE_CHECK: labsim's \
        monitors are `tcp`, `tacacs`, `radius` and `icmp`; write the pool's `monitor` into the scenario
    TCP_CHECK PING_CHECK: a pool has one monitor, that of its first server
    connect_ip bindto bind_if bind_port fwmark: labsim's probes go from the load balancer's own \
        address to the member's";

const BLOCKS: &str = "\
    vrrp_instance vrrp_sync_group vrrp_script vrrp_track_process vrrp_track_file vrrp vrrp_garp: the \
        lab has one load balancer
    global_defs: it configures the daemon and has no effect on packets of virtual servers
    include include_r include_m include_w include_b include_a: files that are included are not \
        read; name them, too
    static_ipaddress static_routes static_rules interface_up_down_delays linkbeat_interfaces: the \
        lab's network is made from the addresses of virtual and real servers
    SSL: labsim's monitors have no TLS
    bfd_instance track_file track_process: labsim does not support it
    net_namespace net_namespace_ipvs namespace_with_ipsets instance use_pid_dir child_wait_time \
        random_seed: it configures the daemon and has no effect on packets of virtual servers";

/// Why a statement of a virtual server, a real server or a checker is not imported.
pub(super) fn of_statement(name: &str) -> &'static str {
    reason(STATEMENTS, name)
}

/// Why what is no virtual server is not imported.
pub(super) fn of_block(name: &str) -> &'static str {
    reason(BLOCKS, name)
}
