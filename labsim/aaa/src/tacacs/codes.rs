//! The protocol's numbers. Whatever a peer sends has a value here: numbers that RFC 8907 does not
//! define are `Unknown`, so that reading loses nothing and a session can answer as the RFC asks.

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A number that RFC 8907 does not define.
            Unknown(u8),
        }

        impl From<u8> for $name {
            fn from(value: u8) -> Self {
                match value {
                    $($value => Self::$variant,)+
                    other => Self::Unknown(other),
                }
            }
        }

        impl From<$name> for u8 {
            fn from(code: $name) -> Self {
                match code {
                    $($name::$variant => $value,)+
                    $name::Unknown(value) => value,
                }
            }
        }
    };
}

/// What a packet is about (RFC 8907, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// Proves who a user is.
    Authentication,
    /// Asks what a user may do.
    Authorization,
    /// Records what a user did.
    Accounting,
}

impl From<PacketType> for u8 {
    fn from(kind: PacketType) -> Self {
        match kind {
            PacketType::Authentication => 1,
            PacketType::Authorization => 2,
            PacketType::Accounting => 3,
        }
    }
}

codes!(
    /// What an authentication is for (section 5.1).
    Action {
        /// A login.
        Login = 0x01,
        /// A change of the password.
        ChangePassword = 0x02,
        /// Authentication to another party.
        SendAuth = 0x04,
    }
);
codes!(
    /// How the password travels (section 5.1).
    AuthenType {
        /// Not set; in authorization and accounting only.
        NotSet = 0x00,
        /// Asked for by the server.
        Ascii = 0x01,
        /// In the START packet.
        Pap = 0x02,
        /// As an MD5 digest of a challenge (RFC 1994).
        Chap = 0x03,
        /// RFC 2433.
        MsChap = 0x05,
        /// RFC 2759.
        MsChapV2 = 0x06,
    }
);
codes!(
    /// The service that asks (section 5.1).
    AuthenService {
        /// None.
        None = 0x00,
        /// A login to the device.
        Login = 0x01,
        /// More privileges.
        Enable = 0x02,
        /// PPP.
        Ppp = 0x03,
        /// PT.
        Pt = 0x05,
        /// rcmd.
        Rcmd = 0x06,
        /// X.25.
        X25 = 0x07,
        /// NASI.
        Nasi = 0x08,
        /// A firewall's proxy.
        FwProxy = 0x09,
    }
);
codes!(
    /// How the client came to know the user (section 6.1).
    AuthenMethod {
        /// Not set.
        NotSet = 0x00,
        /// Not at all.
        None = 0x01,
        /// Kerberos 5.
        Krb5 = 0x02,
        /// A line's password.
        Line = 0x03,
        /// The enable password.
        Enable = 0x04,
        /// The device's own users.
        Local = 0x05,
        /// TACACS+.
        TacacsPlus = 0x06,
        /// A guest.
        Guest = 0x08,
        /// RADIUS.
        Radius = 0x10,
        /// Kerberos 4.
        Krb4 = 0x11,
        /// rcmd.
        Rcmd = 0x20,
    }
);
codes!(
    /// A reply's status in authentication (section 5.2).
    AuthenStatus {
        /// The user is authenticated.
        Pass = 0x01,
        /// The user is not authenticated, or the server does not offer what was asked.
        Fail = 0x02,
        /// The server asks for something.
        GetData = 0x03,
        /// The server asks for the user.
        GetUser = 0x04,
        /// The server asks for the password.
        GetPass = 0x05,
        /// Begin again in another way.
        Restart = 0x06,
        /// The server could not do it.
        Error = 0x07,
        /// Ask another server; deprecated, to be read as Fail.
        Follow = 0x21,
    }
);
codes!(
    /// A reply's status in authorization (section 6.2).
    AuthorStatus {
        /// Granted; the reply's arguments come on top of the request's.
        PassAdd = 0x01,
        /// Granted; the reply's arguments replace the request's.
        PassReplace = 0x02,
        /// Denied.
        Fail = 0x10,
        /// The server could not do it.
        Error = 0x11,
        /// Ask another server; deprecated, to be read as Fail.
        Follow = 0x21,
    }
);
codes!(
    /// A reply's status in accounting (section 7.2).
    AcctStatus {
        /// Recorded.
        Success = 0x01,
        /// Not recorded.
        Error = 0x02,
        /// Tell another server; deprecated, to be read as Error.
        Follow = 0x21,
    }
);

/// The reply's flag that what is asked for must not be shown (section 5.2).
pub const REPLY_FLAG_NOECHO: u8 = 0x01;
/// CONTINUE's flag that the client gives up (section 5.3).
pub const CONTINUE_FLAG_ABORT: u8 = 0x01;
/// The privilege level of an ordinary user (section 9).
pub const PRIVILEGE_USER: u8 = 1;
