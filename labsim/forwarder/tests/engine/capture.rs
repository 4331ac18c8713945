//! The document's capture at the load balancer as a packet table: six packets in, six tunnel
//! packets out, byte for byte, for both kinds of outer source. The bytes were computed apart from
//! this project's code; their TCP checksums are those of the capture.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::{Bench, config, hex};
use labsim_forwarder::{Outcome, OuterSource};

struct Row {
    name: &'static str,
    /// Of the packet that comes in.
    length: usize,
    input: &'static str,
    /// What goes out with the client as outer source.
    client: &'static str,
    /// What goes out with the load balancer as outer source.
    egress: &'static str,
}

const TABLE: [Row; 6] = [
    Row {
        name: "SYN",
        length: 52,
        input: "02000000000b0200000000010800450000341b9040007f06634fc0a80bc9ac100463ee8b0031\
            108de282000000008002faf0156e0000020405b40103030801010402",
        client: "02000000000102000000000b08004500004800014000ff04a40bc0a80bc90a01013345000034\
            1b9040007e06644fc0a80bc9ac100463ee8b0031108de282000000008002faf0156e00000204\
            05b40103030801010402",
        egress: "02000000000102000000000b08004500004800014000ff045d720a0909020a01013345000034\
            1b9040007e06644fc0a80bc9ac100463ee8b0031108de282000000008002faf0156e00000204\
            05b40103030801010402",
    },
    Row {
        name: "ACK of the SYN",
        length: 40,
        input: "02000000000b0200000000010800450000281b9140007f06635ac0a80bc9ac100463ee8b0031\
            108de283845874cb5010020155fd0000",
        client: "02000000000102000000000b08004500003c00024000ff04a416c0a80bc90a01013345000028\
            1b9140007e06645ac0a80bc9ac100463ee8b0031108de283845874cb5010020155fd0000",
        egress: "02000000000102000000000b08004500003c00024000ff045d7d0a0909020a01013345000028\
            1b9140007e06645ac0a80bc9ac100463ee8b0031108de283845874cb5010020155fd0000",
    },
    Row {
        name: "START",
        length: 66,
        input: "02000000000b0200000000010800450000421b9240007f06633fc0a80bc9ac100463ee8b0031\
            108de283845874cb501802016a0c0000ebce0000000000000000000000000000000000000000\
            00000000",
        client: "02000000000102000000000b08004500005600034000ff04a3fbc0a80bc90a01013345000042\
            1b9240007e06643fc0a80bc9ac100463ee8b0031108de283845874cb501802016a0c0000ebce\
            000000000000000000000000000000000000000000000000",
        egress: "02000000000102000000000b08004500005600034000ff045d620a0909020a01013345000042\
            1b9240007e06643fc0a80bc9ac100463ee8b0031108de283845874cb501802016a0c0000ebce\
            000000000000000000000000000000000000000000000000",
    },
    Row {
        name: "CONTINUE",
        length: 63,
        input: "02000000000b02000000000108004500003f1b9340007f066341c0a80bc9ac100463ee8b0031\
            108de29d845874e75018020170da0000e4cd0000000000000000000000000000000000000000\
            00",
        client: "02000000000102000000000b08004500005300044000ff04a3fdc0a80bc90a0101334500003f\
            1b9340007e066441c0a80bc9ac100463ee8b0031108de29d845874e75018020170da0000e4cd\
            000000000000000000000000000000000000000000",
        egress: "02000000000102000000000b08004500005300044000ff045d640a0909020a0101334500003f\
            1b9340007e066441c0a80bc9ac100463ee8b0031108de29d845874e75018020170da0000e4cd\
            000000000000000000000000000000000000000000",
    },
    Row {
        name: "last ACK",
        length: 40,
        input: "02000000000b0200000000010800450000281b9440007f066357c0a80bc9ac100463ee8b0031\
            108de2b4845874fa50100201559d0000",
        client: "02000000000102000000000b08004500003c00054000ff04a413c0a80bc90a01013345000028\
            1b9440007e066457c0a80bc9ac100463ee8b0031108de2b4845874fa50100201559d0000",
        egress: "02000000000102000000000b08004500003c00054000ff045d7a0a0909020a01013345000028\
            1b9440007e066457c0a80bc9ac100463ee8b0031108de2b4845874fa50100201559d0000",
    },
    Row {
        name: "RST",
        length: 40,
        input: "02000000000b0200000000010800450000281b9540007f066356c0a80bc9ac100463ee8b0031\
            108de2b4845874fa50140000579a0000",
        client: "02000000000102000000000b08004500003c00064000ff04a412c0a80bc90a01013345000028\
            1b9540007e066456c0a80bc9ac100463ee8b0031108de2b4845874fa50140000579a0000",
        egress: "02000000000102000000000b08004500003c00064000ff045d790a0909020a01013345000028\
            1b9540007e066456c0a80bc9ac100463ee8b0031108de2b4845874fa50140000579a0000",
    },
];

#[test]
fn the_documents_six_packets_go_out_as_captured() {
    for outer_source in [OuterSource::Client, OuterSource::Egress] {
        let mut config = config();
        config.balancer.outer_source = outer_source;
        let mut bench = Bench::new(&config);
        let mut lengths = Vec::new();
        for row in &TABLE {
            assert_eq!(bench.feed(&hex(row.input)), Outcome::Forwarded, "{}", row.name);
            let expected = match outer_source {
                OuterSource::Client => row.client,
                OuterSource::Egress => row.egress,
            };
            let sent = bench.take_one();
            assert_eq!(sent, hex(expected), "{}: {sent:02x?}", row.name);
            lengths.push((row.length, sent.len() - 14));
        }
        assert_eq!(lengths, [(52, 72), (40, 60), (66, 86), (63, 83), (40, 60), (40, 60)]);
        let counters = bench.counters();
        assert_eq!(counters.outcomes["forwarded"].packets, 6);
        assert_eq!(counters.outcomes["forwarded"].bytes, 301 + 6 * 14);
        assert_eq!(counters.virtual_servers["tcp"].received.bytes, 301);
        let member = counters.members["pool"]["10.1.1.51:49"];
        assert_eq!((member.sent.packets, member.sent.bytes), (6, 301));
        assert_eq!((member.flows_opened, member.flows), (1, 0));
        assert_eq!((counters.flows.opened, counters.flows.closed_by_reset), (1, 1));
    }
}
