//! The page of a run: written by `run --html`, and by `report` from kept results.

use crate::support::Desk;
use std::os::unix::fs::PermissionsExt as _;

fn read(desk: &Desk, name: &str) -> String {
    std::fs::read_to_string(desk.path(name)).unwrap()
}

/// The ladders of a page: what is between the headings.
fn packets(page: &str) -> &str {
    let (_, rest) = page.split_once("<h3>Packets</h3>").unwrap();
    rest.split_once("<caption>Steps</caption>").unwrap().0
}

#[test]
fn a_run_and_its_kept_results_give_the_same_packets_and_picture_without_secrets() {
    let desk = Desk::new();
    let args = ["run", "scenarios/tacacs-ipip.yaml", "--html", "new/run.html", "--out", "kept"];
    desk.labsim(&args).exits(0);
    desk.labsim(&["report", "kept", "--html", "kept.html"]).exits(0);
    let (run, kept) = (read(&desk, "new/run.html"), read(&desk, "kept.html"));
    assert_eq!(packets(&run), packets(&kept));
    for page in [&run, &kept] {
        for shown in [
            "PASS</span> tacacs-ipip",
            "no reply crossed the load balancer",
            "172.16.4.99 on lo",
            "ipip tunnel",
            "<td>client:eth0<td>router:client<td>to 172.16.4.99 SYN, ttl 128",
            "IPIP, ttl 255 [to 172.16.4.99 SYN, ttl 126]",
            "authentication PASS user `violet`",
            "# scenarios/tacacs-ipip.yaml, extends scenarios/parts/tacacs.yaml",
            "password: &quot;***&quot;",
        ] {
            assert!(page.contains(shown), "`{shown}` is missing");
        }
        assert!(!page.contains("indigo"), "a password");
        assert!(page.len() < 150_000, "{}", page.len());
    }
}

/// `indigo` is the password of the login.
#[test]
fn with_secrets_the_page_alone_has_them_and_is_the_users_alone() {
    let desk = Desk::new();
    desk.write("page.html", "of an earlier run");
    let run = ["run", "scenarios/tacacs-ipip.yaml", "-vv", "--html", "page.html", "--with-secrets"];
    let ended =
        desk.labsim(&[&run[..], &["--out", "kept", "--json", "run.json"]].concat()).exits(0);
    desk.labsim(&["report", "kept", "--html", "kept.html"]).exits(0);
    let page = read(&desk, "page.html");
    for shown in ["Configuration as merged, with secrets", "indigo", "secret: tacacs-test"] {
        assert!(page.contains(shown), "`{shown}` is missing");
    }
    assert!(!page.contains("***") && !page.contains("without secrets"));
    let mode = |name: &str| desk.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("page.html"), 0o600);
    let others = ["kept/tacacs-ipip/events.jsonl", "kept/run.json", "run.json", "kept.html"];
    let mut others: Vec<(&str, String)> =
        others.into_iter().map(|name| (name, read(&desk, name))).collect();
    others.extend([("standard output", ended.stdout), ("the log", ended.stderr)]);
    for (name, text) in &others {
        assert!(text.contains("tacacs-ipip"), "{name}");
        for secret in ["indigo", "secret: tacacs-test", "with secrets"] {
            assert!(!text.contains(secret), "{name} has `{secret}`");
        }
    }
}

#[test]
fn secrets_are_refused_without_a_page_and_where_others_may_read_it() {
    let desk = Desk::new();
    let run = ["run", "scenarios/tacacs-ipip.yaml", "--with-secrets"];
    desk.labsim(&run).exits(2).says("--html <FILE>");
    let ended = desk.labsim(&[&run[..], &["--html", "/dev/stdout"]].concat()).exits(2);
    ended.says(
        "the page /dev/stdout cannot be written: it is no regular file; secrets are only written to a file \
         that is this user's alone",
    );
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_failure_shows_its_cause_first_and_a_login_name_is_no_markup() {
    let desk = Desk::new();
    let yaml = "real_servers: {servers: {vip: []}}\n\
                steps: {login: {tacacs_login: {user: '<script>alert(1)</script>'}}}\n";
    let file = desk.over("evil", "tacacs-ipip", yaml);
    desk.labsim(&["run", &file, "--html", "page.html"]).exits(1);
    let page = read(&desk, "page.html");
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("`{text}` is missing"));
    assert!(place("[vip-missing]") < place("What did not hold:"));
    assert!(place("Fix: ") < place("<h3>The lab</h3>"));
    place("&lt;script&gt;alert(1)&lt;/script&gt;");
    assert!(!page.contains("<script>alert"));
}

#[test]
fn a_page_that_cannot_be_written_is_found_before_anything_runs() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", "scenarios/tacacs-ipip.yaml", "--html", "scenarios"]).exits(2);
    ended.says("the page scenarios cannot be written: it is a folder");
    assert!(!ended.stdout.contains("PASS"), "{}", ended.stdout);
}

#[test]
fn what_is_no_folder_of_results_is_a_sentence() {
    let desk = Desk::new();
    desk.labsim(&["report", "gone", "--html", "x.html"]).exits(2).says("no such folder");
    desk.labsim(&["report", "scenarios", "--html", "x.html"]).exits(2).says("no results in it");
    assert!(!desk.path("x.html").exists());
    std::fs::create_dir_all(desk.path("kept/one")).unwrap();
    desk.write("kept/one/events.jsonl", "{\"schema\":99}\n");
    desk.labsim(&["report", "kept", "--html", "x.html"]).exits(2).says("has schema 99");
    desk.write("kept/one/events.jsonl", "{\"schema\":1,\"time_us\":1");
    desk.labsim(&["report", "kept", "--html", "x.html"]).exits(2).says("is not a JSON object");
}
