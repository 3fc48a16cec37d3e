//! The local authority: a key and a certificate of our own that sign certificates for whatever name a client
//! asks for.
//!
//! Both are in one file, so that no crash and no second program can part them; a second file holds the
//! certificate alone, for handing out. Knows no connections.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::{self, Summary};
use super::invalid;
use crate::relay::Error;

/// Key and certificate.
const SECRET: &str = "authority.pem";
/// The certificate alone.
const PUBLIC: &str = "authority.crt";

const DAY: u64 = 24 * 60 * 60;
/// Clocks of clients may be slow by this much.
const BACKDATED: u64 = 2 * DAY;
const AUTHORITY_DAYS: u64 = 3650;
/// Systems refuse certificates of servers that are valid for more than 398 days.
const LEAF_DAYS: u64 = 365;

/// From when to when a certificate is valid, in seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    from: u64,
    to: u64,
}

impl Validity {
    /// Of a certificate that is made now and good for `days`.
    fn of(now: UnixTime, days: u64) -> Self {
        let now = now.as_secs();
        Self {
            from: now.saturating_sub(BACKDATED),
            to: now.saturating_add(days.saturating_mul(DAY)),
        }
    }

    /// Of a server's certificate.
    pub(super) fn current(now: UnixTime) -> Self {
        Self::of(now, LEAF_DAYS)
    }

    /// Of a server's certificate that ended a month ago.
    pub(super) fn expired(now: UnixTime) -> Self {
        let now = now.as_secs();
        Self {
            from: now.saturating_sub(60 * DAY),
            to: now.saturating_sub(30 * DAY),
        }
    }

    fn write(self, params: &mut CertificateParams) {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(self.from);
        params.not_after = epoch + Duration::from_secs(self.to);
    }
}

/// A key that signs certificates, and its own certificate.
#[derive(Debug)]
pub(super) struct Mint {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Mint {
    /// Makes a new one, valid from now on.
    pub(super) fn make(title: &str, now: UnixTime) -> Result<Self, rcgen::Error> {
        let mut mark = [0; 4];
        random(&mut mark)?;
        // No two authorities share a name: else the wrong key would be tried for a signature.
        let today = certificate::day(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let name = format!("{title} {today} {}", hex(&mark, ""));
        let key = KeyPair::generate()?;
        let mut params = blank(&name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::OrganizationName, "bitstap");
        Validity::of(now, AUTHORITY_DAYS).write(&mut params);
        let made = params.self_signed(&key)?;
        Ok(Self {
            certificate: made.der().clone(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Returns its own certificate.
    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// Signs a certificate of `key` for a server that is known by `names`: host names and addresses.
    pub(super) fn sign(
        &self,
        key: &KeyPair,
        names: &[String],
        validity: Validity,
    ) -> Result<CertificateDer<'static>, rcgen::Error> {
        // Names may be longer than a common name can be (64, X.520): nobody reads it where there are
        // alternative names.
        let common = names.iter().find(|name| name.len() <= 64);
        let mut params = blank(common.map_or("bitstap", String::as_str))?;
        params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        validity.write(&mut params);
        Ok(params.signed_by(key, &self.issuer)?.der().clone())
    }
}

/// Starts a certificate: a name and a serial number that nobody used.
fn blank(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut serial = [0; 16];
    random(&mut serial)?;
    // Positive, and without a leading zero byte (RFC 5280 §4.1.2.2).
    serial[0] = (serial[0] & 0x7f) | 0x40;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn random(bytes: &mut [u8]) -> Result<(), rcgen::Error> {
    let filled = SystemRandom::new().fill(bytes);
    filled.map_err(|_| rcgen::Error::RingUnspecified)
}

/// An authority that is kept in a folder.
#[derive(Debug)]
pub struct Authority {
    mint: Mint,
    folder: PathBuf,
}

impl Authority {
    /// Opens the authority in `folder`; `None` where there is none. One that has expired is an error.
    pub fn open(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(SECRET);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Authority { path, source }),
        };
        let mint = match read(&text) {
            Ok(mint) => mint,
            Err(source) => return Err(Error::Authority { path, source }),
        };
        let summary = Summary::read(&mint.certificate);
        if let Some(why) = summary.and_then(|summary| summary.untimely(UnixTime::now())) {
            return Err(Error::AuthorityUntimely { path, why });
        }
        let opened = Self {
            mint,
            folder: folder.to_path_buf(),
        };
        if !opened.file().exists() {
            opened.publish()?;
        }
        Ok(Some(opened))
    }

    /// Opens the authority in `folder` or makes one there, and tells whether it is new.
    pub fn open_or_make(folder: &Path) -> Result<(Self, bool), Error> {
        if let Some(opened) = Self::open(folder)? {
            return Ok((opened, false));
        }
        match Self::make(folder, false) {
            // Somebody else was faster: theirs counts.
            Err(Error::Authority { source, .. })
                if source.kind() == io::ErrorKind::AlreadyExists =>
            {
                let opened = Self::open(folder)?;
                let gone = || Error::Authority {
                    path: folder.join(SECRET),
                    source: io::ErrorKind::NotFound.into(),
                };
                Ok((opened.ok_or_else(gone)?, false))
            }
            made => Ok((made?, true)),
        }
    }

    /// Makes a new authority in `folder`; what it replaces, if anything, is gone.
    pub fn renew(folder: &Path) -> Result<Self, Error> {
        Self::make(folder, true)
    }

    fn make(folder: &Path, replace: bool) -> Result<Self, Error> {
        let path = folder.join(SECRET);
        let made = Mint::make("bitstap local authority", UnixTime::now());
        let mint = made.map_err(|error| Error::Tls(error.to_string()))?;
        let made = Self {
            mint,
            folder: folder.to_path_buf(),
        };
        let text = format!("{}{}", made.pem(), made.mint.issuer.key().serialize_pem());
        create(folder)
            .and_then(|()| write(&path, &text, replace, 0o600))
            .map_err(|source| Error::Authority { path, source })?;
        made.publish()?;
        Ok(made)
    }

    /// Writes the certificate alone.
    fn publish(&self) -> Result<(), Error> {
        let path = self.file();
        write(&path, &self.pem(), true, 0o644).map_err(|source| Error::Authority { path, source })
    }

    /// Returns the file that holds the certificate alone.
    pub fn file(&self) -> PathBuf {
        self.folder.join(PUBLIC)
    }

    /// Returns the file that holds the key.
    pub fn secret_file(&self) -> PathBuf {
        self.folder.join(SECRET)
    }

    /// Returns the certificate in PEM form.
    pub fn pem(&self) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&self.mint.certificate);
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }

    /// Describes the certificate in one line.
    pub fn summary(&self) -> String {
        certificate::lines(std::slice::from_ref(&self.mint.certificate)).concat()
    }

    /// Returns the thumbprint by which Windows' tools name a certificate: SHA-1, without colons.
    pub fn thumbprint(&self) -> String {
        let print = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.mint.certificate);
        hex(print.as_ref(), "")
    }

    /// Returns the SHA-256 fingerprint with colons.
    pub fn fingerprint(&self) -> String {
        let print = digest::digest(&digest::SHA256, &self.mint.certificate);
        hex(print.as_ref(), ":")
    }

    pub(super) fn mint(&self) -> &Mint {
        &self.mint
    }
}

fn hex(bytes: &[u8], between: &str) -> String {
    let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(between)
}

/// Reads a file with a certificate and its key.
fn read(text: &str) -> io::Result<Mint> {
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|error| invalid(format!("its key: {error}")))?;
    let key = KeyPair::try_from(&key).map_err(|error| invalid(format!("its key: {error}")))?;
    let certificate = CertificateDer::from_pem_slice(text.as_bytes())
        .map_err(|error| invalid(format!("its certificate: {error}")))?;
    let owner = X509Certificate::from_der(&certificate)
        .map_err(|error| invalid(format!("its certificate: {error}")))
        .map(|(_, read)| read.public_key().subject_public_key.data.to_vec())?;
    if owner != key.public_key_raw() {
        return Err(invalid("key and certificate do not belong together"));
    }
    let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(invalid)?;
    Ok(Mint {
        issuer,
        certificate,
    })
}

/// Makes a folder that only its owner may enter, with all above it.
fn create(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str, replace: bool, mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    let permissions: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    #[cfg(unix)]
    builder.permissions(permissions);
    // Elsewhere the folder, which is the user's own, says who may read.
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    let kept = if replace {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    kept.map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_found_again_and_renewed_on_demand() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a/b");
        assert!(Authority::open(&folder).unwrap().is_none());
        let (first, new) = Authority::open_or_make(&folder).unwrap();
        assert!(new);
        let (again, new) = Authority::open_or_make(&folder).unwrap();
        assert!(!new);
        assert_eq!(first.thumbprint(), again.thumbprint());
        assert_eq!(fs::read_to_string(again.file()).unwrap(), first.pem());
        let renewed = Authority::renew(&folder).unwrap();
        assert_ne!(first.thumbprint(), renewed.thumbprint());
        let text = fs::read_to_string(renewed.file()).unwrap();
        assert_eq!(text, renewed.pem());
        assert!(!text.contains("PRIVATE"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&folder.join(SECRET)), 0o600);
            assert_eq!(mode(&folder), 0o700);
        }
    }

    #[test]
    fn the_one_that_was_there_first_stays() {
        let folder = tempfile::tempdir().unwrap();
        let first = Authority::make(folder.path(), false).unwrap();
        let second = Authority::make(folder.path(), false).unwrap_err();
        assert!(matches!(second, Error::Authority { .. }), "{second:?}");
        let (found, new) = Authority::open_or_make(folder.path()).unwrap();
        assert!(!new);
        assert_eq!(found.thumbprint(), first.thumbprint());
    }

    #[test]
    fn a_file_that_is_damaged_parted_or_expired_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SECRET);
        let one = Mint::make("one", UnixTime::now()).unwrap();
        let other = KeyPair::generate().unwrap();
        let made = |mint: Mint| Authority {
            mint,
            folder: folder.path().to_path_buf(),
        };
        let one = made(one);
        let parted = format!("{}{}", one.pem(), other.serialize_pem());
        for text in ["", "no PEM", &one.pem(), &parted] {
            fs::write(&path, text).unwrap();
            let error = Authority::open(folder.path()).unwrap_err();
            assert!(matches!(error, Error::Authority { .. }), "{error:?}");
        }
        let old = UnixTime::since_unix_epoch(Duration::from_secs(1_000_000_000));
        let old = made(Mint::make("old", old).unwrap());
        let key = old.mint.issuer.key().serialize_pem();
        fs::write(&path, format!("{}{key}", old.pem())).unwrap();
        let error = Authority::open(folder.path()).unwrap_err();
        assert!(
            matches!(&error, Error::AuthorityUntimely { why, .. } if why.contains("2011-09-07"))
        );
    }
}
