//! Names of ports, as tmsh and ipvsadm write them in place of numbers (services(5)).

/// The port that a number, a service's name, `any` or `*` stands for; `any` is 0.
pub(crate) fn port(text: &str) -> Option<u16> {
    if ["any", "*"].contains(&text) {
        return Some(0);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    ports().find(|(name, _)| *name == text).and_then(|(_, port)| port.parse().ok())
}

/// Names and ports.
fn ports() -> impl Iterator<Item = (&'static str, &'static str)> {
    PORTS.split(", ").filter_map(|one| one.split_once(' '))
}

/// IANA's names, and those that services files have beside them.
const PORTS: &str = "\
    amqp 5672, auth 113, bgp 179, bootpc 68, bootps 67, chargen 19, datametrics 1645, daytime \
    13, diameter 3868, discard 9, domain 53, echo 7, epmap 135, exec 512, f5-globalsite 2792, \
    f5-iquery 4353, finger 79, ftp 21, ftp-data 20, ftps 990, ftps-data 989, gopher 70, \
    h323hostcall 1720, hosts2-ns 81, http 80, http-alt 8080, https 443, https-alt 8443, ident \
    113, imap 143, imap4 143, imaps 993, ipp 631, irc 194, isakmp 500, kerberos 88, kpasswd 464, \
    l2tp 1701, ldap 389, ldaps 636, login 513, lotusnote 1352, microsoft-ds 445, mqtt 1883, \
    ms-sql-m 1434, ms-sql-s 1433, ms-wbt-server 3389, mysql 3306, ncube-lm 1521, netbios-dgm \
    138, netbios-ns 137, netbios-ssn 139, nfs 2049, nntp 119, nntps 563, ntp 123, old-radacct \
    1646, old-radius 1645, pcsync-https 8443, pop3 110, pop3s 995, postgresql 5432, pptp 1723, \
    printer 515, radacct 1813, radius 1812, radius-acct 1813, radius-dynauth 3799, radsec 2083, \
    redis 6379, rsync 873, rtsp 554, sa-msg-port 1646, shell 514, sip 5060, sip-tls 5061, sips \
    5061, smtp 25, smtps 465, snmp 161, snmp-trap 162, snmptrap 162, socks 1080, squid 3128, ssh \
    22, submission 587, sunrpc 111, syslog 514, tacacs 49, tacacs-ds 65, telnet 23, tftp 69, \
    time 37, webcache 8080, whois 43, xmpp-client 5222";

#[cfg(test)]
mod tests {
    use super::{port, ports};

    #[test]
    fn every_name_stands_once_and_in_order() {
        assert!(ports().is_sorted_by(|a, b| a.0 < b.0));
        assert!(ports().all(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0)));
        assert_eq!(ports().count(), 96);
    }

    #[test]
    fn ports_are_numbers_or_names() {
        for (text, number) in [
            ("49", Some(49)),
            ("tacacs", Some(49)),
            ("radius", Some(1812)),
            ("radius-acct", Some(1813)),
            ("http", Some(80)),
            ("any", Some(0)),
            ("0", Some(0)),
            ("65536", None),
            ("", None),
            ("+49", None),
            ("nosuch", None),
        ] {
            assert_eq!(port(text), number, "{text}");
        }
    }
}
