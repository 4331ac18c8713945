//! TACACS+: the beginning of an ASCII login that names nobody (RFC 8907 5.4.2.1). Any reply that the
//! secret deciphers is an answer but ERROR, by which a server says that it cannot do its work.

use super::{Asking, Failure, tcp};
use labsim_aaa::Secret;
use labsim_aaa::tacacs::client::{Connection, Options, ProbeOutcome};
use labsim_aaa::tacacs::codes::AuthenStatus;

pub(super) async fn ask(asking: &Asking<'_>) -> Result<String, Failure> {
    let mut stream = tcp::connect(asking).await?;
    let secret = asking.job.monitor.secret.as_ref().map_or("", |secret| secret.expose());
    let options = Options { deadline: asking.limit, ..Options::new(Secret::new(secret)) };
    match Connection::new(&mut stream, options).probe().await {
        ProbeOutcome::Answered(AuthenStatus::Error) => {
            Err(Failure::Wrong("the server answered ERROR".to_owned()))
        }
        ProbeOutcome::Answered(status) => Ok(format!("the server answered {status:?}")),
        ProbeOutcome::Trouble(trouble) => Err(Failure::Wrong(trouble.to_string())),
    }
}
