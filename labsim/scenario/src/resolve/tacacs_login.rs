//! TACACS+ logins, and the end of those that pause.

use super::Report;
use super::steps::{Asker, Known, ServerKind, number, seconds};
use super::tacacs_servers::CREDENTIAL;
use crate::file::{LoginCloseWord, LoginMethodWord, StepForm, Table, TacacsLoginFields};
use crate::model::{
    LoginClose, LoginMethod, NodeName, Secret, Step, StepAction, StepName, TacacsLogin,
};
use crate::text::{listed, quoted};
use labsim_yaml::Located;

/// Most logins of a client, and of a step.
const TIMES: u32 = 100_000;
/// Most logins at a time: each has a socket and a port.
const AT_ONCE: u32 = 10_000;
/// How long a login may take, in seconds.
const TIMEOUT: u64 = 5;

/// Resolves a login step.
pub(super) fn tacacs_login(
    fields: &TacacsLoginFields,
    asker: &Asker<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let nodes = asker.lookup.nodes(&fields.from, report);
    let from: Vec<NodeName> = nodes.into_iter().map(|node| node.value).collect();
    let to = asker.to(&fields.to, &from, report);
    let times = number(fields.times, (1, TIMES), "times", report);
    let at_once = number(fields.at_once, (1, AT_ONCE), "at_once", report);
    if let Some(written) = fields.times
        && u32::try_from(from.len()).is_ok_and(|clients| clients.saturating_mul(times) > TIMES)
    {
        report.at(written.span, format!("at most {TIMES} logins of all clients are allowed"));
    }
    report.plain(&fields.user, "user name", CREDENTIAL);
    report.plain(&fields.password, "password", CREDENTIAL);
    let pause = fields.pause.filter(|pause| pause.value);
    if let Some(pause) = pause {
        if fields.method != LoginMethodWord::Ascii {
            report.at(
                pause.span,
                "only an ASCII login can pause, when the server asks for the password; leave \
                 `method` out",
            );
        }
        if from.len() > 1 || times > 1 {
            report.at(pause.span, "only a single login can pause; name one client, and no `times`");
        }
    }
    let background = fields.background.filter(|background| background.value);
    if let (Some(_), Some(background)) = (pause, background) {
        report.at(background.span, "a login that pauses waits anyway; leave `background` out");
    }
    let secret = asker.secret(fields.secret.as_ref(), ServerKind::Tacacs, report);
    if from.is_empty() {
        return None;
    }
    Some(StepAction::TacacsLogin(TacacsLogin {
        from,
        times,
        at_once,
        to: to?,
        secret: secret?,
        method: match fields.method {
            LoginMethodWord::Ascii => LoginMethod::Ascii,
            LoginMethodWord::Pap => LoginMethod::Pap,
            LoginMethodWord::Chap => LoginMethod::Chap,
        },
        user: fields.user.value.clone(),
        password: Secret::new(fields.password.value.clone()),
        timeout: seconds(fields.timeout, TIMEOUT, report),
        pause: pause.is_some(),
        close: match fields.close {
            LoginCloseWord::Reset => LoginClose::Reset,
            LoginCloseWord::Fin => LoginClose::Fin,
        },
        background: background.is_some(),
    }))
}

/// How a step begins that another one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// With `pause`; `resume` ends it.
    Paused,
    /// With `background`; `finish` ends it.
    Background,
}

impl Begun {
    fn is(self, action: &StepAction) -> bool {
        match action {
            StepAction::TacacsLogin(login) => match self {
                Self::Paused => login.pause,
                Self::Background => login.background,
            },
            _ => false,
        }
    }

    /// Whether a step ends the one of that name.
    fn is_ended(self, login: &StepName, by: &StepAction) -> bool {
        match (self, by) {
            (Self::Paused, StepAction::Resume { login: ended })
            | (Self::Background, StepAction::Finish { login: ended }) => ended == login,
            _ => false,
        }
    }

    /// Those steps as a group, what one of them does not do, its key, and how it is ended.
    const fn words(self) -> [&'static str; 4] {
        match self {
            Self::Paused => ["those that pause", "does not pause", "pause", "resumed"],
            Self::Background => {
                ["those in the background", "is not in the background", "background", "finished"]
            }
        }
    }
}

/// Resolves a step that goes on with a login: an earlier one that paused, and only once.
pub(super) fn resume(
    login: &Located<String>,
    known: (&[Step], &[Known]),
    report: &mut Report<'_>,
) -> Option<StepAction> {
    Some(StepAction::Resume { login: ended(Begun::Paused, login, known, report)? })
}

/// Resolves a step that waits for logins: those of an earlier one in the background, and only once.
pub(super) fn finish(
    login: &Located<String>,
    known: (&[Step], &[Known]),
    report: &mut Report<'_>,
) -> Option<StepAction> {
    Some(StepAction::Finish { login: ended(Begun::Background, login, known, report)? })
}

/// Complains about a step in the background that no step finishes.
pub(super) fn unfinished(
    key: &Located<String>,
    table: &Table<Located<StepForm>>,
    report: &mut Report<'_>,
) {
    let ends = |form: &StepForm| matches!(form, StepForm::Finish(fields) if *fields.login == **key);
    if !table.iter().any(|(_, form)| ends(&form.value)) {
        report.at(
            key.span,
            format!(
                "{} is in the background, and no step waits for its end; add a `finish` step",
                quoted(key)
            ),
        );
    }
}

fn ended(
    begun: Begun,
    login: &Located<String>,
    (steps, names): (&[Step], &[Known]),
    report: &mut Report<'_>,
) -> Option<StepName> {
    let [those, is_not, key, how] = begun.words();
    if !names.iter().any(|known| known.name.as_str() == login.as_str()) {
        let others = steps.iter().filter(|step| begun.is(&step.action)).map(|step| &step.name);
        let others: Vec<_> = others.collect();
        report.absent(
            login.span,
            login,
            format!(
                "no step before this one is called {}; {those} are {}",
                quoted(login),
                listed(others.into_iter())
            ),
        );
        return None;
    }
    let step = steps.iter().find(|step| step.name.as_str() == login.as_str())?;
    if !begun.is(&step.action) {
        let message = format!("{} {is_not}; write `{key}: true` there", quoted(login));
        report.at(login.span, message);
        return None;
    }
    if steps.iter().any(|other| begun.is_ended(&step.name, &other.action)) {
        let message = format!("{} is {how} by an earlier step already; keep one", quoted(login));
        report.at(login.span, message);
    }
    Some(step.name.clone())
}
