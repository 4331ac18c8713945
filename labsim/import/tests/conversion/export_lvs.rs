//! What is exported to IPVS and keepalived comes back as it was, and what they cannot say is listed.

use crate::common::{imported, lb, load, scenarios, shipped, with_load_balancers};
use labsim_import::export::{self, Exported};
use labsim_import::{Imported, ipvs, keepalived};
use labsim_model::Destination;
use labsim_scenario::model::{
    LoadBalancer, Persistence, Profile, Scenario, SourceTranslation, VirtualServer,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A file's name, the export that writes it, and the importer that reads it.
type Format = (&'static str, fn(&Scenario) -> Exported, crate::common::Import);

const FORMATS: [Format; 2] = [
    ("ipvs.txt", |scenario| export::ipvs(lb(scenario)), ipvs::import),
    ("keepalived.conf", |scenario| export::keepalived(scenario, lb(scenario)), keepalived::import),
];

fn there_and_back(scenario: &Scenario, (name, export, import): Format) -> (Exported, Imported) {
    let exported = export(scenario);
    let imported = imported(import, name, &exported.text);
    (exported, imported)
}

/// With the names that the importers give, and all that IPVS does of its own accord.
const LVS: &str = "  lb:
    outer_source: egress
    virtual_servers:
      vs_172.16.4.99_49_tcp: {destination: 172.16.4.99:49, pool: p_172.16.4.99_49_tcp, translate_port: false, fastl4: {idle_timeout: 900, loose_close: true, reset_on_timeout: false}, persistence: {source_address: {timeout: 7, prefix_length: 25}}}
      vs_172.16.4.98_any_tcp: {destination: 172.16.4.98:any, pool: p_172.16.4.98_any_tcp, translate_port: false, fastl4: {idle_timeout: 900, loose_close: true, reset_on_timeout: false}, persistence: {source_address: {timeout: 86400}}}
      vs_172.16.4.99_1812_udp: {destination: 172.16.4.99:1812, ip_protocol: udp, pool: p_172.16.4.99_1812_udp, translate_port: false, fastl4: {idle_timeout: 60, loose_close: true, reset_on_timeout: false}, datagram_load_balancing: true}
    pools:
      p_172.16.4.99_49_tcp: {profile: {gre: {checksum: true}}, load_balancing_mode: MODE, members: [10.1.1.53:49, {address: 10.1.1.52:49, ratio: 0, profile: {gue: {port: 6081}}}, {address: 10.1.1.51:49, ratio: 65535, profile: gre}]}
      p_172.16.4.98_any_tcp: {profile: gue, members: [10.1.1.51:49]}
      p_172.16.4.99_1812_udp: {profile: ipip, load_balancing_mode: ratio, members: [{address: 10.1.1.51:1812, ratio: 3}]}
";

#[test]
fn what_ipvs_can_say_comes_back_as_it_was() {
    for mode in [
        "round_robin",
        "ratio",
        "least_connections",
        "ratio_least_connections",
        "{maglev: {hash: source_address}}",
        "{maglev: {hash: five_tuple}}",
    ] {
        let before = with_load_balancers(&LVS.replace("MODE", mode));
        for format in FORMATS {
            let (exported, imported) = there_and_back(&before, format);
            assert_eq!(exported.not_exported, [], "{}", exported.text);
            assert_eq!(imported.not_imported, [], "{}", exported.text);
            let after = load(&imported);
            // A pool of every port has the port that its clients use.
            let mut expected = lb(&before).clone();
            let pool = expected.pools.get_mut("p_172.16.4.98_any_tcp").unwrap();
            pool.members[0].address.set_port(49);
            assert_eq!(lb(&after), &expected, "{}", exported.text);
        }
    }
}

#[test]
fn rules_are_written_as_ipvsadm_saves_them() {
    let scenario = with_load_balancers(&LVS.replace("MODE", "{maglev: {hash: five_tuple}}"));
    assert_eq!(
        export::ipvs(lb(&scenario)).text,
        "--set 900 0 60
-A -t 172.16.4.98:0 -s rr -p 86400
-a -t 172.16.4.98:0 -r 10.1.1.51:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-A -t 172.16.4.99:49 -s mh -p 7 -M 255.255.255.128 -b mh-port
-a -t 172.16.4.99:49 -r 10.1.1.53:49 -i -w 1 --tun-type gre --tun-csum
-a -t 172.16.4.99:49 -r 10.1.1.52:49 -i -w 0 --tun-type gue --tun-port 6081 --tun-nocsum
-a -t 172.16.4.99:49 -r 10.1.1.51:49 -i -w 65535 --tun-type gre --tun-nocsum
-A -u 172.16.4.99:1812 -s wrr --ops
-a -u 172.16.4.99:1812 -r 10.1.1.51:1812 -i -w 3
"
    );
}

#[test]
fn monitors_are_written_for_keepalived_and_come_back() {
    for (monitor, back) in [
        ("tcp", true),
        ("icmp", true),
        ("{tcp: {interval: 1500ms, timeout: 250ms, fall: 1}}", true),
        ("{icmp: {interval: 100s, timeout: 7s, fall: 1000}}", true),
        ("{tcp: {rise: 2}}", false),
        ("{tcp: {transparent: true}}", false),
        ("{tacacs: {secret: s3cret}}", false),
    ] {
        let before = with_load_balancers(&format!(
            "  lb: {{virtual_servers: {{vs: {{destination: 172.16.4.99:49, pool: p}}}}, pools: \
             {{p: {{monitor: {monitor}, members: [10.1.1.51:49]}}}}}}\n"
        ));
        let exported = export::keepalived(&before, lb(&before));
        let about = |one: &&export::NotExported| one.what.starts_with("pool p: monitor");
        let listed = exported.not_exported.iter().filter(about).count();
        assert_eq!(listed, usize::from(!back), "{:?}", exported.not_exported);
        let after = load(&imported(keepalived::import, "k.conf", &exported.text));
        let pools =
            |scenario: &Scenario| lb(scenario).pools.values().next().unwrap().monitor.clone();
        assert_eq!(pools(&after) == pools(&before), back, "{}", exported.text);
        assert!(!exported.text.contains("s3cret"));
        // IPVS has none, and says so.
        let rules = export::ipvs(lb(&before));
        assert_eq!(rules.not_exported.iter().filter(about).count(), 1);
        assert!(!rules.text.contains('#'), "ipvsadm -R takes no comments: {}", rules.text);
    }
}

#[test]
fn a_monitor_at_a_port_where_nothing_listens_is_written_and_not_imported() {
    let before = with_load_balancers(
        "  lb: {virtual_servers: {vs: {destination: 172.16.4.99:49, pool: p}}, pools: {p: {monitor: \
         {tcp: {port: 80}}, members: [10.1.1.51:49]}}}\n",
    );
    let exported = export::keepalived(&before, lb(&before));
    assert!(exported.text.contains("            connect_port 80\n"), "{}", exported.text);
    let imported = imported(keepalived::import, "k.conf", &exported.text);
    assert_eq!(lb(&load(&imported)).pools.values().next().unwrap().monitor, None);
    let why = &imported.not_imported[0].why;
    assert!(why.contains("do not listen at TCP port 80"), "{why}");
}

#[test]
fn what_ipvs_cannot_say_is_listed_with_its_reason() {
    let scenario = with_load_balancers(
        "  lb:
    announcements: {count: 3, interval: 1s}
    faults: [no_size_check]
    virtual_servers:
      any: {destination: 172.16.4.97:any, pool: p}
      snat: {destination: 172.16.4.96:49, pool: p, source_address_translation: automap}
      dnat: {destination: 172.16.4.95:49, pool: p, translate_address: true, source_address_translation: {snat: [172.16.0.98]}}
      vs: {destination: 172.16.4.99:49, pool: q, fastl4: {loose_initiation: true, idle_timeout: 7}}
    pools:
      p: {members: [10.1.1.51:49, {address: 10.1.1.52:49, profile: ipip}]}
      q:
        profile: {gre: {key: 7}}
        load_balancing_mode: {maglev: {table_size: 251}}
        members: [10.1.1.51:50, 10.1.1.51:51, {address: 10.1.1.52:49, state: disabled, profile: {gue: {variant: 1}}}, {address: 10.1.1.53:49, state: forced_offline}]
      unused: {members: [10.1.1.53:49]}
",
    );
    let exported = export::ipvs(lb(&scenario));
    let whats: Vec<&str> = exported.not_exported.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(
        whats,
        [
            "outer_source: client",
            "announcements",
            "faults: no_size_check",
            "pool unused",
            "virtual server any",
            "virtual server dnat: source_address_translation",
            "virtual server dnat: fastl4: loose_initiation false",
            "virtual server dnat: fastl4: loose_close false",
            "virtual server dnat: fastl4: reset_on_timeout",
            "virtual server dnat: member 10.1.1.52:49",
            "virtual server snat",
            "virtual server vs: fastl4: loose_initiation",
            "virtual server vs: fastl4: loose_close false",
            "virtual server vs: fastl4: reset_on_timeout",
            "virtual server vs: fastl4: idle_timeout 7",
            "virtual server vs: maglev: table_size 251",
            "virtual server vs: member 10.1.1.51:50: gre: key 7",
            "virtual server vs: member 10.1.1.51:50",
            "virtual server vs: member 10.1.1.51:51: gre: key 7",
            "virtual server vs: member 10.1.1.51:51",
            "virtual server vs: member 10.1.1.51:51",
            "virtual server vs: member 10.1.1.52:49: gue: variant 1",
            "virtual server vs: member 10.1.1.52:49: state disabled",
            "virtual server vs: member 10.1.1.53:49: gre: key 7",
            "virtual server vs: member 10.1.1.53:49: state forced_offline",
        ]
    );
    assert_eq!(
        exported.text,
        "--set 300 0 300
-A -t 172.16.4.95:49 -s rr
-a -t 172.16.4.95:49 -r 10.1.1.51:49 -m -w 1
-A -t 172.16.4.99:49 -s mh -b mh-port
-a -t 172.16.4.99:49 -r 10.1.1.51:49 -i -w 1 --tun-type gre --tun-nocsum
-a -t 172.16.4.99:49 -r 10.1.1.52:49 -i -w 0 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 172.16.4.99:49 -r 10.1.1.53:49 -i -w 0 --tun-type gre --tun-nocsum
"
    );
    // The same in keepalived.conf, in comments.
    let conf = export::keepalived(&scenario, lb(&scenario));
    assert_eq!(conf.not_exported, exported.not_exported);
    for one in &conf.not_exported {
        assert!(conf.text.contains(&format!("! not exported: {one}\n")), "{one}: {}", conf.text);
    }
}

/// What a virtual server does with a packet, as far as IPVS can say it.
type Service = (Destination, &'static str, bool, String, String, Vec<(SocketAddr, u16, Profile)>);

fn services(balancer: &LoadBalancer) -> BTreeMap<String, Service> {
    let service = |(name, one): (&String, &VirtualServer)| {
        let VirtualServer { destination, ip_protocol, translate_address, persistence, .. } = one;
        let pool = &balancer.pools[&one.pool];
        let members = pool.members.iter().map(|member| {
            let weight = if member.state.is_enabled() { member.ratio } else { 0 };
            let profile = match pool.profile_of(member) {
                Profile::Gre(mut options) => {
                    options.key = None;
                    Profile::Gre(options)
                }
                profile => profile,
            };
            let mut address = member.address;
            if !one.translate_port {
                address.set_port(destination.port().unwrap_or(0));
            }
            (address, weight, profile)
        });
        let mode = format!("{:?}", pool.load_balancing_mode);
        let persistence = format!("{persistence:?}");
        let translates = *translate_address;
        let protocol = ip_protocol.word();
        let members = members.collect();
        (name.clone(), (destination.clone(), protocol, translates, persistence, mode, members))
    };
    balancer.virtual_servers.iter().map(service).collect()
}

#[test]
fn each_shipped_load_balancer_comes_back_or_says_what_is_not_in_it() {
    let mut compared = 0;
    let files = [scenarios(), scenarios().join("faults"), scenarios().join("translation")];
    let files = files.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let mut paths: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    for path in paths {
        let before = crate::common::read(&path);
        if before.load_balancers.is_empty() {
            continue;
        }
        let wanted = services(lb(&before));
        for (name, export, import) in FORMATS {
            let exported = export(&before);
            let is_left_out = |name: &str| {
                let what = format!("virtual server {name}");
                exported.not_exported.iter().any(|one| one.what == what)
            };
            let wanted: Vec<(&String, &Service)> =
                wanted.iter().filter(|(name, one)| !is_left_out(name) && one.0.is_ipv4()).collect();
            if wanted.is_empty() {
                continue;
            }
            let after = load(&imported(import, name, &exported.text));
            let found: Vec<Service> = services(lb(&after)).into_values().collect();
            for (name, one) in wanted {
                // What is said of a member is said there.
                let about = format!("virtual server {name}: member");
                if exported.not_exported.iter().any(|it| it.what.starts_with(&about)) {
                    assert!(found.iter().any(|it| (&it.0, it.1) == (&one.0, one.1)));
                    continue;
                }
                assert!(found.contains(one), "{}: {one:?}\n{}", path.display(), exported.text);
                compared += 1;
            }
        }
    }
    assert!(compared > 60, "{compared}");
}

#[test]
fn masquerading_and_persistence_survive() {
    let before = shipped("snat.yaml");
    for format in FORMATS {
        let (exported, imported) = there_and_back(&before, format);
        let server = lb(&load(&imported)).virtual_servers.values().next().cloned().unwrap();
        assert!(server.translate_address, "{}", exported.text);
        assert_eq!(server.source_address_translation, SourceTranslation::Automap);
        assert_eq!(server.persistence, Persistence::None);
    }
}
