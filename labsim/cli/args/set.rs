//! Arguments of `labsim set`, and its long help, which is made of what steps declare.

use clap::Args;
use labsim_scenario::{CONFIGURATION, StepForm, step_forms};
use std::fmt::Write as _;
use std::sync::LazyLock;

/// `labsim set`
#[derive(Debug, Args)]
#[command(after_long_help = NOTES.as_str())]
pub(crate) struct Set {
    /// The lab; not needed if one alone is up. Before the other arguments
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
    /// What is changed: link, route, member, ..., or a scenario's load_balancers, tacacs_servers, ...
    #[arg(value_name = "WHAT")]
    pub(crate) what: String,
    /// Its fields as a scenario has them, with or without braces and quotation marks around them
    #[arg(value_name = "FIELDS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) fields: Vec<String>,
}

impl Set {
    /// What is changed, and its fields in one text. A colon after the first stands there as in a file.
    pub(crate) fn parts(&self) -> (String, String) {
        let text = [std::slice::from_ref(&self.what), &self.fields].concat().join(" ");
        let text = text.trim();
        let end = text.find(|c: char| c == ':' || c.is_whitespace()).unwrap_or(text.len());
        let (what, fields) = text.split_at(end);
        (what.to_owned(), fields.trim_start_matches(':').trim().to_owned())
    }
}

/// What `labsim help set` says below the options.
static NOTES: LazyLock<String> = LazyLock::new(notes);

fn notes() -> String {
    let mut text = String::from(
        "A change is written as a step of a scenario, or a part of its configuration, and is checked as one. \
         `labsim status` lists what differs from the file then, and `labsim reset` undoes it. What a change \
         makes of the lab is judged by `labsim check`.\n\n    \
         labsim set link node: rs1, interface: eth0, state: down\n    \
         labsim set member node: lb, pool: p_tacacs-test_49, member: 10.1.1.51:49, state: disabled\n    \
         labsim set route node: rs1, to: default, via: 10.1.1.254\n    \
         labsim set tacacs_servers aaa: {port: 4949}\n    \
         labsim set load_balancers 'lb: {pools: {p_tacacs-test_49: {profile: gre}}}'\n\n\
         Steps that change a lab, with their fields; those in brackets may be left out:\n",
    );
    for StepForm { name, description, keys } in step_forms() {
        let _ = writeln!(text, "\n  {name}: {description}");
        for (key, description, is_optional) in keys {
            let key = if is_optional { format!("[{key}]") } else { key };
            let _ = writeln!(text, "    {key}: {description}");
        }
    }
    let _ = write!(
        text,
        "\nConfiguration of what runs, by the keys of a scenario: {}. Below the key stands what a file that \
         extends the scenario has there: mappings are merged key by key, everything else takes the place of \
         what was there, `null` takes a key out. The whole scenario is checked with it. A forwarder applies it \
         while it runs, and keeps its flows and what was changed of its members; built-in servers that it is \
         about are started again, without their connections. Real servers' addresses, tunnels and settings \
         are those of their kernels: change them by the steps above, or in a shell.",
        CONFIGURATION.join(", ")
    );
    text
}

#[cfg(test)]
mod tests {
    use super::{Set, notes};

    fn parts(what: &str, fields: &[&str]) -> (String, String) {
        let fields = fields.iter().map(|it| (*it).to_owned()).collect();
        Set { name: None, what: what.to_owned(), fields }.parts()
    }

    #[test]
    fn what_is_typed_may_be_quoted_as_a_whole_in_part_or_not_at_all() {
        let wanted = ("link".to_owned(), "node: rs1, state: down".to_owned());
        assert_eq!(parts("link", &["node:", "rs1,", "state:", "down"]), wanted);
        assert_eq!(parts("link", &["node: rs1, state: down"]), wanted);
        assert_eq!(parts("link:", &["node: rs1,", "state: down"]), wanted);
        assert_eq!(parts("link: node: rs1, state: down", &[]), wanted);
        assert_eq!(parts("link", &[]), ("link".to_owned(), String::new()));
    }

    #[test]
    fn the_help_has_every_field_of_every_step() {
        let text = notes();
        for word in ["\n  link: ", "\n    interface: ", "\n  add_member: ", "\n    [ratio]: "] {
            assert!(text.contains(word), "no {word} in {text}");
        }
    }
}
