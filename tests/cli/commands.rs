//! Commands that need no lab: help, files out of the binary, the manual.

use crate::support::Desk;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn the_former_flag_of_the_control_socket_is_refused_and_the_new_one_is_named() {
    let desk = Desk::new();
    let ended = desk.labsim(&["forwarder", "ctl", "--socket", "@lb", "status"]).exits(2);
    assert!(ended.stderr.contains("--socket"), "{}", ended.stderr);
    assert!(ended.stderr.contains("similar argument exists: '--control'"), "{}", ended.stderr);
    let help = desk.labsim(&["forwarder", "ctl", "--help"]).exits(0).stdout;
    assert!(help.contains("--control <@NAME|PATH>") && !help.contains("--socket"), "{help}");
}

/// A run's log, and its standard output without figures.
fn run_with(args: &[&str], directives: Option<&str>) -> (String, String) {
    let desk = Desk::new();
    let mut command = desk.command(&["run", "scenarios/tacacs-ipip.yaml"]);
    command.args(args).env_remove("RUST_LOG");
    if let Some(directives) = directives {
        command.env("RUST_LOG", directives);
    }
    let ended = crate::support::Ended::of(command.output()).exits(0);
    ended.says("PASS tacacs-ipip").says("1 passed, 0 failed, 0 skipped");
    // Servers, ports and times differ from run to run.
    let parts = ended.stdout.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty());
    let stdout = parts.filter(|part| *part != ".").collect::<Vec<_>>().join("#");
    (ended.stderr, stdout)
}

#[test]
fn a_log_goes_to_standard_error_alone_and_has_the_forwarders_records() {
    let (silent, stdout) = run_with(&[], None);
    assert_eq!(silent, "");
    let (debug, same) = run_with(&[], Some("debug"));
    assert_eq!(same, stdout);
    let (debug_by_option, everything) = run_with(&["-vv"], None);
    assert!(debug_by_option.contains("DEBUG") && !everything.contains("DEBUG"), "{everything}");
    assert!(everything.contains("✓ the login passed"), "{everything}");
    for expected in
        ["DEBUG", "file=scenarios/tacacs-ipip.yaml", "labsim: configuration read", "node=\"lb\""]
    {
        assert!(debug.contains(expected), "`{expected}` is missing in {debug}");
    }
    assert!(!debug.contains('\u{1b}'), "colours without a terminal: {debug}");
    assert!(!debug.contains("indigo"), "the password is in the log");
}

#[test]
fn one_v_logs_no_debug_records_and_directives_win_over_it() {
    let (info, _) = run_with(&["-v"], None);
    assert!(info.contains(" INFO ") && !info.contains("DEBUG"), "{info}");
    assert_eq!(run_with(&["-vv"], Some("off")).0, "");
    let (chosen, _) = run_with(&[], Some("labsim=info"));
    let is_chosen = |line: &str| line.contains(" INFO ") && line.contains(" labsim");
    assert!(!chosen.is_empty() && chosen.lines().all(is_chosen), "{chosen}");
}

#[test]
fn a_json_log_is_one_object_a_line() {
    let (log, _) = run_with(&["-vv", "--log-format", "json"], None);
    let mut levels = std::collections::BTreeSet::new();
    for line in log.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(record["timestamp"].is_string() && record["target"].is_string(), "{line}");
        levels.insert(record["level"].as_str().unwrap().to_owned());
    }
    assert!(levels.contains("DEBUG") && levels.contains("INFO"), "{levels:?}");
}

#[test]
fn directives_that_are_not_valid_are_refused() {
    let desk = Desk::new();
    let mut command = desk.command(&["validate", "scenarios/tacacs-ipip.yaml"]);
    let ended = crate::support::Ended::of(command.env("RUST_LOG", "labsim=loud").output()).exits(2);
    assert!(ended.stderr.contains("RUST_LOG is not valid"), "{}", ended.stderr);
}

#[test]
fn help_prints_commands_codes_and_what_a_code_means() {
    let desk = Desk::new();
    desk.labsim(&["help"]).exits(0).says("Commands:").says("validate");
    desk.labsim(&["help", "run"]).exits(0).says("--tunnel").says("Tunnel decapsulator");
    desk.labsim(&["help", "forwarder", "ctl", "drain"]).exits(0).says("Drain a member");
    let code = desk.labsim(&["help", "unknown-key"]).exits(0);
    code.says("unknown-key\n\nA map holds a key").says("Evidence: ").says("Remedy: ");
    let codes = desk.labsim(&["help", "codes"]).exits(0).stdout;
    for code in labsim_codes::Code::all() {
        assert!(codes.lines().any(|line| line.split(' ').next() == Some(code.name())), "{code}");
        desk.labsim(&["help", code.name()]).exits(0).says(code.remedy());
    }
}

#[test]
fn an_unknown_topic_of_help_is_refused_with_similar_ones() {
    let desk = Desk::new();
    let ended = desk.labsim(&["help", "unknown-keys"]).exits(2);
    assert_eq!(ended.stdout, "");
    ended.says("unknown command or code `unknown-keys`; did you mean `unknown-key`");
    desk.labsim(&["help", "valdate"]).exits(2).says("did you mean `validate`");
    desk.labsim(&["help", "qqq"]).exits(2).says("`labsim help codes` the codes");
}

#[test]
fn a_shown_scenario_names_its_files_and_runs_in_the_place_of_the_original() {
    let desk = Desk::new();
    let shown = desk.labsim(&["show", "scenarios/ipv6/tacacs-6in4.yaml"]).exits(0).stdout;
    assert!(shown.starts_with("# scenarios/ipv6/tacacs-6in4.yaml, extends "), "{shown}");
    assert!(shown.contains("  # from parts/tacacs.yaml\n"), "{shown}");
    assert!(!shown.contains("\nextends:"), "{shown}");
    desk.write("scenarios/ipv6/shown.yaml", &shown);
    let again = desk.labsim(&["show", "scenarios/ipv6/shown.yaml"]).exits(0).stdout;
    let plain = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split("  # from").next().unwrap().to_owned()).collect()
    };
    assert_eq!(plain(&again), plain(&shown));
    desk.labsim(&["run", "scenarios/ipv6/shown.yaml"]).exits(0).says("PASS shown");
}

#[test]
fn every_shipped_scenario_means_the_same_when_it_is_shown() {
    let desk = Desk::new();
    let valid = desk.labsim(&["validate", "scenarios"]).exits(0).stdout;
    let files = valid.lines().filter_map(|line| line.strip_suffix(": a valid scenario"));
    for file in files {
        let plan = |file: &str| {
            let ended = desk.labsim(&["plan", file]).exits(0);
            ended.stdout
        };
        let shown = desk.labsim(&["show", file]).exits(0).stdout;
        let copy = file.replace(".yaml", "-shown.yaml");
        desk.write(&copy, &shown);
        desk.labsim(&["validate", &copy]).exits(0);
        assert_eq!(plan(&copy), plan(file), "{file}");
    }
}

#[test]
fn a_plan_names_nodes_links_addresses_and_settings_and_builds_nothing() {
    let desk = Desk::new();
    let plan = desk.labsim(&["plan", "scenarios/tacacs-ipip.yaml"]).exits(0).stdout;
    for expected in [
        "lab one-arm-routed\n",
        "node rs1\n",
        "tunnel tunl0 ipip mtu 1480 (in the kernel)",
        "address 172.16.4.99/32 dev lo scope host label lo:0",
        "node router (forwards)\n",
        "sysctl net.ipv4.conf.all.rp_filter = 2",
        "bridge ",
    ] {
        assert!(plan.contains(expected), "`{expected}` is missing in {plan}");
    }
    let args = ["plan", "scenarios/tacacs-ipip.yaml", "--tunnel", "userspace"];
    desk.labsim(&args).exits(0).says("(TUN with a decapsulator in user space)");
    desk.labsim(&["plan", "topologies/one-arm-routed.yaml"]).exits(0).says("node router");
}

#[test]
fn a_picture_of_a_lab_is_written_in_each_format_and_replaces_an_earlier_one() {
    let desk = Desk::new();
    let file = "scenarios/tacacs-ipip.yaml";
    let svg = desk.labsim(&["graph", file]).exits(0).stdout;
    for expected in ["<title id", "<desc id", "prefers-color-scheme:dark", "172.16.4.99 on lo"] {
        assert!(svg.contains(expected), "`{expected}` is missing in {svg}");
    }
    for (name, begin) in [
        ("x.svg", "<?xml"),
        ("x.dot", "graph "),
        ("x.mmd", "flowchart LR"),
        ("x.d2", "direction: "),
    ] {
        desk.write(name, "earlier");
        assert_eq!(desk.labsim(&["graph", file, "-o", name]).exits(0).stdout, "");
        let text = std::fs::read_to_string(desk.path(name)).unwrap();
        assert!(text.starts_with(begin) && text.contains("10.1.1.52"), "{text}");
    }
    assert_eq!(std::fs::read_to_string(desk.path("x.svg")).unwrap(), svg);
    desk.labsim(&["graph", file, "-o", "x.png"]).exits(2).says("names no format; end it with .svg");
    assert!(!desk.path("x.png").exists());
    let given = desk.labsim(&["graph", file, "-o", "x.png", "--format", "dot"]).exits(0);
    assert_eq!(given.stdout, "");
    desk.labsim(&["graph", file, "-o", "scenarios", "--format", "svg"])
        .exits(2)
        .says("it is a folder");
    let topology = desk.labsim(&["graph", "topologies/one-arm-routed.yaml", "--format", "dot"]);
    topology.exits(0).says("n0 [label=\"client\\nhost\\neth0 192.168.11.201/24\"];");
}

#[test]
fn files_with_errors_are_neither_shown_nor_planned_and_all_errors_are_printed() {
    let desk = Desk::new();
    desk.edit("scenarios/parts/tacacs.yaml", "ip_protocol: tcp", "ip_protocoll: tcp");
    desk.edit("topologies/one-arm-routed.yaml", "10.1.1.53/24", "10.1.1.52/24");
    for command in ["show", "plan", "graph"] {
        let ended = desk.labsim(&[command, "scenarios/tacacs-ipip.yaml"]).exits(2);
        assert_eq!(ended.stdout, "");
        ended.says("ip_protocoll").says("10.1.1.52/24");
        desk.labsim(&[command, "gone.yaml"]).exits(2).says("gone.yaml");
    }
}

#[test]
fn a_new_folder_gets_every_shipped_file_and_runs_without_the_repository() {
    let dir = tempfile::tempdir().unwrap();
    let labsim = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_labsim"));
        crate::support::Ended::of(command.args(args).current_dir(dir.path()).output())
    };
    labsim(&["init", "lab"]).exits(0).says("files written to lab");
    labsim(&["validate", "lab"]).exits(0);
    labsim(&["run", "lab/scenarios/tacacs-ipip.yaml"]).exits(0).says("PASS tacacs-ipip");
    let mut files = 0;
    for folder in
        ["topologies", "scenarios", "scenarios/parts", "scenarios/ipv6", "scenarios/exercises"]
    {
        for entry in std::fs::read_dir(crate::support::shipped().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let name = path.file_name().unwrap().to_str().unwrap();
            let written = dir.path().join("lab").join(folder).join(name);
            let text = std::fs::read_to_string(&written).unwrap();
            let original = std::fs::read_to_string(&path).unwrap();
            assert_eq!(
                text.lines().skip(1).collect::<Vec<_>>(),
                original.lines().skip(1).collect::<Vec<_>>()
            );
            let line = text.lines().next().unwrap();
            let schema = line.strip_prefix("# yaml-language-server: $schema=").expect(line);
            let schema = written.parent().unwrap().join(schema);
            let schema = std::fs::read_to_string(&schema).unwrap();
            let _: serde_json::Value = serde_json::from_str(&schema).unwrap();
            files += 1;
        }
    }
    assert!(files > 60, "{files}");
}

#[test]
fn a_new_folder_overwrites_nothing_and_writes_through_no_link() {
    let desk = Desk::new();
    desk.labsim(&["init", "."]).exits(2).says("./topologies/one-arm-routed.yaml: exists already");
    assert!(!desk.path("schema").exists(), "half of the files are written");
    std::fs::create_dir_all(desk.path("lab/scenarios")).unwrap();
    std::fs::create_dir(desk.path("elsewhere")).unwrap();
    desk.write("lab/scenarios/snat.yaml", "mine");
    symlink(desk.path("elsewhere"), desk.path("lab/topologies")).unwrap();
    symlink(desk.path("elsewhere/x"), desk.path("lab/scenarios/ratio.yaml")).unwrap();
    let ended = desk.labsim(&["init", "lab"]).exits(2);
    ended.says("lab/scenarios/snat.yaml: exists already");
    ended.says("lab/scenarios/ratio.yaml: exists already");
    ended.says("lab/topologies/one-segment.yaml: a folder of this path exists as a link");
    assert_eq!(std::fs::read_to_string(desk.path("lab/scenarios/snat.yaml")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(desk.path("elsewhere")).unwrap().count(), 0);
    assert!(!desk.path("lab/schema").exists(), "half of the files are written");
}

#[test]
fn a_fifo_in_place_of_a_file_is_refused_at_once() {
    let desk = Desk::new();
    nix::unistd::mkfifo(&desk.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::fs::create_dir_all(desk.path("results/s")).unwrap();
    let events = desk.path("results/s/events.jsonl");
    nix::unistd::mkfifo(&events, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for args in [
        &["import", "f5", "fifo", "--out", "lab"][..],
        &["export", "f5", "fifo"],
        &["run", "fifo"],
        &["validate", "fifo"],
        &["doctor", "fifo"],
        &["show", "fifo"],
        &["plan", "fifo"],
        &["compare", "fifo", "fifo"],
        &["compare", "results", "results"],
        &["forwarder", "--config", "fifo"],
        &["forwarder", "ctl", "reload", "fifo"],
    ] {
        let mut child = desk.command(args);
        child.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let deadline = Instant::now() + crate::support::DEADLINE;
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "{args:?} hangs: {:?}", child.kill());
            std::thread::sleep(Duration::from_millis(1));
        }
        let ended = crate::support::Ended::of(child.wait_with_output()).exits(2);
        assert!(!ended.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn man_pages_and_completions_know_every_command() {
    let desk = Desk::new();
    desk.labsim(&["man", "pages"]).exits(0);
    for name in ["labsim", "labsim-run", "labsim-forwarder", "labsim-forwarder-ctl-drain"] {
        let page = std::fs::read_to_string(desk.path(&format!("pages/{name}.1"))).unwrap();
        assert!(page.contains(".TH") && page.contains(".SH SYNOPSIS"), "{page}");
    }
    assert!(!desk.path("pages/labsim-manual.1").exists(), "a hidden command has a page");
    for shell in ["bash", "zsh", "fish"] {
        let script = desk.labsim(&["completions", shell]).exits(0).stdout;
        assert!(script.contains("validate") && script.contains("log-format"), "{shell}");
    }
}

/// Name and text of each page of the manual that labsim writes now.
fn manual() -> Vec<(String, String)> {
    let desk = Desk::new();
    desk.labsim(&["manual", "manual"]).exits(0);
    let entries = std::fs::read_dir(desk.path("manual")).unwrap().map(Result::unwrap);
    let page = |entry: std::fs::DirEntry| {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), text)
    };
    let mut pages: Vec<(String, String)> = entries.map(page).collect();
    pages.sort();
    pages
}

#[test]
fn the_checked_in_manual_is_the_one_that_labsim_writes() {
    for (name, text) in manual() {
        let path = crate::support::shipped().join("labsim/manual").join(&name);
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            text == checked_in,
            "labsim/manual/{name} is out of date; run: cargo run -- manual labsim/manual"
        );
    }
}

#[test]
fn every_key_of_the_manual_has_a_type_a_description_and_a_valid_example() {
    let is_of_keys = |name: &str| {
        ["topology.md", "scenario.md", "steps.md", "expectations.md", "forwarder.md"]
            .contains(&name)
    };
    let mut keys = 0;
    let mut files = std::collections::BTreeSet::new();
    for (page, text) in manual().into_iter().filter(|(name, _)| is_of_keys(name)) {
        for section in text.split("\n### ").skip(1) {
            let place = format!("{page}: {section}");
            let (key, rest) = section.trim_start_matches('`').split_once("`\n\n").expect(&place);
            assert!(!rest.starts_with("\n"), "no description: {place}");
            assert!(rest.contains("\n- Type: ") && !rest.contains("- Type: \n"), "{place}");
            let (_, example) = rest.split_once("```yaml\n# ").expect(&place);
            let (example, _) = example.split_once("\n```").expect(&place);
            let (origin, example) = example.split_once('\n').expect(&place);
            let (file, line) = origin.rsplit_once(':').expect(&place);
            let source = std::fs::read_to_string(crate::support::shipped().join(file)).unwrap();
            let line = source.lines().nth(line.parse::<usize>().unwrap() - 1).expect(&place);
            assert!(line.contains(&format!("{key}:")), "{place}");
            let source = labsim_yaml::Source::new("example", example);
            let document = labsim_yaml::Document::parse(source);
            assert_eq!(document.keys().collect::<Vec<_>>(), [key], "{place}");
            files.insert(file.to_owned());
            keys += 1;
        }
    }
    assert!(keys > 250, "{keys}");
    let desk = Desk::new();
    let shipped = crate::support::shipped();
    for file in files {
        // A part is valid together with what extends it, which `validate scenarios` reads.
        // The forwarder's is read by a test of the command.
        if !file.contains("/parts/") && !file.ends_with("/forwarder.yaml") {
            desk.labsim(&["validate", shipped.join(file).to_str().unwrap()]).exits(0);
        }
    }
}

#[test]
fn the_manuals_events_are_events_of_every_kind() {
    let path = crate::support::shipped().join("labsim/manual/examples/events.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for line in lines.lines() {
        let _: labsim_event::EventRecord = serde_json::from_str(line).expect(line);
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        kinds.insert(event["event"].as_str().unwrap().to_owned());
    }
    let schema: serde_json::Value = serde_json::from_str(&labsim_event::schema()).unwrap();
    for event in schema["oneOf"].as_array().unwrap() {
        let kind = event["properties"]["event"]["const"].as_str().unwrap();
        assert!(kinds.remove(kind), "no example of {kind}");
    }
    assert!(kinds.is_empty(), "unknown events: {kinds:?}");
}

#[test]
fn the_checked_in_schemas_are_those_that_labsim_prints() {
    let desk = Desk::new();
    for (format, folder) in [
        ("topology", "scenario"),
        ("scenario", "scenario"),
        ("forwarder", "model"),
        ("events", "event"),
    ] {
        let name = format!("labsim/{folder}/schema/{format}.json");
        let checked_in = std::fs::read_to_string(crate::support::shipped().join(&name)).unwrap();
        let printed = desk.labsim(&["schema", format]).exits(0).stdout;
        assert!(printed == checked_in, "run: cargo run -- schema {format} > {name}");
    }
}

#[test]
fn the_manual_lists_every_outcome_code_and_exit_code() {
    let pages = manual();
    let page = |name: &str| &pages.iter().find(|(it, _)| it == name).unwrap().1;
    for outcome in labsim_forwarder::Outcome::ALL {
        assert!(page("outcomes.md").contains(&format!("| `{outcome}` |")), "{outcome}");
    }
    for counter in ["`flows.timed_out`", "`labsim_forwarder_member_ratio`"] {
        assert!(page("outcomes.md").contains(counter), "{counter}");
    }
    for code in labsim_codes::Code::all() {
        assert!(
            page("codes.md").contains(&format!("\n## `{code}`\n\n{}", code.meaning())),
            "{code}"
        );
    }
    for code in [0, 1, 2, 3, 130] {
        assert!(page("exit-codes.md").contains(&format!("| {code} | ")), "{code}");
    }
}
