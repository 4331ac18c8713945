//! TACACS+: the START of an ASCII login without a user (RFC 8907 5.4.2.1). Every reply that the
//! secret decrypts passes, except ERROR, by which a server reports that it cannot serve.

use super::{Failure, ProbeTarget, tcp};
use labsim_aaa::tacacs::client::{Connection, Options, ProbeOutcome};
use labsim_aaa::tacacs::codes::AuthenStatus;

pub(super) async fn ask(target: &ProbeTarget<'_>) -> Result<String, Failure> {
    let mut stream = tcp::connect(target).await?;
    let secret = target.member.monitor.secret.clone().unwrap_or_default();
    let options = Options { deadline: target.limit, ..Options::new(secret) };
    match Connection::new(&mut stream, options).probe().await {
        ProbeOutcome::Answered(AuthenStatus::Error) => {
            Err(Failure::InvalidReply("the server answered ERROR".to_owned()))
        }
        ProbeOutcome::Answered(status) => Ok(format!("the server answered {status:?}")),
        ProbeOutcome::NoResult(error) => Err(Failure::InvalidReply(error.to_string())),
    }
}
