//! `labsim capture --since`: the frames that a lab has kept, up to now.

use super::lines::Lines;
use super::output::{Queue, Target};
use super::select::Selection;
use super::stream::Stream;
use super::{Form, decoded};
use crate::args::Since;
use crate::exit::Exit;
use crate::live::{fail, time};
use crate::output as print;
use labsim_lab::TappedPoint;
use labsim_live::{Kept, Lab, LabsFolder};
use labsim_model::count_of;
use labsim_scenario::model::FrameMatch;
use labsim_verdict::frame_matches;
use std::fs::File;
use std::io;
use std::thread::sleep;
use std::time::Duration;

/// How soon an output that takes no more is looked at again.
const SOON: Duration = Duration::from_millis(2);

/// Writes what the lab has kept.
pub(super) fn write(
    args: &crate::args::Capture,
    since: Since,
    filter: Option<&FrameMatch>,
) -> Exit {
    let now_ns = labsim_lab::now_ns();
    let since_ns = match since {
        Since::All => None,
        Since::Last(age) => {
            Some(now_ns.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)))
        }
    };
    let found = Lab::find(&LabsFolder::of_user(), args.name.as_ref());
    let selected = found.and_then(|lab| lab.kept(since_ns)).and_then(|kept| {
        let wanted = Selection::new(&args.points).among(&kept.points)?;
        Ok((kept, wanted))
    });
    let (kept, wanted) = match selected {
        Ok(selected) => selected,
        Err(error) => return fail(&error),
    };
    let target = match Target::open(args) {
        Ok(target) => target,
        Err(exit) => return exit,
    };
    match put(&kept, &wanted, filter, target) {
        Ok(packets) => {
            tell(&kept, packets, since_ns, now_ns);
            Exit::Success
        }
        Err(error) => {
            print::error(format_args!("the packets cannot be written: {error}"));
            Exit::Failed
        }
    }
}

/// Writes all frames as pcapng.
pub(crate) fn write_all(kept: &Kept, file: File) -> io::Result<()> {
    put(kept, &vec![true; kept.points.len()], None, Target::Packets(file)).map(drop)
}

/// Writes the frames of wanted points, and returns how many they were.
fn put(
    kept: &Kept,
    wanted: &[bool],
    filter: Option<&FrameMatch>,
    target: Target,
) -> io::Result<usize> {
    let is_wanted = |place: usize| wanted.get(place).copied().unwrap_or(false);
    let mut form: Box<dyn Form> = match &target {
        Target::Lines => Box::new(Lines::default()),
        Target::Packets(_) => {
            let points = kept.points.iter().enumerate();
            let points = points.filter(|(place, _)| is_wanted(*place));
            Box::new(Stream::new(points)?)
        }
    };
    let queue = Queue::start(target.into_file()?)?;
    queue.write(form.take());
    let mut packets = 0;
    kept.for_each(&mut |point, frame| {
        let is_match = |filter| frame_matches(filter, frame.direction, &decoded(point, &frame));
        if is_wanted(frame.point) && filter.is_none_or(is_match) {
            packets += 1;
            form.frame(point, &frame);
            queue.write(form.take());
        }
        while queue.is_full() && !queue.has_ended() {
            sleep(SOON);
        }
        !queue.has_ended()
    })?;
    form.finish(&dropped(kept, wanted));
    queue.write(form.take());
    queue.finish().map(|()| packets)
}

/// Frames that were dropped in nodes of wanted points.
fn dropped(kept: &Kept, wanted: &[bool]) -> Vec<(String, u64)> {
    let is_wanted = |node: &str| {
        let of_node = |point: &TappedPoint| point.name.split(':').next() == Some(node);
        kept.points.iter().zip(wanted).any(|(point, is_wanted)| *is_wanted && of_node(point))
    };
    kept.dropped.iter().filter(|(node, _)| is_wanted(node)).cloned().collect()
}

fn tell(kept: &Kept, packets: usize, since_ns: Option<u64>, now_ns: u64) {
    for (node, dropped) in &kept.dropped {
        let frames = count_of(usize::try_from(*dropped).unwrap_or(usize::MAX), "frame");
        print::error(format_args!(
            "{node}: {frames} dropped since the lab is up, as more came than could be kept"
        ));
    }
    let reaches = time(now_ns.saturating_sub(kept.reaches_ns) / 1_000_000_000);
    if kept.cut > 0 && since_ns.is_none_or(|since_ns| since_ns < kept.reaches_ns) {
        let cut = count_of(usize::try_from(kept.cut).unwrap_or(usize::MAX), "packet");
        let mib = kept.keep_mib;
        print::error(format_args!(
            "the last {mib} MiB reach back {reaches}: {cut} before that are not kept any more; \
             `labsim up --keep MIB` keeps more"
        ));
    }
    if let Some(reason) = &kept.failed {
        print::error(format_args!(
            "the lab keeps no more packets, as they cannot be read: {reason}"
        ));
    }
    let dropped = if kept.dropped.is_empty() { ", none dropped" } else { "" };
    print::error(format_args!("{}{dropped}", count_of(packets, "packet")));
}
