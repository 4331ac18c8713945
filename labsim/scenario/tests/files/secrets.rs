//! A configuration that is shown to others has no secret in it.

use labsim_scenario::{load, merged};
use std::path::Path;

#[test]
fn secrets_passwords_and_what_programs_are_given_are_left_out_and_the_rest_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let folder = dir.path().canonicalize().unwrap();
    let file = folder.join("x.yaml");
    // Files are named relative to the one that extends them.
    let up = "../".repeat(folder.components().count() - 1);
    let text = format!(
        "extends: {up}{}/scenarios/tacacs-ipip.yaml
steps:
  login: {{tacacs_login: {{user: violet, password: hush-password, secret: hush-secret}}}}
  program:
    run: {{node: client, command: [cat, hush-argument], environment: {{A: hush-variable}},
          files: {{a.conf: \"x\\nkey = hush-file\\n\"}}}}
tacacs_servers: {{aaa: {{secret: hush-secret, users: {{violet: hush-password}}}}}}
",
        root.strip_prefix("/").unwrap().display()
    );
    std::fs::write(&file, text).unwrap();
    let whole = merged(file.as_path()).unwrap();
    assert_eq!(whole.matches("hush-").count(), 7, "{whole}");
    let loaded = load(file.as_path()).unwrap();
    // What was read, also where the file is another one by now.
    std::fs::write(&file, "").unwrap();
    assert_eq!(loaded.merged(), whole);
    let shown = loaded.merged_without_secrets();
    assert!(!shown.contains("hush-"), "{shown}");
    for kept in ["user: violet", "violet: \"***\"", "vip: 172.16.4.99", "arp_ignore: 3"] {
        assert!(shown.contains(kept), "{kept}: {shown}");
    }
}
