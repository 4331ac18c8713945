//! HTTP/1.1 (RFC 9112), as far as a GET and its answer need it: fields that begin and end messages are
//! read strictly, all others are passed over. A body has a Content-Length, or ends with the connection.

use std::fmt::Write as _;

/// Most bytes of a head: start line and fields.
pub const MAX_HEAD: usize = 8192;
/// Most fields of a head.
const MAX_FIELDS: usize = 100;

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The head does not end.
    #[error("the head has more than {MAX_HEAD} bytes")]
    TooLong,
    /// The first line is none of HTTP/1.
    #[error("the first line is not HTTP/1's")]
    StartLine,
    /// A line of the head is no field.
    #[error("a line of the head is not a field")]
    Field,
    /// There are too many fields.
    #[error("the head has more than {MAX_FIELDS} fields")]
    TooManyFields,
    /// Content-Length is no number, or stands twice.
    #[error("the Content-Length is not one number")]
    Length,
    /// The body is encoded.
    #[error("the body has a Transfer-Encoding, which is not supported")]
    Encoded,
    /// A request without Host, or with several (RFC 9112 3.2).
    #[error("the request does not have one Host")]
    Host,
}

/// A request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, or another.
    pub method: String,
    /// The path, with its query.
    pub target: String,
    /// The Host, without its port.
    pub host: String,
    /// Bytes of its body.
    pub length: u64,
    /// Whether the connection ends with the answer.
    pub close: bool,
}

/// A response's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Bytes of its body; `None` if it ends with the connection.
    pub length: Option<u64>,
    /// Whether the server closes the connection after it.
    pub close: bool,
}

/// Writes a GET.
#[must_use]
pub fn write_request(target: &str, host: &str, close: bool) -> Vec<u8> {
    let end = if close { "Connection: close\r\n" } else { "" };
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: labsim\r\n{end}\r\n").into_bytes()
}

/// Writes a response's head. It has no Date: equal runs have equal answers.
#[must_use]
pub fn write_response(status: u16, length: u64, close: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    // RFC 9110 8.6: no Content-Length in these.
    if has_body(status) {
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    if close {
        head += "Connection: close\r\n";
    }
    head += "\r\n";
    head.into_bytes()
}

/// Whether a response of that status may have a body (RFC 9110 6.4.1).
#[must_use]
pub const fn has_body(status: u16) -> bool {
    !matches!(status, 100..200 | 204 | 304)
}

/// The usual phrase of a status; empty for the less usual ones, as RFC 9112 4 allows.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "",
    }
}

/// Reads a request's head, and how many bytes it takes; `None` while it is not complete.
///
/// # Errors
/// It is none.
pub fn read_request(bytes: &[u8]) -> Result<Option<(Request, usize)>, HttpError> {
    let Some((line, fields, end)) = head(bytes)? else { return Ok(None) };
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HttpError::StartLine);
    };
    let is_old = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return Err(HttpError::StartLine),
    };
    let is_token = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    if !is_token || !is_target(target) {
        return Err(HttpError::StartLine);
    }
    let fields = Fields::read(&fields)?;
    let host = match (fields.host, is_old) {
        (Some(host), _) => without_port(host).to_owned(),
        (None, true) => String::new(),
        (None, false) => return Err(HttpError::Host),
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let close = fields.close.unwrap_or(is_old);
    let request = Request { method, target, host, length: fields.length.unwrap_or(0), close };
    Ok(Some((request, end)))
}

/// Whether a text can be a request's target: a path of visible ASCII.
#[must_use]
pub fn is_target(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a text can be a Host: visible ASCII.
#[must_use]
pub fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads a response's head, and how many bytes it takes; `None` while it is not complete.
///
/// # Errors
/// It is none.
pub fn read_response(bytes: &[u8]) -> Result<Option<(Response, usize)>, HttpError> {
    let Some((line, fields, end)) = head(bytes)? else { return Ok(None) };
    let mut words = line.splitn(3, ' ');
    let (version, status) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    let status: u16 = status.parse().map_err(|_| HttpError::StartLine)?;
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") || !is_status || !(100..600).contains(&status) {
        return Err(HttpError::StartLine);
    }
    let fields = Fields::read(&fields)?;
    let length = if has_body(status) { fields.length } else { Some(0) };
    let close = fields.close.unwrap_or(version == "HTTP/1.0") || length.is_none();
    Ok(Some((Response { status, length, close }, end)))
}

/// A Host without its port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    }
}

/// The start line, the lines of fields, and where the head ends.
type Head<'a> = (&'a str, Vec<&'a str>, usize);

fn head(bytes: &[u8]) -> Result<Option<Head<'_>>, HttpError> {
    let window = bytes.get(..bytes.len().min(MAX_HEAD)).unwrap_or_default();
    let Some(end) = window.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() >= MAX_HEAD { Err(HttpError::TooLong) } else { Ok(None) };
    };
    let text = window.get(..end).unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_| HttpError::Field)?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let fields: Vec<&str> = lines.collect();
    if fields.len() > MAX_FIELDS {
        return Err(HttpError::TooManyFields);
    }
    Ok(Some((first, fields, end + 4)))
}

/// The fields that are of interest.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a str>,
    length: Option<u64>,
    close: Option<bool>,
}

impl<'a> Fields<'a> {
    fn read(lines: &[&'a str]) -> Result<Self, HttpError> {
        let mut fields = Self::default();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(HttpError::Field)?;
            let is_name =
                |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;\"/[]?={}\\".contains(&byte);
            let value = value.trim_matches([' ', '\t']);
            let is_value = |c: char| c == '\t' || !c.is_control();
            if name.is_empty() || !name.bytes().all(is_name) || !value.chars().all(is_value) {
                return Err(HttpError::Field);
            }
            if name.eq_ignore_ascii_case("host") {
                if fields.host.is_some() || !is_host(value) {
                    return Err(HttpError::Host);
                }
                fields.host = Some(value);
            } else if name.eq_ignore_ascii_case("content-length") {
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let length = value.parse().ok().filter(|_| digits && fields.length.is_none());
                fields.length = Some(length.ok_or(HttpError::Length)?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(HttpError::Encoded);
            } else if name.eq_ignore_ascii_case("connection") {
                let mut options = value.split(',').map(|option| option.trim_matches([' ', '\t']));
                if options.clone().any(|option| option.eq_ignore_ascii_case("close")) {
                    fields.close = Some(true);
                } else if options.any(|option| option.eq_ignore_ascii_case("keep-alive")) {
                    fields.close = Some(false);
                }
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let bytes = write_request("/index.html?a=1", "www.example.org:8080", true);
        let (request, end) = read_request(&bytes).unwrap().unwrap();
        assert_eq!(end, bytes.len());
        assert_eq!((request.method.as_str(), request.close), ("GET", true));
        assert_eq!(
            (request.target.as_str(), request.host.as_str()),
            ("/index.html?a=1", "www.example.org")
        );
        for (status, length) in [(200, Some(5)), (404, Some(5)), (204, Some(0)), (599, Some(5))] {
            let bytes = write_response(status, 5, false);
            let expected = Response { status, length, close: false };
            assert_eq!(read_response(&bytes), Ok(Some((expected, bytes.len()))));
        }
    }

    #[test]
    fn a_head_in_pieces_is_read_once_it_is_complete() {
        let bytes = write_request("/", "a", false);
        for end in 0..bytes.len() {
            assert_eq!(read_request(&bytes[..end]), Ok(None), "{end}");
        }
        let two = [bytes.as_slice(), bytes.as_slice()].concat();
        assert_eq!(read_request(&two).unwrap().unwrap().1, bytes.len());
    }

    #[test]
    fn an_older_version_closes_unless_it_says_otherwise() {
        let (request, _) = read_request(b"GET / HTTP/1.0\r\n\r\n").unwrap().unwrap();
        assert!(request.close);
        let kept = b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\n";
        assert!(!read_response(kept).unwrap().unwrap().0.close);
        let (until_end, _) = read_response(b"HTTP/1.1 200 OK\r\n\r\n").unwrap().unwrap();
        assert_eq!((until_end.length, until_end.close), (None, true));
    }

    #[test]
    fn what_is_ambiguous_or_broken_is_refused() {
        for (text, error) in [
            ("GET / HTTP/1.1\r\n\r\n", HttpError::Host),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HttpError::Host),
            ("GET / HTTP/2\r\nHost: a\r\n\r\n", HttpError::StartLine),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", HttpError::StartLine),
            ("get / HTTP/1.1\r\nHost: a\r\n\r\n", HttpError::StartLine),
            ("GET x HTTP/1.1\r\nHost: a\r\n\r\n", HttpError::StartLine),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", HttpError::Field),
            ("GET / HTTP/1.1\r\nnothing\r\n\r\n", HttpError::Field),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", HttpError::Length),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                HttpError::Length,
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", HttpError::Encoded),
        ] {
            assert_eq!(read_request(text.as_bytes()), Err(error), "{text}");
        }
        assert_eq!(read_response(b"HTTP/1.1 0200 OK\r\n\r\n"), Err(HttpError::StartLine));
        assert_eq!(read_request(&[b'x'; MAX_HEAD]), Err(HttpError::TooLong));
        let fields = "a: b\r\n".repeat(MAX_FIELDS + 1);
        let many = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(read_request(many.as_bytes()), Err(HttpError::TooManyFields));
    }
}
