//! The profile for Wireshark. What Wireshark makes of it is looked at by `ci/wireshark`.

use crate::support::Desk;
use std::os::unix::fs::symlink;

#[test]
fn a_wireshark_profile_has_columns_and_a_colour_for_each_node_and_no_false_retransmission() {
    let desk = Desk::new();
    let of = ["--of", "scenarios/tacacs-ipip.yaml"];
    let args = ["wireshark-profile", "profiles/lab", of[0], of[1]];
    desk.labsim(&args).exits(0).says("colours for 6 nodes").says("wireshark -C lab ");
    let read = |name: &str| std::fs::read_to_string(desk.path("profiles/lab").join(name)).unwrap();
    let preferences = read("preferences");
    for line in ["gui.column.format: ", "tcp.analyze_sequence_numbers: FALSE"] {
        assert!(preferences.lines().any(|one| one == line), "`{line}` is missing in {preferences}");
    }
    assert!(!preferences.contains("tacacs-test"), "a secret that was not asked for: {preferences}");
    let rules = read("colorfilters");
    for node in ["client", "router", "lb", "rs1", "rs2", "rs3"] {
        assert!(rules.contains(&format!("\n@{node}@frame.interface_name[0:")), "{node}: {rules}");
    }
}

#[test]
fn the_own_profile_of_wireshark_is_found_by_its_variables() {
    let desk = Desk::new();
    let write = |variables: [(&str, &str); 3]| {
        let mut command = desk.command(&["wireshark-profile"]);
        command.envs(variables.map(|(name, folder)| (name, desk.path(folder))));
        for (name, folder) in variables {
            if folder.is_empty() {
                command.env_remove(name);
            }
        }
        crate::support::Ended::of(command.output())
    };
    let names = ["WIRESHARK_CONFIG_DIR", "XDG_CONFIG_HOME", "HOME"];
    for (folders, profile) in [
        (["a", "b", "c"], "a/profiles/labsim"),
        (["", "b", "c"], "b/wireshark/profiles/labsim"),
        (["", "", "c"], "c/.config/wireshark/profiles/labsim"),
    ] {
        let variables = std::array::from_fn(|at| (names[at], folders[at]));
        write(variables).exits(0).says("no colours");
        assert!(desk.path(profile).join("preferences").exists(), "{profile}");
    }
    write(std::array::from_fn(|at| (names[at], ""))).exits(2).says("name the profile's folder");
}

#[test]
fn an_earlier_wireshark_profile_is_replaced_only_on_demand_and_no_link_is_followed() {
    let desk = Desk::new();
    let args = ["wireshark-profile", "mine"];
    desk.write("target", "kept");
    std::fs::create_dir(desk.path("mine")).unwrap();
    symlink(desk.path("target"), desk.path("mine/colorfilters")).unwrap();
    desk.labsim(&args).exits(2).says("mine/colorfilters exists already").says("--force");
    assert!(!desk.path("mine/preferences").exists(), "half a profile was written");
    desk.labsim(&[args[0], args[1], "--force"]).exits(0);
    assert!(std::fs::symlink_metadata(desk.path("mine/colorfilters")).unwrap().is_file());
    assert_eq!(std::fs::read_to_string(desk.path("target")).unwrap(), "kept");
}

#[test]
fn secrets_are_in_a_wireshark_profile_on_demand_alone_and_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    let with = |of: &str| {
        desk.labsim(&["wireshark-profile", "p", "--of", of, "--with-secrets", "--force"])
    };
    with("scenarios/tacacs-ipip.yaml").exits(0);
    let path = desk.path("p/preferences");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\ntacplus.key: tacacs-test\n"), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    with("scenarios/radius-ipip.yaml").exits(0);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\nradius.shared_secret: radius-test\n"), "{text}");
    // Wireshark leaves blanks around a value out.
    let yaml = "tacacs_servers: {aaa: {secret: \" a\"}}\n";
    with(&desk.over("blank", "tacacs-ipip", yaml)).exits(2).says("begins or ends with a blank");
    let yaml = "tacacs_servers: {other: {nodes: [client], secret: other, clients: [10.0.0.1], users: {a: b}}}\n";
    with(&desk.over("two", "tacacs-ipip", yaml)).exits(2).says("different secrets");
    with("scenarios").exits(2).says("results hold no secrets");
}
