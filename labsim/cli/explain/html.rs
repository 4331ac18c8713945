//! An explanation as a page of tables.

use labsim_codes::Code;
use labsim_explain::{ConnectionReport, Explanation, Finding, Kind, Role, Text, Unit};
use labsim_model::count_of;
use labsim_page::{Table, tables_page};

/// A caption, and rows of two or more columns.
type Part = (String, &'static [&'static str], Vec<Vec<String>>);

/// The page.
pub(super) fn page(all: &Explanation) -> String {
    let verdicts = all.verdicts();
    let colon = if verdicts.is_empty() { "" } else { ": " };
    let title = format!(
        "{} at {}{colon}{verdicts}",
        count_of(all.connections.len(), "connection"),
        count_of(all.points.len(), "capture point")
    );
    let about = "What captures show of each connection and UDP exchange. Behind each sentence stand the packets that \
                 show it, by file and frame or line. Not seen is not the same as not sent.";
    let (text, found) = (Text(all), all.findings());
    let overview: &[&str] =
        &["verdict", "connections", "client and server", "cause, or causes that are possible"];
    let mut parts: Vec<Part> = vec![
        (
            "Capture points".to_owned(),
            &["point", "role", "packets", "file", "command"],
            points(all),
        ),
        (clocks_caption(all), &["first", "second", "difference"], clocks(all)),
        ("Connections".to_owned(), overview, found.printed.iter().filter_map(summary).collect()),
    ];
    for finding in &found.printed {
        for (place, connection) in finding.shown.iter().enumerate() {
            let caption = format!("{} {}", verdict(connection), connection.ends());
            let mut rows = details(&text, connection);
            if let Some(others) = finding.others().filter(|_| place + 1 == finding.shown.len()) {
                rows.insert(0, vec!["the same".to_owned(), others]);
            }
            parts.push((caption, &["about", "what the captures show"], rows));
        }
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
    let more = found.left_out + all.further_connections;
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

/// A finding: its verdict, how many connections have it, and which.
fn summary(finding: &Finding<'_>) -> Option<Vec<String>> {
    let connection = finding.shown.first()?;
    let verdict = &connection.verdict;
    let codes = verdict.cause.iter().chain(&verdict.possible);
    let names: Vec<&str> = codes.map(|it| Code::name(*it)).collect();
    let kind = self::verdict(connection).trim_end_matches(':').to_owned();
    let mut ends: Vec<String> = finding.shown.iter().map(|it| it.ends()).collect();
    ends.extend(finding.others());
    Some(vec![kind, finding.count().to_string(), ends.join("; "), names.join(", ")])
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

#[cfg(test)]
mod tests {
    use crate::explain::input::Input;
    use crate::explain::read::Reading;

    #[test]
    fn connections_with_one_finding_are_shown_once_and_the_others_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.txt");
        let syn = |number: u8| {
            format!(
                "12:00:00.00000{number} IP 192.0.2.7.4000{number} > 198.51.100.9.49: Flags [S], seq {number}, win 1, \
                 length 0\n"
            )
        };
        std::fs::write(&path, (0..9).map(syn).collect::<String>()).unwrap();
        let mut reading = Reading::default();
        reading.read(&Input::new(path.as_os_str())).unwrap();
        let page = super::page(&reading.finish().0.explain());
        assert_eq!(page.matches("<caption>Not decidable: ").count(), 1, "{page}");
        let others = "8 further connections, from 192.0.2.7:40001, 192.0.2.7:40002, ";
        assert_eq!(page.matches(others).count(), 2, "{page}");
        assert!(page.contains("<td>9<"), "{page}");
        assert!(
            page.contains("<h1>9 connections at 1 capture point: 9 not decidable</h1>"),
            "{page}"
        );
    }
}
