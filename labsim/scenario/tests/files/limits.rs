//! No file can ask for unbounded work.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, shown};

fn last_words(topology: &str, scenario: &str) -> String {
    let diagnostics = Files::new(topology, scenario).load().unwrap_err();
    shown(&diagnostics).join("\n")
}

#[test]
fn too_many_nodes_are_refused() {
    let nodes: String = (0..4097).map(|number| format!("  n{number}: {{}}\n")).collect();
    let found = last_words(&format!("nodes:\n{nodes}"), SCENARIO);
    assert!(found.contains("lab.yaml:4098:3: 4097 nodes; at most 4096 are allowed"), "{found}");
}

#[test]
fn too_many_rows_are_refused() {
    let rows = "client . seq 1, ".repeat(2001);
    let found = last_words(TOPOLOGY, &changed(SCENARIO, &[("client S seq 0, ", &rows)]));
    assert!(found.contains("2002 rows; at most 2000 are allowed"), "{found}");
}

#[test]
fn rows_are_counted_over_all_exchanges() {
    let rows = "client . seq 1, ".repeat(1999);
    let exchange = |number: usize| {
        format!(
            "  x{number}: {{exchange: {{at: client:eth0, frames: talk}}, pass: yes, fail: no}}\n"
        )
    };
    let exchanges: String = (0..10).map(exchange).collect();
    let scenario = changed(SCENARIO, &[("client S seq 0, ", &rows)]) + &exchanges;
    let found = last_words(TOPOLOGY, &scenario);
    assert_eq!(found.lines().count(), 1, "{found}");
    assert!(found.contains("the exchanges of this file have too many rows"), "{found}");
}

#[test]
fn errors_are_counted_too() {
    let rows = "nobody . seq 1, ".repeat(1000);
    let diagnostics = Files::new(TOPOLOGY, &changed(SCENARIO, &[("client S seq 0, ", &rows)]))
        .load()
        .unwrap_err();
    assert_eq!(diagnostics.len(), 200);
}

#[test]
fn a_long_name_is_not_repeated_whole() {
    let name = "n".repeat(100_000);
    let found = last_words(&changed(TOPOLOGY, &[("  rs2:", &format!("  {name}:"))]), SCENARIO);
    assert!(found.lines().all(|line| line.len() < 400), "{}", found.len());
}
