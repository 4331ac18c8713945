//! Exchanges: a conversation as it must look at one capture point.

use super::Report;
use super::context::Context;
use super::frames::{self, Fields};
use super::rows::{Row, Sender, rows};
use crate::file::{ExchangeCheck, RawRows, RawSide};
use crate::model::{CapturePoint, Check, Direction, FrameMatch, PointNode, ServerRequests};
use crate::text::{listed, quoted};
use labsim_codes::file;
use labsim_yaml::{Located, Span};

/// How one side's frames look at the point.
enum Side {
    /// They do not pass here.
    None,
    /// They do, and look like this.
    Fields(Fields),
}

/// Which way the client's frames pass a point.
enum Seat {
    /// The client's own interface.
    Client,
    /// A server's.
    Server,
    /// On the way: both ways, as likely as not.
    Between,
}

/// Resolves an exchange: one match a frame.
pub(super) fn exchange(
    check: &Located<ExchangeCheck>,
    context: &mut Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let fields = &check.value;
    let step = context.step(fields.step.as_ref(), check.span, report);
    let at = context.point(&fields.at, step.as_ref(), report);
    let client = side(fields.client.as_ref(), report);
    let server = side(fields.server.as_ref(), report);
    let read;
    let rows: &[Row] = match &fields.frames.value {
        RawRows::Text(name) => match context.conversations.get(name.as_str()) {
            Some(rows) => rows.as_deref()?,
            None => {
                let known: Vec<&&str> = context.conversations.keys().collect();
                report.absent(
                    fields.frames.span,
                    name,
                    format!(
                        "unknown conversation {}; `conversations` has {}",
                        quoted(name),
                        listed(known.into_iter())
                    ),
                );
                return None;
            }
        },
        RawRows::List(list) => {
            read = rows(list, report)?;
            &read
        }
    };
    let (step, at) = (step?, at?);
    let direction = fields.direction;
    if !matches!(at.node, PointNode::RealServerOf(_)) {
        context.one_flow(&step, check.span, report);
    }
    // A step with an error has no requests, and no client.
    let seat = seat(&at, &context.requests(&step)?, context);
    let plan = Plan { place: check.span, at: &fields.at, direction, seat, client, server };
    let frames = plan.frames(rows, report)?;
    let budget = context.rows_left.checked_sub(frames.len());
    let Some(left) = budget else {
        report.at(
            check.span,
            file::TOO_MANY,
            "the exchanges of this file have too many rows; split the scenario",
        );
        return None;
    };
    context.rows_left = left;
    Some(Check::Exchange { at, step, direction, frames })
}

fn side(form: Option<&Located<RawSide>>, report: &mut Report<'_>) -> Option<(Side, Span)> {
    let form = form?;
    let side = match &form.value {
        RawSide::None(_) => Side::None,
        RawSide::Map(map) => {
            if let Some(direction) = &map.direction {
                report.at(
                    direction.span,
                    file::CONFLICT,
                    "write `direction` beside `at`; here it follows from the sender",
                );
            }
            Side::Fields(frames::fields(map, report))
        }
    };
    Some((side, form.span))
}

fn seat(at: &CapturePoint, requests: &ServerRequests<'_>, context: &Context<'_>) -> Seat {
    match &at.node {
        PointNode::RealServerOf(_) => Seat::Server,
        PointNode::Named(node) if requests.from.contains(node) => Seat::Client,
        PointNode::Named(node) if context.is_server(node) => Seat::Server,
        PointNode::Named(_) => Seat::Between,
    }
}

struct Plan<'a> {
    place: Span,
    at: &'a Located<String>,
    direction: Option<Direction>,
    seat: Seat,
    client: Option<(Side, Span)>,
    server: Option<(Side, Span)>,
}

impl Plan<'_> {
    fn frames(&self, rows: &[Row], report: &mut Report<'_>) -> Option<Vec<FrameMatch>> {
        for (side, sender, name) in
            [(&self.client, Sender::Client, "client"), (&self.server, Sender::Server, "server")]
        {
            if let Some((Side::Fields(_), place)) = side
                && !rows.iter().any(|row| row.sender == sender)
            {
                report.at(
                    *place,
                    file::NO_EFFECT,
                    format!("no row is the {name}'s; leave `{name}` out"),
                );
                return None;
            }
        }
        let mut frames = Vec::new();
        for row in rows {
            let (side, way) = match row.sender {
                Sender::Client => (&self.client, self.way_of_client()),
                Sender::Server => (&self.server, self.way_of_client().map(Direction::opposite)),
                Sender::Passes(direction) => (&None, Some(direction)),
            };
            let every = match side {
                Some((Side::None, _)) => continue,
                Some((Side::Fields(fields), _)) => fields.clone(),
                None => Fields::default(),
            };
            let way = report.take(self.at.span, self.way(row, way))?;
            let mut matching = frames::merged(&every.matching, &row.frame);
            matching.direction = Some(way);
            let fields = Fields { matching, overhead: every.overhead };
            frames.push(frames::complete(fields, row.span, report).ok()?);
        }
        if frames.is_empty() {
            report.at(
                self.place,
                file::NO_EFFECT,
                "this exchange has no frame; to expect none, write `frames` with `count: 0`",
            );
            return None;
        }
        Some(frames)
    }

    /// Which way a row's frame passes, by the exchange's `direction` and by who sends.
    fn way(&self, row: &Row, by_sender: Option<Direction>) -> Result<Direction, String> {
        let at = quoted(self.at);
        match (self.direction, by_sender) {
            (Some(only), Some(way)) if only != way => Err(match row.sender {
                Sender::Client => format!(
                    "the client's frames pass {at} the other way; leave `direction` out, or write \
                     `client: none`"
                ),
                Sender::Server => format!(
                    "the server's frames pass {at} the other way; leave `direction` out, or write \
                     `server: none`"
                ),
                Sender::Passes(_) => {
                    format!("a row contradicts `direction` at {at}; leave one of them out")
                }
            }),
            (Some(way), _) | (None, Some(way)) => Ok(way),
            (None, None) => Err(format!(
                "frames pass {at} both in and out; write `direction: in` or `direction: out`"
            )),
        }
    }

    fn way_of_client(&self) -> Option<Direction> {
        match self.seat {
            Seat::Client => Some(Direction::Out),
            Seat::Server => Some(Direction::In),
            Seat::Between => None,
        }
    }
}
