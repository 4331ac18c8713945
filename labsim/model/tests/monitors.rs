//! Monitors in a configuration: what can be written, what is refused and with which words.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used)]

use labsim_model::{ActionOnDown, ForwarderConfig as Config, Monitor, MonitorKind, Pool};
use std::time::Duration;

fn pool(monitor: &str) -> Result<Pool, labsim_yaml::Diagnostics> {
    labsim_yaml::read(&labsim_yaml::Source::new(
        "test",
        format!(r#"{{"members":["10.1.1.51:49"],"monitor":{monitor}}}"#),
    ))
}

const SERVER: &str = r#""destination":"172.16.4.99:49","translate_address":false"#;

fn config(pool: &str, server: &str) -> Config {
    let members = match pool.contains("members") {
        true => "",
        false => r#""members":["10.1.1.51:49","10.1.1.52:49"],"#,
    };
    let text = format!(
        r#"{{"interface":"eth0","virtual_servers":{{"vs":{{"pool":"p",{server}}}}},
            "pools":{{"p":{{{members}{pool}}}}}}}"#
    );
    labsim_yaml::read(&labsim_yaml::Source::new("test", text.as_str())).unwrap()
}

#[test]
fn a_word_has_the_defaults_and_a_map_the_rest() {
    let plain = |kind| Monitor {
        kind,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
        rise: 1,
        fall: 3,
        transparent: false,
        port: None,
        secret: None,
    };
    assert_eq!(pool(r#""none""#).unwrap().monitor, None);
    for (text, kind) in [
        (r#""tcp""#, MonitorKind::Tcp),
        (r#"{"tacacs":null}"#, MonitorKind::Tacacs),
        (r#"{"radius":{}}"#, MonitorKind::Radius),
        (r#""icmp""#, MonitorKind::Icmp),
    ] {
        let read = pool(text).unwrap();
        assert_eq!(read.monitor, Some(plain(kind)), "{text}");
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(
            labsim_yaml::read::<Pool>(&labsim_yaml::Source::new("test", written.as_str())).unwrap(),
            read,
            "{written}"
        );
    }
    let text = r#"{"tcp":{"interval":"200ms","rise":2,"fall":4,"transparent":true,"port":50}}"#;
    let expected = Monitor {
        interval: Duration::from_millis(200),
        timeout: Duration::from_millis(200),
        rise: 2,
        fall: 4,
        transparent: true,
        port: Some(50),
        ..plain(MonitorKind::Tcp)
    };
    assert_eq!(pool(text).unwrap().monitor, Some(expected), "its timeout is no longer than that");
}

#[test]
fn anything_else_is_refused_by_name() {
    for (text, named) in [
        (r#""ping""#, "ping"),
        (r#"{"none":{}}"#, "`none` takes no value"),
        (r#"{"tcp":{},"icmp":{}}"#, "icmp"),
        (r#"{"tcp":{},"tcp":{}}"#, "twice"),
        ("{}", "`tacacs`"),
        (r#"{"tcp":{"every":1}}"#, "every"),
        (r#"{"tcp":{"interval":"soon"}}"#, "`soon` is not a time"),
        ("7", "`tacacs`"),
    ] {
        let error = pool(text).unwrap_err().to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (pool, server, place, words) in [
        (r#""monitor":{"tcp":{"interval":"9ms"}}"#, "", ".tcp.interval", "10ms"),
        (r#""monitor":{"tcp":{"interval":86401}}"#, "", ".tcp.interval", "out of range"),
        (r#""monitor":{"tcp":{"timeout":6}}"#, "", ".tcp.timeout", "out of range"),
        (r#""monitor":{"tcp":{"timeout":0}}"#, "", ".tcp.timeout", "out of range"),
        (r#""monitor":{"tcp":{"rise":0}}"#, "", ".tcp.rise", "1 to 1000"),
        (r#""monitor":{"tcp":{"fall":1001}}"#, "", ".tcp.fall", "1 to 1000"),
        (r#""monitor":{"tcp":{"port":0}}"#, "", ".tcp.port", "port 0 does not exist"),
        (r#""monitor":{"icmp":{"port":7}}"#, "", ".icmp.port", "no ports"),
        (r#""monitor":"tacacs""#, "", ".tacacs.secret", "needs the servers' secret"),
        (r#""monitor":{"radius":{"secret":""}}"#, "", ".radius.secret", "1 to 255 bytes"),
        (r#""monitor":{"tcp":{"secret":"s3cr3t"}}"#, "", ".tcp.secret", "uses no secret"),
        (
            r#""monitor":{"tcp":{"transparent":true}}"#,
            r#""destination":"172.16.4.99:49","translate_address":true"#,
            ".tcp.transparent",
            "`vs` translates addresses",
        ),
        (
            r#""monitor":{"radius":{"transparent":true,"secret":"s"}}"#,
            "",
            ".radius.transparent",
            "no UDP virtual server",
        ),
        (
            r#""monitor":{"tcp":{"transparent":true}}"#,
            r#""destination":"172.16.4.99:any","translate_address":false"#,
            ".tcp.transparent",
            "takes every port",
        ),
        (
            r#""monitor":{"tcp":{"transparent":true}}"#,
            r#""destination":"172.16.4.99:80,443","translate_address":false"#,
            ".tcp.transparent",
            "takes several ports",
        ),
        (r#""action_on_down":"reset""#, "", "", "`action_on_down` needs a `monitor`"),
    ] {
        let config = config(pool, if server.is_empty() { SERVER } else { server });
        let problems: Vec<String> = config.check().iter().map(ToString::to_string).collect();
        let [problem] = problems.as_slice() else { panic!("{pool}: {problems:?}") };
        let place = match place {
            "" => "pools.p.action_on_down: ".to_owned(),
            place => format!("pools.p.monitor{place}: "),
        };
        assert!(problem.starts_with(&place) && problem.contains(words), "{pool}: {problem}");
    }
}

#[test]
fn a_member_without_a_port_is_probed_at_the_monitors() {
    let mut config = config(r#""monitor":"tcp""#, SERVER);
    config.balancer.pools.get_mut("p").unwrap().members[0].address.set_port(0);
    let problems = config.check();
    assert!(problems[0].to_string().contains("10.1.1.51 has no port"), "{problems:?}");
    config.balancer.pools.get_mut("p").unwrap().monitor.as_mut().unwrap().port = Some(50);
    assert_eq!(config.check(), []);
    let targets: Vec<_> =
        config.balancer.monitored_members().into_iter().flat_map(|it| it.targets).collect();
    assert_eq!(targets, ["10.1.1.51:50", "10.1.1.52:50"].map(|text| text.parse().unwrap()));
}

#[test]
fn a_transparent_monitor_probes_each_vip_of_its_pool_that_it_can_stand_for() {
    let text = r#"{"interface":"eth0","virtual_servers":{
        "a":{"destination":"172.16.4.99:49","pool":"p","translate_address":false},
        "b":{"destination":"172.16.4.98:49","pool":"p","translate_address":false},
        "c":{"destination":"172.16.4.99:1812","ip_protocol":"udp","pool":"p",
             "translate_address":false},
        "d":{"destination":"172.16.4.97:49","pool":"q","translate_address":false}},
        "pools":{"p":{"members":["10.1.1.51:49"],"monitor":{"KIND":{"transparent":true}}},
                 "q":{"members":["10.1.1.51:49"]}}}"#;
    for (kind, expected) in [
        ("tcp", vec!["172.16.4.98:49", "172.16.4.99:49"]),
        ("radius", vec!["172.16.4.99:1812"]),
        ("icmp", vec!["172.16.4.98:0", "172.16.4.99:0"]),
    ] {
        let config: Config =
            labsim_yaml::read(&labsim_yaml::Source::new("test", text.replace("KIND", kind)))
                .unwrap();
        let [watched] = &config.balancer.monitored_members()[..] else { panic!("{kind}") };
        let targets: Vec<String> = watched.targets.iter().map(ToString::to_string).collect();
        assert_eq!(
            (watched.pool, targets),
            ("p", expected.iter().map(|it| it.to_string()).collect())
        );
    }
}

#[test]
fn a_secret_is_written_into_the_configuration_and_shown_nowhere() {
    let config = config(r#""monitor":{"radius":{"secret":"s3cr3t"}}"#, SERVER);
    assert!(serde_json::to_string(&config).unwrap().contains("s3cr3t"));
    assert!(!format!("{config:?}").contains("s3cr3t"));
    let shown = serde_json::to_string(&config.clone().without_secrets()).unwrap();
    assert!(!shown.contains("s3cr3t"));
    assert!(
        labsim_yaml::read::<Config>(&labsim_yaml::Source::new("test", shown.as_str())).is_ok(),
        "and it can be read"
    );
    assert_eq!(config.balancer.pools["p"].action_on_down, ActionOnDown::None);
}
