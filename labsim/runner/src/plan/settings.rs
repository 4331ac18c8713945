//! A load balancer's settings as lines, for people to read and for comparisons of runs.

use labsim_model::{LoadBalancer, Member, Pool, VirtualServer};
use serde_json::{Map, Value, to_value};

/// A line for each virtual server, pool and member, and for the rest; each with the settings that are not
/// the defaults, as YAML in one line. Without secrets.
pub(super) fn lines(balancer: &LoadBalancer) -> Vec<String> {
    let LoadBalancer { virtual_servers, pools, .. } = balancer;
    let rest = LoadBalancer {
        virtual_servers: virtual_servers.clone(),
        pools: pools.clone(),
        ..LoadBalancer::default()
    };
    let mut lines = Vec::new();
    let mut add = |name: String, settings: Map<String, Value>| {
        lines.push(match settings.is_empty() {
            true => name,
            false => format!("{name}: {}", flow(&Value::Object(settings))),
        });
    };
    for (name, server) in virtual_servers {
        let VirtualServer { destination, ip_protocol, pool, .. } = server;
        let default = VirtualServer {
            ip_protocol: *ip_protocol,
            ..VirtualServer::new(destination.clone(), pool.clone())
        };
        let name =
            format!("virtual server {name} at {destination} {} to pool {pool}", ip_protocol.word());
        add(name, changed([to_value(server), to_value(default)]));
    }
    for (name, pool) in pools {
        let mut own = Pool { members: Vec::new(), ..pool.clone() };
        if let Some(monitor) = &mut own.monitor {
            monitor.secret = None;
        }
        add(format!("pool {name}"), changed([to_value(&own), to_value(Pool::default())]));
        for member in &pool.members {
            let address = member.address;
            add(
                format!("member {address} of pool {name}"),
                changed([to_value(member), to_value(Member::from(address))]),
            );
        }
    }
    let rest = changed([to_value(balancer), to_value(rest)]);
    if !rest.is_empty() {
        add("load balancer".to_owned(), rest);
    }
    lines
}

/// The settings of the first that are not as in the second, the defaults.
fn changed(both: [serde_json::Result<Value>; 2]) -> Map<String, Value> {
    let [own, default] = both.map(Result::unwrap_or_default);
    let Value::Object(mut own) = own else { return Map::new() };
    own.retain(|key, value| default.get(key) != Some(value));
    own
}

/// A value in one line, as in a file: `{ratio: 2, profile: {gre: {key: 7}}}`.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key}: {}", flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => {
            format!("[{}]", values.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_default_stands_in_its_line_and_no_secret_does() {
        let text = r#"{
            "outer_source": "egress",
            "virtual_servers": {"vs": {"destination": "172.16.4.99:49", "pool": "p", "translate_address": true}},
            "pools": {"p": {
                "profile": "ipip",
                "monitor": {"tacacs": {"secret": "sesame"}},
                "members": [{"address": "10.1.1.51:49"}, {"address": "10.1.1.52:49", "ratio": 0}]
            }}
        }"#;
        let balancer: LoadBalancer = serde_json::from_str(text).unwrap();
        let lines = lines(&balancer);
        let expected = [
            "virtual server vs at 172.16.4.99:49 tcp to pool p: {translate_address: true}",
            "pool p: {monitor: {tacacs: ",
            "member 10.1.1.51:49 of pool p",
            "member 10.1.1.52:49 of pool p: {ratio: 0}",
            "load balancer: {outer_source: egress}",
        ];
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
        for (line, beginning) in lines.iter().zip(expected) {
            assert!(line.starts_with(beginning), "{line} does not begin with {beginning}");
            assert!(!line.contains("sesame"), "{line}");
        }
    }
}
