//! An explanation as a page of tables.

use labsim_codes::Code;
use labsim_explain::{ConnectionReport, Explanation, Kind, MAX_PRINTED, Role, Text, Unit};
use labsim_model::count_of;
use labsim_page::{Table, tables_page};

/// A caption, and rows of two or more columns.
type Part = (String, &'static [&'static str], Vec<Vec<String>>);

/// The page.
pub(super) fn page(all: &Explanation) -> String {
    let not_healthy = all.connections.iter().filter(|it| it.verdict.kind != Kind::Healthy).count();
    let title = format!(
        "{} at {}: {not_healthy} not healthy",
        count_of(all.connections.len(), "connection"),
        count_of(all.points.len(), "capture point")
    );
    let about = "What captures show of each connection and UDP exchange. Behind each sentence stand the packets that \
                 show it, by file and frame or line. Not seen is not the same as not sent.";
    let (text, ordered) = (Text(all), all.worst_first());
    let overview: &[&str] = &["verdict", "client and server", "cause, or causes that are possible"];
    let mut parts: Vec<Part> = vec![
        (
            "Capture points".to_owned(),
            &["point", "role", "packets", "file", "command"],
            points(all),
        ),
        (clocks_caption(all), &["first", "second", "difference"], clocks(all)),
        ("Connections".to_owned(), overview, ordered.iter().map(|it| summary(it)).collect()),
    ];
    for connection in ordered.iter().take(MAX_PRINTED) {
        let caption = format!("{} {}", verdict(connection), connection.ends());
        parts.push((caption, &["about", "what the captures show"], details(&text, connection)));
    }
    let further: Vec<Vec<String>> =
        all.icmp_errors.iter().map(|it| vec![text.sentence(it)]).collect();
    parts.push((
        "ICMP errors, which may be about these connections".to_owned(),
        &["error"],
        further,
    ));
    let notices = all.notices.iter().map(|it| vec![it.clone()]).collect();
    parts.push(("Noticed".to_owned(), &["notice"], notices));
    let more = ordered.len().saturating_sub(MAX_PRINTED) + all.further_connections;
    if more > 0 {
        let what = format!(
            "{} without details: --json has those that are explained",
            count_of(more, "connection")
        );
        parts.push(("Left out".to_owned(), &["what"], vec![vec![what]]));
    }
    let tables: Vec<Table<'_>> =
        parts.iter().map(|(caption, heads, rows)| Table { caption, heads, rows }).collect();
    tables_page(&title, about, &tables)
}

fn points(all: &Explanation) -> Vec<Vec<String>> {
    let row = |point: &labsim_explain::PointReport| {
        let role = point.role.map_or("-", Role::name).to_owned();
        let role = match &point.role_in_files {
            _ if point.role_is_given => format!("{role} (as given)"),
            Some(why) => format!("{role}, by files: {why}"),
            None => role,
        };
        let unit = if point.unit == Unit::Line { "text in" } else { "capture in" };
        let file = format!("{unit} {}", point.file);
        let command = point.command.clone().unwrap_or_default();
        vec![point.name.clone(), role, point.packets.to_string(), file, command]
    };
    all.points.iter().map(row).collect()
}

fn clocks_caption(all: &Explanation) -> String {
    let what = "Clocks: how far the second is ahead of the first";
    if all.clock_contradiction.is_some() {
        "Clocks: not bounded".to_owned()
    } else {
        what.to_owned()
    }
}

fn clocks(all: &Explanation) -> Vec<Vec<String>> {
    if let Some(contradiction) = &all.clock_contradiction {
        return vec![vec![String::new(), String::new(), contradiction.clone()]];
    }
    let name = |point: usize| all.points.get(point).map_or("?", |it| it.name.as_str()).to_owned();
    let between = all.clocks.iter().filter(|it| !it.is_same_capture);
    between.map(|it| vec![name(it.first), name(it.second), it.to_string()]).collect()
}

fn verdict(connection: &ConnectionReport) -> &'static str {
    match connection.verdict.kind {
        Kind::Healthy => "Healthy:",
        Kind::Cause => "Cause shown:",
        Kind::NotDecidable => "Not decidable:",
    }
}

fn summary(connection: &ConnectionReport) -> Vec<String> {
    let verdict = &connection.verdict;
    let codes = verdict.cause.iter().chain(&verdict.possible);
    let names: Vec<&str> = codes.map(|it| Code::name(*it)).collect();
    let kind = self::verdict(connection).trim_end_matches(':').to_owned();
    vec![kind, connection.ends(), names.join(", ")]
}

fn details(text: &Text<'_>, connection: &ConnectionReport) -> Vec<Vec<String>> {
    let verdict = &connection.verdict;
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut add = |about: &str, what: String| rows.push([about.to_owned(), what]);
    if let Some(alike) = connection.shown_alike() {
        add("further ones", alike);
    }
    if let Some(code) = verdict.cause {
        add("cause", format!("{code}: {}", code.meaning()));
    }
    verdict.because.iter().for_each(|it| add("evidence", text.sentence(it)));
    for code in &verdict.possible {
        add("possible, among others", format!("{code}: {}", code.meaning()));
    }
    let next = if verdict.cause.is_some() { "fix" } else { "what decides" };
    verdict.next.iter().for_each(|it| add(next, it.clone()));
    connection.configuration.iter().for_each(|it| add("configuration", text.sentence(it)));
    add("way there", text.way(&connection.requests));
    add("way back", text.way(&connection.replies));
    connection.story.iter().for_each(|it| add("what happened", text.sentence(it)));
    rows.into_iter().map(Vec::from).collect()
}
