//! tmsh text as people paste it: with prompts, commands, pagers' lines and fences between.

use crate::common::{load, places, with};
use labsim_import::{Imported, Source, f5};

fn import(text: &str) -> Result<Imported, String> {
    f5::import(&[Source::new("x.conf", text)]).map_err(|diagnostics| diagnostics.to_string())
}

fn imported(text: &str) -> Imported {
    import(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// The scenario without places in the file.
fn scenario(imported: &Imported) -> String {
    load(imported);
    let lines = imported.scenario.lines();
    lines.map(|line| line.split(" # x.conf:").next().unwrap()).collect::<Vec<_>>().join("\n")
}

fn left_out(imported: &Imported) -> Vec<String> {
    imported.left_out.iter().map(|left| format!("{}: {}", left.line, left.kind)).collect()
}

const OUTSIDE: &str = "prompt, command or text outside of stanzas";

#[test]
fn what_stands_between_stanzas_spoils_nothing() {
    let plain = imported(&with(""));
    for (between, kinds) in [
        ("list ltm virtual site/vs\n", &[OUTSIDE][..]),
        (
            "user@(lb1)(cfg-sync Standalone)(Active)(/Common)(tmos)# list ltm virtual vs\n",
            &[OUTSIDE],
        ),
        ("[user@lb1:Active:Standalone] config # tmsh list ltm virtual { x }\n", &[OUTSIDE]),
        ("```\n```conf\n", &["Markdown fence", "Markdown fence"]),
        ("---(less 42%)---\n(END)\n", &["line of a pager", "line of a pager"]),
        ("--More--\r        \r\n", &["line of a pager"]),
        (
            "\u{1b}[7m---(less 4%)---\u{1b}[27m\u{1b}[K\r\n",
            &["escape sequences or control characters of a terminal", "line of a pager"],
        ),
        ("Ltm::Virtual Server: vs\n-----------\n", &[OUTSIDE, OUTSIDE]),
    ] {
        let pasted = imported(&with("").replace("ltm virtual", &format!("{between}ltm virtual")));
        assert_eq!(scenario(&pasted), scenario(&plain), "{between:?}");
        let found: Vec<&str> = pasted.left_out.iter().map(|left| left.kind).collect();
        assert_eq!(found, kinds, "{between:?}");
        assert!(pasted.left_out.iter().all(|left| (11..=12).contains(&left.line)), "{between:?}");
        assert_eq!((pasted.not_imported, pasted.warnings), (vec![], vec![]), "{between:?}");
    }
}

#[test]
fn a_pager_within_a_stanza_and_colours_are_taken_out() {
    let text = with("").replace(
        "    pool p\n",
        "---(less 42%)---\r                \r    \u{1b}[1mpool\u{1b}[0m\u{a0}p\n",
    );
    let pasted = imported(&text);
    assert_eq!(scenario(&pasted), scenario(&imported(&with(""))));
    assert_eq!(
        left_out(&pasted),
        ["14: escape sequences or control characters of a terminal", "14: line of a pager"]
    );
}

#[test]
fn a_program_ends_before_the_next_command() {
    let rule = "ltm rule site/r {\n    partition site\nwhen CLIENT_ACCEPTED {\n \n }\n}\n";
    for command in ["list ltm pool site/p\n", "tmsh modify ltm pool p monitor none\n"] {
        let pasted = imported(&format!("{}{rule}{command}\n", with("")));
        assert_eq!(places(&pasted.not_imported), ["17: ltm rule site/r"]);
        assert_eq!(pasted.warnings, [], "{command}");
    }
}

#[test]
fn commands_that_create_are_the_stanzas_that_they_make() {
    let plain = scenario(&imported(&with("")));
    for commands in [
        "tmsh create ltm pool p members add { 10.1.1.51:49 } profiles add { ipip }\n\
         tmsh create ltm virtual vs destination 172.16.4.99:49 ip-protocol tcp pool p \
         translate-address disabled\n",
        "create /ltm pool p { members replace-all-with { 10.1.1.51:49 { address 10.1.1.51 } } \
         profiles replace-all-with { ipip } }\nlist ltm pool\n\
         create ltm virtual vs { destination 172.16.4.99:tacacs ip-protocol tcp pool p \
         translate-address disabled }\n",
        "u@(lb)(tmos)# create ltm pool p \\\n  members add { 10.1.1.51:49 } \\\r\n  profiles add { ipip }\n\
         u@(lb)(tmos)# create ltm virtual vs destination 172.16.4.99:49 ip-protocol tcp pool p\n\
         u@(lb)(tmos)# modify ltm virtual vs translate-address disabled\n",
    ] {
        let made = imported(commands);
        assert_eq!(scenario(&made), plain, "{commands}");
        assert_eq!(made.not_imported, [], "{commands}");
    }
}

#[test]
fn modify_changes_what_stands_before_it() {
    for (commands, members) in [
        ("members add { 10.1.1.52:49 }", "[10.1.1.51:49, 10.1.1.52:49]"),
        ("members replace-all-with { 10.1.1.53:49 }", "[10.1.1.53:49]"),
        ("{ members add { 10.1.1.52:49 { address 10.1.1.54 } } }", "[10.1.1.51:49, 10.1.1.54:49]"),
    ] {
        let made = imported(&format!("{}modify ltm pool p {commands}\n", with("")));
        load(&made);
        assert!(made.scenario.contains(&format!("members: {members}")), "{}", made.scenario);
    }
    let text = format!(
        "{}modify ltm pool p members add {{ 10.1.1.52:49 }}\n\
         modify ltm pool p members modify {{ 10.1.1.51:49 {{ session user-disabled }} }}\n\
         modify ltm pool p profiles delete {{ ipip }} members delete {{ 10.9.9.9:49 }}\n",
        with("")
    );
    let made = imported(&text);
    let members = "[{address: 10.1.1.51:49, state: disabled}, 10.1.1.52:49]";
    assert!(made.scenario.contains(members), "{}", made.scenario);
    assert!(!made.scenario.contains("ipip"), "{}", made.scenario);
    let unknown = imported(&format!("{}modify ltm pool q members none\n", with("")));
    assert_eq!(places(&unknown.not_imported), ["17: modify ltm pool q"]);
}

#[test]
fn broken_commands_are_reported_with_their_place() {
    for (text, expected) in [
        ("tmsh create ltm pool\n", "x.conf:1:6: this command names no object"),
        (
            "create ltm pool p members add { a:1\n",
            "x.conf:1:31: this block is not closed before line 2",
        ),
        ("create ltm pool p }\n", "x.conf:1:19: this `}` closes nothing"),
    ] {
        let found = import(&format!("{text}{}", with(""))).unwrap_err();
        assert!(found.contains(expected.split(": ").nth(1).unwrap()), "{found}");
        assert!(found.starts_with(expected.split(": ").next().unwrap()), "{found}");
    }
}

#[test]
fn the_form_of_old_releases_is_named() {
    let old = "pool p {\n   members 10.1.1.51:49 {}\n}\nrule r {\n  when X { log \"{\" }\n}\n\
               virtual vs {\n   destination 172.16.4.99:49\n   ip protocol tcp\n   translate address \
               disable\n   pool p\n}\n";
    let found = import(old).unwrap_err();
    assert!(
        found.contains("x.conf:7:1: virtual vs: this is the form of BIG-IP 9 and 10"),
        "{found}"
    );
    let beside = imported(&format!("{}{old}", with("")));
    assert_eq!(places(&beside.not_imported), ["17: pool p", "20: rule r", "23: virtual vs"]);
}
