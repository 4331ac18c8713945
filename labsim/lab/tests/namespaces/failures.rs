//! What cannot be built is named, with its remedy, and undone.

use crate::helpers::{ask, descriptors};
use crate::shape::{pair, route, scenario, sysctls, topology, userspace_mode};
use labsim_lab::{BuildError, Lab, LabPlan, SysctlError};

labsim_test_support::tests![
    an_address_twice_is_named_and_undone,
    an_unreachable_next_hop_is_named,
    an_unknown_sysctl_is_named,
    a_sysctl_that_the_kernel_refuses_is_named,
    a_sysctl_that_the_kernel_changes_is_named,
    an_ordinary_user_gets_a_user_namespace,
    roots_user_namespace_knows_everybody,
    a_limit_of_user_namespaces_is_named,
    a_read_only_proc_sys_is_named,
    a_read_only_proc_sys_is_made_writable_for_labsim_alone,
    a_missing_capability_is_named,
    too_few_descriptors_are_named_and_undone,
];

fn failure(plan: &LabPlan) -> BuildError {
    Lab::build(plan).map(drop).unwrap_err()
}

fn an_address_twice_is_named_and_undone() {
    let before = descriptors();
    let mut topology = topology();
    let interface = &mut topology.nodes[3].interfaces[0];
    interface.addresses.push(interface.addresses[0]);
    let error = failure(&LabPlan::of_topology(&topology));
    let text = error.to_string();
    assert!(text.starts_with("address 10.1.1.51/24 on rs1:eth0: File exists"), "{text}");
    assert_eq!(descriptors(), before);
}

fn an_unreachable_next_hop_is_named() {
    let mut topology = topology();
    topology.nodes[0].routes = vec![route("0.0.0.0/0", "10.9.9.9", "eth0")];
    let text = failure(&LabPlan::of_topology(&topology)).to_string();
    let expected = "route to 0.0.0.0/0 via 10.9.9.9 on client:eth0: Network is unreachable";
    assert!(text.starts_with(expected), "{text}");
}

fn sysctl_failure(key: &str, value: &str) -> SysctlError {
    let mut topology = pair();
    topology.nodes[1].sysctls = sysctls(&[(key, value)]);
    match failure(&LabPlan::of_topology(&topology)) {
        BuildError::Sysctl { place, node, source } => {
            assert_eq!((node.as_str(), place.map(|it| it.line)), ("b", Some(3)));
            source
        }
        other => panic!("{other}"),
    }
}

fn an_unknown_sysctl_is_named() {
    let error = sysctl_failure("net.ipv4.conf.eth0.rp_fliter", "2");
    assert!(matches!(error, SysctlError::Unknown { .. }), "{error}");
    let error = sysctl_failure("net.ipv4.conf.eth7.rp_filter", "2");
    assert!(error.to_string().contains("net.ipv4.conf.eth7.rp_filter"), "{error}");
}

fn a_sysctl_that_the_kernel_refuses_is_named() {
    let error = sysctl_failure("net.ipv4.ip_default_ttl", "1000");
    assert!(matches!(error, SysctlError::Refused { .. }), "{error}");
}

fn a_sysctl_that_the_kernel_changes_is_named() {
    // The kernel takes a leading zero for octal.
    let error = sysctl_failure("net.ipv4.ip_default_ttl", "0100");
    assert_eq!(
        error.to_string(),
        "sysctl net.ipv4.ip_default_ttl: set to 0100, but the kernel reads back 64"
    );
}

fn an_ordinary_user_gets_a_user_namespace() {
    assert_eq!(ask("ordinary user"), "user namespace");
}

fn roots_user_namespace_knows_everybody() {
    assert_eq!(ask("root without the network's capabilities"), "user namespace");
}

fn a_limit_of_user_namespaces_is_named() {
    let text = ask("no user namespaces");
    assert!(text.contains("user.max_user_namespaces = 0"), "{text}");
    assert!(text.contains("sysctl -w user.max_user_namespaces"), "{text}");
}

fn a_read_only_proc_sys_is_named() {
    let text = ask("read-only sysctls");
    assert!(text.contains("/proc/sys is read-only"), "{text}");
    assert!(text.contains("`--cap-add SYS_ADMIN`"), "{text}");
    assert!(text.contains("systempaths=unconfined"), "{text}");
}

fn a_read_only_proc_sys_is_made_writable_for_labsim_alone() {
    let text = ask("sysctls read-only from the start");
    assert_eq!(text, "true; the neighbour's: ro, labsim's: rw");
}

fn a_missing_capability_is_named() {
    let text = ask("no capability");
    assert!(text.contains("CAP_SYS_ADMIN is missing"), "{text}");
}

fn too_few_descriptors_are_named_and_undone() {
    let text = ask("few descriptors");
    assert!(text.contains("ulimit -n"), "{text}");
    drop(Lab::build(&LabPlan::of(&scenario(), userspace_mode())).unwrap());
}
