//! `labsim reset`: nodes of a lab that is up are brought back to what they were when it was built.

use crate::args;
use crate::exit::Exit;
use crate::live::fail;
use crate::output;
use labsim_live::{Lab, LabsFolder, NodeReset};

/// Resets a node, or all, and prints what was undone.
pub(crate) fn reset(args: &args::Reset) -> Exit {
    let found = Lab::find(&LabsFolder::of_user(), args.name.as_ref());
    let reset = found.and_then(|lab| Ok((lab.reset(args.node.clone())?, lab)));
    let (resets, lab) = match reset {
        Ok(reset) => reset,
        Err(error) => return fail(&error),
    };
    let mut is_left = false;
    for NodeReset { name, changed, left, refused, started } in &resets {
        for change in changed.iter().filter(|change| !left.contains(change)) {
            output::visible_line(format_args!("{name}: undone: {change}"));
        }
        for what in started {
            output::visible_line(format_args!("{name}: started again: {what}"));
        }
        for change in left {
            is_left = true;
            output::error(format_args!("{name}: not undone: {change}"));
        }
        if !left.is_empty() {
            for reason in refused {
                output::error(format_args!("{name}: {reason}"));
            }
        }
    }
    let lab = lab.name();
    if is_left {
        output::error(format_args!("`labsim restart {lab}` builds the lab again"));
        return Exit::Failed;
    }
    match &args.node {
        Some(node) => {
            output::visible_line(format_args!("{node} of {lab} is as it was built"));
        }
        None => output::visible_line(format_args!("{lab} is as it was built")),
    }
    Exit::Success
}
