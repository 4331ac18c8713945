//! `labsim set`: a change of a lab that is up.

use crate::args;
use crate::exit::Exit;
use crate::live::fail;
use crate::live_steps::{Interrupt, follow};
use crate::output;
use labsim_event::Event;
use labsim_live::{Lab, LabsFolder, Work, WorkEvent};

/// Makes a change, and prints what became of it.
pub(crate) fn set(args: &args::Set) -> Exit {
    let (kind, fields) = args.parts();
    let lab = Lab::find(&LabsFolder::of_user(), args.name.as_ref());
    let followed = lab.and_then(|lab| {
        let interrupt = Interrupt::on_signal()?;
        let work = Work::Set { kind, fields };
        follow(&lab, work, &interrupt, &mut |event| match event {
            WorkEvent::Event(event) => {
                if let Event::StepEnded { detail, .. } = *event {
                    output::visible_line(detail);
                }
            }
            WorkEvent::Warned(warnings) => warnings.into_iter().for_each(output::diagnostics),
            WorkEvent::Walked(_) => {}
        })
    });
    match followed {
        Ok(true) => Exit::Interrupted,
        Ok(false) => Exit::Success,
        Err(error) => fail(&error),
    }
}
