//! What experiments proved, as lines of text.

use labsim_event::{CauseStanding, Proof, Standing};
use std::fmt::Write as _;

/// A cause by its code and place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CausePlace {
    pub(crate) code: String,
    pub(crate) node: Option<String>,
    pub(crate) device: Option<String>,
}

/// What stands behind a cause: `(proved)`; nothing if the proof does not know it.
pub(crate) fn standing(proof: &Proof, place: &CausePlace) -> Option<&'static str> {
    let of_place = |it: &&CauseStanding| {
        it.cause.code == place.code
            && it.cause.node == place.node
            && it.cause.device == place.device
    };
    proof.causes.iter().find(of_place).map(|it| it.standing.words())
}

/// Adds the proof: each cause, and the changes in every form.
pub(crate) fn write(text: &mut String, proof: &Proof) {
    let labs = if proof.labs == 1 { "1 lab".to_owned() } else { format!("{} labs", proof.labs) };
    let _ = writeln!(text, "  proof: {} ({labs})", proof.sentence);
    for CauseStanding { standing, reason, sentence, cause } in &proof.causes {
        let _ = writeln!(text, "    {}: {sentence} [{}]", standing.words(), cause.code);
        let _ = writeln!(text, "      {reason}");
        let fix = &cause.fix;
        if *standing == Standing::Proved {
            let _ = writeln!(text, "      fix: {}", fix.what);
        } else if *standing != Standing::NotNeeded {
            let _ = writeln!(text, "      its fix: {}", fix.what);
            for line in fix.linux.iter().chain(&fix.tmsh).chain(&fix.acos) {
                let _ = writeln!(text, "        {line}");
            }
        }
    }
    block(text, "the changes, as a scenario that is saved beside this one:", &proof.overlay);
    block(text, "on Linux hosts:", &proof.linux);
    block(text, "on the load balancer (tmsh):", &proof.tmsh);
    block(text, "or on the load balancer (ACOS):", &proof.acos);
}

fn block(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {title}");
    for line in lines {
        let _ = writeln!(text, "    {line}");
    }
}
