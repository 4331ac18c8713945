//! `ltm profile fastl4`: how flows begin and end.

use super::config::Object;
use super::defaults_from::ProfileKind;
use super::read;
use super::tree::Property;
use crate::report::Report;
use labsim_model::FastL4;

pub(super) const FASTL4: ProfileKind<FastL4> = ProfileKind {
    root: "/Common/fastL4",
    what: "ltm profile fastl4",
    absent: "it is in none of the imported files; fastL4's own defaults are used",
    objects: |config| &config.fastl4,
    apply,
};

fn apply(settings: &mut FastL4, property: &Property<'_>, object: &Object, report: &mut Report<'_>) {
    let switch = match property.name() {
        "loose-initialization" | "loose-initiation" => &mut settings.loose_initiation,
        "loose-close" => &mut settings.loose_close,
        "reset-on-timeout" => &mut settings.reset_on_timeout,
        "idle-timeout" => {
            if let Some(seconds) = read::seconds(property, &object.what, report) {
                settings.idle_timeout = seconds;
            }
            return;
        }
        _ => return read::not_imported(&object.what, property, report),
    };
    if let Some(on) = read::switch(property, report) {
        *switch = on;
    }
}
