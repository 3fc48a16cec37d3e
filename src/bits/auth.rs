//! Who logs in and how far they are: the authentication of one exchange, read from its heads.
//!
//! Says which scheme and which leg of its handshake a token is, and nothing of what is secret in it: names,
//! hashes and keys are neither returned nor kept. Remembers nothing from one exchange to the next.

use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::wire::Head;

/// A way to log in, by the name in front of credentials and challenges.
///
/// RFC 9110 §11.1, MS-NTHT §2.2, RFC 4559 §4
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    Negotiate,
    Ntlm,
    Digest,
    Basic,
    Bearer,
    /// Any other.
    Other,
}

/// What one side shows of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// A server asks; nothing of a handshake yet.
    Asked,
    /// Everything in one message, as Basic and Digest have it.
    Credentials,
    /// NTLM, the client begins.
    Type1,
    /// NTLM, the server's challenge.
    Type2,
    /// NTLM, the client's answer to the challenge.
    Type3,
    /// The same, bound to the TLS connection that the client sees (channel binding).
    Type3Bound,
    /// Negotiate with a ticket of Kerberos.
    Kerberos,
    /// Negotiate, of which neither NTLM nor Kerberos can be made out.
    Spnego,
    /// A token that cannot be read.
    Unreadable,
}

/// The schemes that a challenge offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Offers(u8);

/// The authentication that one exchange shows. Six bytes: a row has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Auth {
    /// It is about a proxy (407, `Proxy-Authorization`), not about the server.
    pub proxy: bool,
    /// The client's scheme; where the client shows nothing, the one that is offered first.
    pub scheme: Option<Scheme>,
    /// What the request carries.
    pub sent: Option<Stage>,
    /// What the answer carries.
    pub answer: Option<Stage>,
    pub offers: Offers,
    /// `Persistent-Auth` of the answer: whether the connection stays logged in.
    ///
    /// MS-N2HT
    pub persistent: Option<bool>,
}

impl Scheme {
    const ALL: [Self; 6] = [
        Self::Negotiate,
        Self::Ntlm,
        Self::Digest,
        Self::Basic,
        Self::Bearer,
        Self::Other,
    ];

    /// Returns the name as the registry spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "Negotiate",
            Self::Ntlm => "NTLM",
            Self::Digest => "Digest",
            Self::Basic => "Basic",
            Self::Bearer => "Bearer",
            Self::Other => "other",
        }
    }

    fn read(name: &[u8]) -> Self {
        let known = Self::ALL
            .into_iter()
            .filter(|scheme| *scheme != Self::Other);
        known
            .into_iter()
            .find(|scheme| name.eq_ignore_ascii_case(scheme.name().as_bytes()))
            .unwrap_or(Self::Other)
    }

    /// Tells whether a login of this scheme is one of the connection, not of a request.
    pub const fn is_of_connection(self) -> bool {
        matches!(self, Self::Negotiate | Self::Ntlm)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Negotiate => 1,
            Self::Ntlm => 2,
            Self::Digest => 4,
            Self::Basic => 8,
            Self::Bearer => 16,
            Self::Other => 32,
        }
    }
}

impl Stage {
    /// Returns the name used in JSON, in filters and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Credentials => "credentials",
            Self::Type1 => "type 1",
            Self::Type2 => "type 2",
            Self::Type3 | Self::Type3Bound => "type 3",
            Self::Kerberos => "Kerberos",
            Self::Spnego => "SPNEGO",
            Self::Unreadable => "unreadable",
        }
    }

    /// Tells whether a client shows all that it has with it: who is refused then, is refused.
    pub const fn is_last(self) -> bool {
        matches!(
            self,
            Self::Credentials | Self::Type3 | Self::Type3Bound | Self::Kerberos
        )
    }
}

impl Offers {
    /// Reads all values of `WWW-Authenticate` or of `Proxy-Authenticate`.
    pub fn read<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Self {
        let mut offers = Self::default();
        for (scheme, _) in values.into_iter().flat_map(challenges) {
            offers.add(scheme);
        }
        offers
    }

    pub const fn holds(self, scheme: Scheme) -> bool {
        self.0 & scheme.bit() != 0
    }

    fn add(&mut self, scheme: Scheme) {
        self.0 |= scheme.bit();
    }

    /// Yields what is offered, Negotiate first, Basic last.
    pub fn schemes(self) -> impl Iterator<Item = Scheme> {
        Scheme::ALL
            .into_iter()
            .filter(move |scheme| self.holds(*scheme))
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, scheme) in self.schemes().enumerate() {
            let comma = if number == 0 { "" } else { " or " };
            let name = match scheme {
                Scheme::Other => "a scheme of another name",
                scheme => scheme.name(),
            };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

impl Auth {
    /// Reads the heads of one exchange; `None` where nothing in them is about a login. Of two logins in
    /// one exchange it is the one that the answer is about, else the server's.
    pub fn read(request: Option<&Head>, response: Option<&Head>) -> Option<Self> {
        let status = response.and_then(Head::status);
        let shown = |name| request.and_then(|head| head.value(name));
        let (origin, through) = (shown("authorization"), shown("proxy-authorization"));
        let proxy =
            status == Some(407) || (status != Some(401) && origin.is_none() && through.is_some());
        let shown = if proxy { through } else { origin };
        let sent = shown.map(credentials);
        let field = if proxy {
            "proxy-authenticate"
        } else {
            "www-authenticate"
        };
        let mut offers = Offers::default();
        let mut first = None;
        let mut answered = None;
        for value in response.into_iter().flat_map(|head| head.values(field)) {
            for (scheme, token) in challenges(value) {
                offers.add(scheme);
                first = first.or(Some(scheme));
                let carries = scheme.is_of_connection() && !token.is_empty();
                answered = answered.or_else(|| carries.then(|| stage(token)));
            }
        }
        let challenged = matches!(status, Some(401 | 407));
        let asked = challenged && first.is_some();
        let answer = answered.or_else(|| asked.then_some(Stage::Asked));
        let persistent = response
            .and_then(|head| head.value("persistent-auth"))
            .and_then(truth);
        if sent.is_none() && answer.is_none() && persistent.is_none() {
            return None;
        }
        Some(Self {
            proxy,
            scheme: sent.map(|sent| sent.0).or(first),
            sent: sent.map(|sent| sent.1),
            answer,
            // What a success carries is the server's own last leg, no offer.
            offers: if challenged {
                offers
            } else {
                Offers::default()
            },
            persistent,
        })
    }

    /// Tells whether the answer goes into the client's handshake: its 401 or 407 refuses nothing yet.
    pub fn goes_on(self) -> bool {
        self.sent.is_some() && self.answer.is_some_and(|answer| answer != Stage::Asked)
    }

    /// Yields the names of what both sides show, the request's first.
    pub fn stages(self) -> impl Iterator<Item = &'static str> {
        [self.sent, self.answer]
            .into_iter()
            .flatten()
            .map(Stage::name)
    }

    /// Yields the names of the schemes that it is about: the client's, else those offered.
    pub fn schemes(self) -> impl Iterator<Item = &'static str> {
        let one = self.sent.and(self.scheme);
        let many = self.offers.schemes().filter(move |_| one.is_none());
        one.into_iter().chain(many).map(Scheme::name)
    }

    /// Returns it in a word or two, for a narrow column: `NTLM type 3`, `login asked`, `Basic`. Empty where
    /// the answer only says that the connection stays logged in.
    pub fn short(self) -> &'static str {
        match self.sent.or(self.answer) {
            None => "",
            Some(Stage::Asked) => "login asked",
            Some(Stage::Credentials) => self.scheme.map_or("", Scheme::name),
            // NTLM it is inside of Negotiate, too.
            Some(Stage::Type1) => "NTLM type 1",
            Some(Stage::Type2) => "NTLM type 2",
            Some(Stage::Type3 | Stage::Type3Bound) => "NTLM type 3",
            Some(Stage::Kerberos) => "Kerberos",
            Some(Stage::Spnego) => "SPNEGO",
            Some(Stage::Unreadable) => "bad token",
        }
    }
}

/// Reads the value of `Authorization` or `Proxy-Authorization`.
pub fn credentials(value: &[u8]) -> (Scheme, Stage) {
    let value = value.trim_ascii();
    let end = value.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let (name, token) = value.split_at(end.unwrap_or(value.len()));
    let scheme = Scheme::read(name);
    if scheme.is_of_connection() {
        (scheme, stage(token.trim_ascii()))
    } else {
        (scheme, Stage::Credentials)
    }
}

/// Yields the challenges in one value of `WWW-Authenticate` or `Proxy-Authenticate`, each with what
/// follows its name: parameters or a token.
///
/// RFC 9110 §11.6.1: a comma separates challenges as well as their parameters.
pub fn challenges(value: &[u8]) -> Vec<(Scheme, &[u8])> {
    let mut found: Vec<(Scheme, &[u8])> = Vec::new();
    let (mut quoted, mut escaped) = (false, false);
    let items = value.split(move |byte| {
        let plain = !std::mem::take(&mut escaped);
        match byte {
            b'"' if plain => quoted = !quoted,
            b'\\' if plain && quoted => escaped = true,
            _ => {}
        }
        *byte == b',' && !quoted
    });
    for item in items {
        let item = item.trim_ascii();
        let is_token =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let end = item.iter().position(|byte| !is_token(byte));
        let (name, rest) = item.split_at(end.unwrap_or(item.len()));
        let rest = rest.trim_ascii();
        // `name=value` is a parameter of the challenge before it.
        if !name.is_empty() && !rest.starts_with(b"=") {
            found.push((Scheme::read(name), rest));
        }
    }
    found
}

/// Padding is forgiven: what is shown is a stage, not a judgement on Base64.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Objects of Kerberos 5, as registered and as Windows 2000 misspelled it.
///
/// RFC 4121 §4.1, MS-SPNG §3.1.5.2
const KERBEROS: [&[u8]; 2] = [
    &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02],
    &[0x2A, 0x86, 0x48, 0x82, 0xF7, 0x12, 0x01, 0x02, 0x02],
];

/// Reads which leg of a handshake a token of NTLM or Negotiate is. An NTLM message counts wherever it lies,
/// since Negotiate wraps it.
///
/// MS-NLMP §2.2.1, RFC 4178 §4.2
fn stage(token: &[u8]) -> Stage {
    let is_code = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    let end = token.iter().position(|byte| !is_code(byte));
    let mut code = token.get(..end.unwrap_or(token.len())).unwrap_or_default();
    if code.len() % 4 == 1 {
        // The rest of a token that was cut: the leg is told at its start.
        code = code.split_last().map_or(code, |(_, front)| front);
    }
    let token = BASE64.decode(code).unwrap_or_default();
    if let Some(at) = memchr::memmem::find(&token, b"NTLMSSP\0") {
        let message = token.get(at..).unwrap_or_default();
        return match word(message, 8) {
            Some(1) => Stage::Type1,
            Some(2) => Stage::Type2,
            Some(3) if is_bound(message) => Stage::Type3Bound,
            Some(3) => Stage::Type3,
            _ => Stage::Unreadable,
        };
    }
    let is_kerberos = |object: &&[u8]| memchr::memmem::find(&token, object).is_some();
    if KERBEROS.iter().any(is_kerberos) {
        return Stage::Kerberos;
    }
    // A NegTokenInit or a NegTokenResp.
    match token.first() {
        Some(0x60 | 0xA0 | 0xA1) => Stage::Spnego,
        _ => Stage::Unreadable,
    }
}

/// Tells whether the client put a hash of the TLS connection that it sees into its answer to the challenge.
///
/// MS-NLMP §2.2.1.3, §2.2.2.1 (`MsvAvChannelBindings`), §2.2.2.7
fn is_bound(message: &[u8]) -> bool {
    const PAIRS: usize = 44;
    const CHANNEL: u16 = 10;
    let field = |at| Some((half(message, at)?, word(message, at.saturating_add(4))?));
    let Some((len, at)) = field(20) else {
        return false;
    };
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let end = at.saturating_add(usize::from(len));
    let Some(mut pairs) = message
        .get(at..end)
        .and_then(|response| response.get(PAIRS..))
    else {
        return false;
    };
    while let (Some(id), Some(len)) = (half(pairs, 0), half(pairs, 2)) {
        let Some((value, rest)) = pairs
            .get(4..)
            .and_then(|rest| rest.split_at_checked(usize::from(len)))
        else {
            return false;
        };
        match id {
            0 => return false,
            CHANNEL => return value.iter().any(|byte| *byte != 0),
            _ => pairs = rest,
        }
    }
    false
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn truth(value: &[u8]) -> Option<bool> {
    match value {
        value if value.eq_ignore_ascii_case(b"true") => Some(true),
        value if value.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}
