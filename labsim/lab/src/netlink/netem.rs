//! netem: set on a device, read back, and asked how many frames it holds.
//!
//! It sits where a relay sends, in the switch namespace, and never in a node: there it would report
//! its losses to the node's own TCP, which a link does not (tc-netem(8), "Limitations"), and
//! captures, which stand behind a device's queue, would not see a frame before its delay.
//!
//! A rate is netem's own (`rate`) and not tbf's. netem gives every frame the time that it is sent
//! for, as a slow line does; tbf lets a bucketful through at once, and is a second discipline to
//! set and to read back.

use labsim_scenario::model::{Impairment, Percent};
use labsim_sys::netlink::attribute::{encode, find, plain};
use labsim_sys::netlink::{Request, Socket};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use nix::errno::Errno;
use std::time::Duration;

/// `TCA_KIND`, `TCA_OPTIONS` and `TCA_STATS2` (linux/rtnetlink.h).
const KIND: u16 = 1;
const OPTIONS: u16 = 2;
const STATISTICS: u16 = 7;
/// `TCA_STATS_QUEUE` (linux/gen_stats.h).
const QUEUE: u16 = 3;
/// `TCA_NETEM_REORDER`, `_RATE`, `_LATENCY64`, `_JITTER64` (linux/pkt_sched.h).
const REORDER: u16 = 3;
const RATE: u16 = 6;
const LATENCY64: u16 = 10;
const JITTER64: u16 = 11;
/// `struct tc_netem_qopt`, with which the options begin, and `struct tcmsg`, in bytes.
const FIXED: usize = 24;
const HEADER: usize = 20;
/// Nanoseconds of a tick, in which old kernels count times (`PSCHED_SHIFT`).
const TICK: u64 = 64;

/// netem's settings in the kernel's units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Settings {
    /// In nanoseconds.
    latency: u64,
    jitter: u64,
    /// Of 2^32 - 1.
    loss: u32,
    duplicate: u32,
    reorder: u32,
    /// One of so many may overtake: 1, or 0 where none may.
    gap: u32,
    /// Bytes a second; 0 is no limit.
    rate: u32,
    /// Frames.
    limit: u32,
}

/// What a device's netem holds and has dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queued {
    /// Frames that wait in it.
    pub waiting: u32,
    /// Frames that it has dropped, by chance or because too many waited; it counts them together.
    pub dropped: u32,
}

/// netem as a device's root queueing discipline.
pub(crate) fn request(index: u32, impairment: &Impairment) -> Request {
    let mut message = root_of(index);
    message.attributes = vec![
        TcAttribute::Kind("netem".to_owned()),
        TcAttribute::Other(plain(OPTIONS, &Settings::of(impairment).emit())),
    ];
    Request::create(RouteNetlinkMessage::NewQueueDiscipline(message))
}

fn root_queue(index: u32) -> Request {
    Request::new(RouteNetlinkMessage::GetQueueDiscipline(root_of(index)))
}

fn root_of(index: u32) -> TcMessage {
    let mut message = TcMessage::default();
    message.header.index = index.cast_signed();
    message.header.parent = TcHandle::ROOT;
    message
}

/// Where netem is not as it was set: a sentence for each setting that differs.
pub(crate) fn differences(
    netlink: &mut Socket,
    index: u32,
    impairment: &Impairment,
) -> Result<Vec<String>, Errno> {
    let answer = netlink.ask(root_queue(index))?;
    let Some(found) = Settings::parse(&answer) else {
        return Ok(vec!["the device has another queueing discipline".to_owned()]);
    };
    Ok(Settings::of(impairment).differences(&found))
}

/// What netem holds.
pub(crate) fn queued(netlink: &mut Socket, index: u32) -> Result<Queued, Errno> {
    let answer = netlink.ask(root_queue(index))?;
    parse_queued(&answer).ok_or(Errno::EBADMSG)
}

impl Settings {
    fn of(impairment: &Impairment) -> Self {
        let Impairment { delay, jitter, loss, duplicate, reorder, rate, queue, seed: _ } =
            impairment;
        let reorder = share(*reorder);
        Self {
            latency: nanoseconds(*delay),
            jitter: nanoseconds(*jitter),
            loss: share(*loss),
            duplicate: share(*duplicate),
            reorder,
            gap: u32::from(reorder > 0),
            rate: rate.map_or(0, |bits| u32::try_from(bits / 8).unwrap_or(u32::MAX)),
            limit: *queue,
        }
    }

    fn emit(self) -> Vec<u8> {
        let ticks = |time: u64| u32::try_from(time / TICK).unwrap_or(u32::MAX);
        let Self { latency, jitter, loss, duplicate, reorder, gap, rate, limit } = self;
        let fixed = [ticks(latency), limit, loss, gap, duplicate, ticks(jitter)];
        let mut attributes =
            vec![plain(LATENCY64, &latency.to_ne_bytes()), plain(JITTER64, &jitter.to_ne_bytes())];
        if reorder > 0 {
            attributes.push(plain(REORDER, &[reorder, 0].map(u32::to_ne_bytes).concat()));
        }
        if rate > 0 {
            attributes.push(plain(RATE, &[rate, 0, 0, 0].map(u32::to_ne_bytes).concat()));
        }
        [fixed.map(u32::to_ne_bytes).concat(), encode(&attributes)].concat()
    }

    /// Reads the kernel's description of a device's netem; `None` for another queueing discipline.
    fn parse(message: &[u8]) -> Option<Self> {
        let kind = find(message.get(HEADER..)?, KIND)?;
        if kind.split(|byte| *byte == 0).next()? != b"netem" {
            return None;
        }
        let options = find(message.get(HEADER..)?, OPTIONS)?;
        let word = |at: usize| options.get(..FIXED).and_then(|fixed| number(fixed, at));
        let more = options.get(FIXED..)?;
        let long = |kind: u16, at: usize| -> Option<u64> {
            let exact = find(more, kind).and_then(|value| value.get(..8));
            match exact {
                Some(value) => Some(u64::from_ne_bytes(value.try_into().ok()?)),
                None => Some(u64::from(word(at)?) * TICK),
            }
        };
        let first = |kind: u16| find(more, kind).and_then(|value| number(value, 0));
        let gap = word(3)?;
        Some(Self {
            latency: long(LATENCY64, 0)?,
            jitter: long(JITTER64, 5)?,
            loss: word(2)?,
            duplicate: word(4)?,
            // Where nothing overtakes, the kernel shows a value that it does not use.
            reorder: if gap == 0 { 0 } else { first(REORDER).unwrap_or(u32::MAX) },
            gap,
            rate: first(RATE).unwrap_or(0),
            limit: word(1)?,
        })
    }

    fn differences(&self, found: &Self) -> Vec<String> {
        let numbers = |it: &Self| {
            [
                ("delay in ns", it.latency),
                ("jitter in ns", it.jitter),
                ("loss of 2^32 - 1", it.loss.into()),
                ("duplicate of 2^32 - 1", it.duplicate.into()),
                ("reorder of 2^32 - 1", it.reorder.into()),
                ("gap", it.gap.into()),
                ("rate in bytes/s", it.rate.into()),
                ("limit", it.limit.into()),
            ]
        };
        let pairs = numbers(self).into_iter().zip(numbers(found));
        pairs
            .filter(|((_, set), (_, found))| set != found)
            .map(|((name, set), (_, found))| format!("{name} was set to {set} and is {found}"))
            .collect()
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn share(percent: Percent) -> u32 {
    let scaled = u64::from(percent.millionths()) * u64::from(u32::MAX) / 1_000_000;
    u32::try_from(scaled).unwrap_or(u32::MAX)
}

fn parse_queued(message: &[u8]) -> Option<Queued> {
    let statistics = find(message.get(HEADER..)?, STATISTICS)?;
    // `struct gnet_stats_queue`: qlen, backlog, drops, ...
    let queue = find(statistics, QUEUE)?;
    Some(Queued { waiting: number(queue, 0)?, dropped: number(queue, 2)? })
}

/// The `at`-th word.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(4 * at..4 * at + 4)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impairment() -> Impairment {
        let percent = |millionths| Percent::of_millionths(millionths).unwrap();
        Impairment {
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(5),
            loss: percent(100_000),
            duplicate: percent(10_000),
            reorder: percent(250_000),
            rate: Some(1_000_000),
            queue: 400,
            seed: 7,
        }
    }

    fn nla(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// A kernel's answer, as `netem_dump` and `tc_fill_qdisc` build it.
    fn answer(kind: &str, options: &[u8]) -> Vec<u8> {
        let queue = [3_u32, 300, 9, 1, 0].map(u32::to_ne_bytes).concat();
        let statistics = [nla(1, &[0; 16]), nla(QUEUE, &queue)].concat();
        [
            vec![0; HEADER],
            nla(KIND, &[kind.as_bytes(), &[0]].concat()),
            nla(OPTIONS, options),
            nla(STATISTICS, &statistics),
        ]
        .concat()
    }

    #[test]
    fn a_request_holds_the_kernels_structures() {
        let bytes = Settings::of(&impairment()).emit();
        let words: Vec<u32> = (0..6).map(|at| number(&bytes, at).unwrap()).collect();
        // Latency in ticks, limit, loss, gap, duplicate, jitter.
        assert_eq!(words, [312_500, 400, 429_496_729, 1, 42_949_672, 78_125]);
        let attributes = [
            nla(LATENCY64, &20_000_000_u64.to_ne_bytes()),
            nla(JITTER64, &5_000_000_u64.to_ne_bytes()),
            nla(REORDER, &[1_073_741_823_u32, 0].map(u32::to_ne_bytes).concat()),
            nla(RATE, &[125_000_u32, 0, 0, 0].map(u32::to_ne_bytes).concat()),
        ];
        assert_eq!(&bytes[FIXED..], attributes.concat());
    }

    #[test]
    fn what_was_set_is_read_back_without_a_difference() {
        let set = Settings::of(&impairment());
        let found = Settings::parse(&answer("netem", &set.emit())).unwrap();
        assert_eq!(found, set);
        assert!(set.differences(&found).is_empty());
    }

    #[test]
    fn an_old_kernels_ticks_are_read_as_times() {
        let set = Settings { latency: 20_000_000, limit: 400, ..Settings::default() };
        let found = Settings::parse(&answer("netem", &set.emit()[..FIXED])).unwrap();
        assert_eq!(found, set);
    }

    #[test]
    fn a_setting_that_the_kernel_left_out_is_named() {
        let set = Settings::of(&impairment());
        let without = Settings { latency: 0, rate: 0, ..set };
        let found = Settings::parse(&answer("netem", &without.emit())).unwrap();
        assert_eq!(
            set.differences(&found),
            [
                "delay in ns was set to 20000000 and is 0",
                "rate in bytes/s was set to 125000 and is 0"
            ]
        );
    }

    #[test]
    fn another_discipline_is_no_netem() {
        assert_eq!(Settings::parse(&answer("noqueue", &[0; FIXED])), None);
    }

    #[test]
    fn the_queue_and_its_drops_are_read() {
        let answer = answer("netem", &[0; FIXED]);
        assert_eq!(parse_queued(&answer), Some(Queued { waiting: 3, dropped: 9 }));
    }

    #[test]
    fn a_question_about_a_device_without_netem_is_answered() {
        // Asking needs no rights and changes nothing. A loopback device that is down has a
        // discipline that the kernel does not show.
        const LOOPBACK: u32 = 1;
        let mut netlink = Socket::open().unwrap();
        for _ in 0..2 {
            match differences(&mut netlink, LOOPBACK, &impairment()) {
                Ok(found) => assert_eq!(found, ["the device has another queueing discipline"]),
                Err(errno) => assert_eq!(errno, Errno::ENODATA),
            }
        }
        let absent = differences(&mut netlink, i32::MAX.cast_unsigned(), &impairment());
        assert_eq!(absent, Err(Errno::ENODEV));
    }

    #[test]
    fn any_cut_or_zeroed_answer_is_read_without_a_panic() {
        let whole = answer("netem", &Settings::of(&impairment()).emit());
        for cut in 0..whole.len() {
            let _ = (Settings::parse(&whole[..cut]), parse_queued(&whole[..cut]));
            let mut zeroed = whole.clone();
            zeroed[cut] = 0;
            let _ = (Settings::parse(&zeroed), parse_queued(&zeroed));
        }
    }
}
