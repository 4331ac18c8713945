//! The topology's text.

use super::plan::Plan;
use super::writer::Writer;

/// The name of a segment, and of the router's interface on it.
pub(super) fn segment(number: usize) -> String {
    if number == 0 { "servers".to_owned() } else { format!("servers{}", number + 1) }
}

/// Writes the topology.
pub(super) fn text(header: &str, plan: &Plan) -> String {
    let mut out = Writer::new(header);
    out.line(0, "#");
    let lb = match plan.lb_segment {
        None => "lb (packets come in and go out on its one interface)",
        Some(_) => "lb is on a segment with servers",
    };
    out.line(0, format_args!("# client --- router --- segments with the servers; {lb}"));
    out.line(0, "# Its own addresses are the configuration's; what it does not say was chosen.");
    out.gap();
    out.line(0, "nodes:");
    out.line(1, "client:");
    out.line(2, format_args!("interfaces: {{eth0: {}}}", plan.client.net));
    out.line(2, "# As the document's client: it starts with TTL 128 and sends no TCP timestamps.");
    out.line(2, "sysctls: {net.ipv4.ip_default_ttl: 128, net.ipv4.tcp_timestamps: 0}");
    router(&mut out, plan);
    out.line(1, format_args!("lb: {{interfaces: {{eth0: {}}}}}", plan.lb.net));
    for server in &plan.servers {
        let length = plan.segments[server.segment].net.prefix_len();
        let address = server.address;
        out.line(1, format_args!("{}: {{interfaces: {{eth0: {address}/{length}}}}}", server.name));
    }
    out.gap();
    out.line(0, "links:");
    out.line(1, "- [\"client:eth0\", \"router:client\"]");
    if plan.lb_segment.is_none() {
        out.line(1, "- [\"lb:eth0\", \"router:lb\"]");
    }
    out.gap();
    out.line(0, "segments:");
    for number in 0..plan.segments.len() {
        let name = segment(number);
        let mut ports = vec![format!("\"router:{name}\"")];
        if plan.lb_segment == Some(number) {
            ports.push("\"lb:eth0\"".to_owned());
        }
        let servers = plan.servers.iter().filter(|server| server.segment == number);
        ports.extend(servers.map(|server| format!("\"{}:eth0\"", server.name)));
        out.line(1, format_args!("{name}: [{}]", ports.join(", ")));
    }
    out.finish()
}

fn router(out: &mut Writer, plan: &Plan) {
    out.line(1, "router:");
    out.line(2, "forward: true");
    out.line(2, "interfaces:");
    let length = plan.client.net.prefix_len();
    out.line(3, format_args!("client: {}/{length}", plan.client.router));
    if plan.lb_segment.is_none() {
        out.line(3, format_args!("lb: {}/{}", plan.lb.router, plan.lb.net.prefix_len()));
    }
    for (number, one) in plan.segments.iter().enumerate() {
        out.line(3, format_args!("{}: {}/{}", segment(number), one.router, one.net.prefix_len()));
    }
    if !plan.routed.is_empty() {
        out.line(2, "routes: # what belongs to the load balancer");
    }
    for address in &plan.routed {
        out.line(3, format_args!("{address}: {}", plan.lb.net.addr()));
    }
}
