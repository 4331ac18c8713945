//! A rule in nftables' words (nft(8)): matches, and a verdict.

use super::tokens::split;
use super::value::{Range, interface, number, range};
use crate::model::filter::{DscpRewrite, Family, Field, Kind, Match, Reject, Test, Verdict};
use crate::text::quoted;
use labsim_codes::{Code, file};
use labsim_yaml::meant;
use std::iter::Peekable;

/// Most values of a set.
const VALUES: usize = 64;

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) matches: Vec<Match>,
    pub(super) dscp: Option<DscpRewrite>,
    pub(super) verdict: Verdict,
}

/// What is wrong with it, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) code: Code,
    pub(super) message: String,
}

impl From<String> for Mistake {
    fn from(message: String) -> Self {
        Self { code: file::INVALID_VALUE, message }
    }
}

fn unknown(message: String) -> Mistake {
    Mistake { code: file::UNKNOWN_WORD, message }
}

type Tokens<'t> = Peekable<std::vec::IntoIter<&'t str>>;

/// Reads a rule.
pub(super) fn parse(text: &str) -> Result<Parsed, Mistake> {
    let mut tokens = split(text).into_iter().peekable();
    let mut matches: Vec<Match> = Vec::new();
    let mut dscp: Option<DscpRewrite> = None;
    loop {
        let Some(word) = tokens.next() else {
            if dscp.is_some() {
                agree(&matches, dscp)?;
                return Ok(Parsed { matches, dscp, verdict: Verdict::Continue });
            }
            let message = "this rule has no verdict; end it with `accept`, `drop` or `reject`";
            return Err(message.to_owned().into());
        };
        if let Some(verdict) = verdict(word, &mut tokens)? {
            if let Some(rest) = tokens.next() {
                let message =
                    format!("{} stands behind the verdict, which ends a rule", quoted(rest));
                return Err(format!("{message}; leave it out, or put it before").into());
            }
            agree(&matches, dscp)?;
            return Ok(Parsed { matches, dscp, verdict });
        }
        if word == "counter" {
            // Every rule has one.
            continue;
        }
        if let Some(rewrite) = dscp_rewrite(word, &mut tokens)? {
            if dscp.replace(rewrite).is_some() {
                return Err("a second `dscp set`; keep one".to_owned().into());
            }
            continue;
        }
        if dscp.is_some() {
            let shown = quoted(word);
            return Err(format!(
                "{shown} stands behind `dscp set`; put matches before it, and behind it `accept`, \
                 `drop`, `reject` or nothing"
            )
            .into());
        }
        let field = field(word, &mut tokens)?;
        matches.push(condition(field, &mut tokens)?);
    }
}

/// `ip dscp set ef`.
fn dscp_rewrite(word: &str, tokens: &mut Tokens<'_>) -> Result<Option<DscpRewrite>, Mistake> {
    let family = match word {
        "ip" => Family::Ipv4,
        "ip6" => Family::Ipv6,
        _ => return Ok(None),
    };
    let mut ahead = tokens.clone();
    if (ahead.next(), ahead.next()) != (Some("dscp"), Some("set")) {
        return Ok(None);
    }
    let Some(field) = Field::find("ip dscp") else { return Ok(None) };
    let number = number(field, value(&mut ahead, field)?)?;
    *tokens = ahead;
    Ok(u8::try_from(number).ok().map(|value| DscpRewrite { family, value }))
}

fn verdict(word: &str, tokens: &mut Tokens<'_>) -> Result<Option<Verdict>, Mistake> {
    match word {
        "accept" => return Ok(Some(Verdict::Accept)),
        "drop" => return Ok(Some(Verdict::Drop)),
        "reject" => {}
        _ => return Ok(None),
    }
    if tokens.next_if_eq(&"with").is_none() {
        return Ok(Some(Verdict::Reject(Reject::PortUnreachable)));
    }
    let said = [tokens.next().unwrap_or_default(), tokens.next().unwrap_or_default()];
    let reject = match said {
        ["tcp", "reset"] => Reject::TcpReset,
        ["icmpx", "no-route"] => Reject::NoRoute,
        ["icmpx", "port-unreachable"] => Reject::PortUnreachable,
        ["icmpx", "host-unreachable"] => Reject::HostUnreachable,
        ["icmpx", "admin-prohibited"] => Reject::AdminProhibited,
        _ => {
            return Err(unknown(format!(
                "`reject with` goes on with `tcp reset`, or with `icmpx` and `no-route`, \
                 `port-unreachable`, `host-unreachable` or `admin-prohibited`; here it is {}",
                quoted(said.join(" ").trim())
            )));
        }
    };
    Ok(Some(Verdict::Reject(reject)))
}

fn field(word: &str, tokens: &mut Tokens<'_>) -> Result<&'static Field, Mistake> {
    // `meta iifname` is the same.
    if word == "meta"
        && let Some(field) = tokens.peek().and_then(|next| Field::find(next))
    {
        tokens.next();
        return Ok(field);
    }
    if let Some(field) = Field::find(word) {
        return Ok(field);
    }
    let of_group = |group: &str| {
        let words = Field::ALL.iter().filter_map(|field| field.words.split_once(' '));
        words.filter(|(first, _)| *first == group).map(|(_, second)| second).collect::<Vec<_>>()
    };
    let known = of_group(word);
    if known.is_empty() {
        let groups = Field::ALL.iter().filter_map(|field| field.words.split(' ').next());
        let verdicts = ["accept", "drop", "reject"];
        let shown = quoted(word);
        return Err(unknown(match meant(word, groups.chain(verdicts)) {
            Some(name) => format!("unknown word {shown} in a rule; did you mean `{name}`?"),
            None => format!(
                "unknown word {shown} in a rule; a rule has matches of `iifname`, `oifname`, `meta`, \
                 `ct`, `ip`, `ip6`, `tcp`, `udp`, `icmp` and `icmpv6`, and ends with `accept`, `drop` \
                 or `reject`"
            ),
        }));
    }
    let second = tokens.next().unwrap_or_default();
    if let Some(field) = Field::find(&format!("{word} {second}")) {
        return Ok(field);
    }
    Err(unknown(match meant(second, known.iter().copied()) {
        Some(name) => {
            format!("`{word}` has no {}; did you mean `{word} {name}`?", quoted(second))
        }
        None => {
            let listed: Vec<String> = known.iter().map(|name| format!("`{word} {name}`")).collect();
            format!("`{word}` has no {}; there is {}", quoted(second), listed.join(", "))
        }
    }))
}

/// The comparison behind a field.
fn condition(field: &'static Field, tokens: &mut Tokens<'_>) -> Result<Match, Mistake> {
    let masked = match tokens.next_if_eq(&"&") {
        Some(_) => Some(bits(field, tokens)?),
        None => None,
    };
    let operator =
        tokens.next_if(|token| ["==", "!=", "<", ">", "<=", ">=", "=", "!"].contains(token));
    let negated = operator == Some("!=");
    match operator {
        Some(sign @ ("=" | "!")) => {
            let message = format!("{} is no comparison; write `==` or `!=`", quoted(sign));
            return Err(message.into());
        }
        Some(sign @ ("<" | ">" | "<=" | ">=")) => return bound(field, masked, sign, tokens),
        None if masked.is_some() => {
            return Err("a mask is followed by `==` or `!=` and a value".to_owned().into());
        }
        _ => {}
    }
    if field.kind == Kind::Interface {
        if masked.is_some() {
            return Err(format!("`{}` has names, and no bits", field.words).into());
        }
        let names = list(tokens, interface, field)?;
        return Ok(Match { field, negated, test: Test::Interfaces(names) });
    }
    if let (Kind::Flags(_), None) = (field.kind, masked) {
        return flags(field, operator, tokens);
    }
    if matches!(field.kind, Kind::Flags(_)) {
        let value = bits(field, tokens)?;
        return Ok(numbers(field, negated, masked, vec![(value, value)]));
    }
    let ranges = list(tokens, |text| range(field, text), field)?;
    Ok(numbers(field, negated, masked, ranges))
}

fn numbers(field: &'static Field, negated: bool, mask: Option<u128>, ranges: Vec<Range>) -> Match {
    Match { field, negated, test: Test::Numbers { mask, ranges } }
}

/// `< 5`, `>= 1024`.
fn bound(
    field: &'static Field,
    mask: Option<u128>,
    sign: &str,
    tokens: &mut Tokens<'_>,
) -> Result<Match, Mistake> {
    let words = field.words;
    if !matches!(field.kind, Kind::Number(_)) {
        return Err(format!("`{words}` is not compared by size; write `==` or `!=`").into());
    }
    let value = number(field, value(tokens, field)?)?;
    let most = (1_u128 << field.at.bits().min(127)) - 1;
    let range = match sign {
        "<" => value.checked_sub(1).map(|last| (0, last)),
        "<=" => Some((0, value)),
        ">" => value.checked_add(1).filter(|first| *first <= most).map(|first| (first, most)),
        _ => Some((value, most)),
    };
    let Some(range) = range else {
        let message = format!("no `{words}` is {sign} {value}; write another number");
        return Err(Mistake { code: file::NO_EFFECT, message });
    };
    Ok(numbers(field, false, mask, vec![range]))
}

/// `ct state established,related`: any of the bits is set; `!=`: none of them. `tcp flags == syn`:
/// exactly these are.
fn flags(
    field: &'static Field,
    operator: Option<&str>,
    tokens: &mut Tokens<'_>,
) -> Result<Match, Mistake> {
    if operator.is_some() && field.words == "tcp flags" {
        let value = bits(field, tokens)?;
        return Ok(numbers(field, operator == Some("!="), None, vec![(value, value)]));
    }
    let in_braces = tokens.peek() == Some(&"{");
    let mut values = if in_braces {
        list(tokens, |text| number(field, text), field)?
    } else {
        vec![number(field, value(tokens, field)?)?]
    };
    if in_braces && field.words == "tcp flags" {
        let ranges = values.into_iter().map(|value| (value, value)).collect();
        return Ok(numbers(field, false, None, ranges));
    }
    while !in_braces && tokens.next_if_eq(&",").is_some() {
        values.push(number(field, value(tokens, field)?)?);
    }
    let mask = values.iter().fold(0, |all, value| all | value);
    // Some bit of the mask is set: what is left is not 0.
    Ok(numbers(field, operator != Some("!="), Some(mask), vec![(0, 0)]))
}

/// `0x1fff`, `syn`, `(syn | ack)`.
fn bits(field: &'static Field, tokens: &mut Tokens<'_>) -> Result<u128, Mistake> {
    let in_parentheses = tokens.next_if_eq(&"(").is_some();
    let mut all = number_of_bits(field, tokens)?;
    while tokens.next_if_eq(&"|").is_some() {
        all |= number_of_bits(field, tokens)?;
    }
    if in_parentheses && tokens.next_if_eq(&")").is_none() {
        return Err("a `(` without its `)`".to_owned().into());
    }
    Ok(all)
}

fn number_of_bits(field: &'static Field, tokens: &mut Tokens<'_>) -> Result<u128, Mistake> {
    let text = value(tokens, field)?;
    match field.kind {
        // A mask such as 255.255.255.0.
        Kind::Ipv4 | Kind::Ipv6 => Ok(range(field, text)?.0),
        Kind::Interface => Err(format!("`{}` has names, and no bits", field.words).into()),
        Kind::Number(_) | Kind::Flags(_) => Ok(number(field, text)?),
    }
}

/// One value, or a set of them.
fn list<T>(
    tokens: &mut Tokens<'_>,
    read: impl Fn(&str) -> Result<T, String>,
    field: &Field,
) -> Result<Vec<T>, Mistake> {
    if tokens.next_if_eq(&"{").is_none() {
        return Ok(vec![read(value(tokens, field)?)?]);
    }
    let mut values = vec![read(value(tokens, field)?)?];
    loop {
        match tokens.next() {
            Some("}") => return Ok(values),
            Some(",") if values.len() < VALUES => {
                // nft(8) takes a comma behind the last one.
                if tokens.next_if_eq(&"}").is_some() {
                    return Ok(values);
                }
                values.push(read(value(tokens, field)?)?);
            }
            Some(",") => {
                let message = format!("a set of more than {VALUES} values; write less");
                return Err(Mistake { code: file::TOO_MANY, message });
            }
            Some(other) => {
                let shown = quoted(other);
                return Err(format!("{shown} stands in a set; write `,` between its values").into());
            }
            None => return Err("a `{` without its `}`".to_owned().into()),
        }
    }
}

/// The next token, which has to be a value.
fn value<'t>(tokens: &mut Tokens<'t>, field: &Field) -> Result<&'t str, Mistake> {
    let is_value =
        |token: &&str| token.starts_with(|it: char| it.is_ascii_alphanumeric() || it == ':');
    let is_verdict = |token: &&str| ["accept", "drop", "reject"].contains(token);
    match tokens.next_if(|token| is_value(token) && !is_verdict(token)) {
        Some(text) => Ok(text),
        None => {
            let found = tokens.peek().map_or("nothing".to_owned(), |token| quoted(token));
            Err(format!("`{}` needs a value; here it is {found}", field.words).into())
        }
    }
}

/// Finds matches that no packet has together.
fn agree(matches: &[Match], dscp: Option<DscpRewrite>) -> Result<(), Mistake> {
    let mut family: Option<(Family, &str)> = None;
    let mut protocol: Option<(u8, &str)> = None;
    for Match { field, .. } in matches {
        let words = field.words;
        if let Some(own) = field.family {
            let (known, before) = *family.get_or_insert((own, words));
            differ(known == own, before, words)?;
        }
        if let Some(own) = field.protocol {
            let (known, before) = *protocol.get_or_insert((own, words));
            differ(known == own, before, words)?;
        }
    }
    if let (Some(DscpRewrite { family: own, .. }), Some((known, before))) = (dscp, family) {
        let words = if own == Family::Ipv4 { "ip dscp set" } else { "ip6 dscp set" };
        differ(known == own, before, words)?;
    }
    Ok(())
}

fn differ(agree: bool, before: &str, words: &str) -> Result<(), Mistake> {
    if agree {
        return Ok(());
    }
    let message = format!("no packet has both `{before}` and `{words}`; make two rules of it");
    Err(Mistake { code: file::NO_EFFECT, message })
}

#[cfg(test)]
mod tests;
