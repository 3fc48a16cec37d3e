//! `bitstap ca`: the local authority of `proxy --tls auto`, and how to make systems trust it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::relay::tls::Authority;

use super::failure::{Failure, WithHint};
use super::output::{Format, Output};
use super::stage;
use super::tls::with_hint;

/// Show, export or renew the local authority of `proxy --tls auto`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap ca show\n  bitstap ca export > authority.crt\n  bitstap ca renew\n\nIts key stays in the user's data directory and can be read by the user only. Whoever has the key can\npretend to be any server to whoever trusts the authority: remove it from the stores when the work is done."
)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    /// Folder of the authority (default: in the user's data directory)
    #[arg(long, value_name = "DIR", global = true)]
    ca_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum What {
    /// Print what it is, where it is, and how to trust it and no longer trust it on each system
    Show,
    /// Print its certificate (PEM) on standard output; makes the authority if there is none
    Export,
    /// Make a new authority in its place; whoever trusted the old one has to trust the new one
    Renew,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let folder = folder(args.ca_dir)?;
    let mut output = Output::new(
        Format {
            headless: true,
            json: false,
            quiet: false,
        },
        0,
    );
    match args.what {
        What::Show => {
            let authority = Authority::open(&folder).map_err(with_hint)?;
            let none = || {
                Failure::new(format!(
                    "there is no local authority in {}",
                    folder.display()
                ))
                .hint("`bitstap ca export` makes one, and so does `bitstap proxy --tls auto`")
            };
            output.lines(&shown(&authority.ok_or_else(none)?))?;
        }
        What::Export => {
            let (authority, new) = Authority::open_or_make(&folder).map_err(with_hint)?;
            if new {
                stage::say(&format!(
                    "A local authority was made in {}.",
                    folder.display()
                ));
            }
            output.lines(&[authority.pem().trim_end().to_owned()])?;
        }
        What::Renew => {
            let authority = Authority::renew(&folder).map_err(with_hint)?;
            output.lines(&["A new local authority was made.".to_owned()])?;
            output.lines(&shown(&authority))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(authority: &Authority) -> Vec<String> {
    let file = authority.file();
    let thumbprint = authority.thumbprint();
    let mut lines = vec![
        format!("certificate   {}", authority.summary()),
        format!("file          {}", file.display()),
        format!("key           {}", authority.secret_file().display()),
        format!("SHA-256       {}", authority.fingerprint()),
        format!("thumbprint    {thumbprint} (SHA-1, as Windows shows it)"),
        String::new(),
        "To trust it:".to_owned(),
    ];
    for (system, line) in trust(&file) {
        lines.push(format!("  {system}\n    {line}"));
    }
    lines.extend([
        String::new(),
        "To trust it no longer:".to_owned(),
        format!("  Windows, as administrator\n    certutil -delstore Root {thumbprint}"),
        format!(
            "  macOS\n    sudo security remove-trusted-cert -d {}",
            quoted(&file)
        ),
        "  Debian, Ubuntu\n    sudo rm /usr/local/share/ca-certificates/bitstap.crt && sudo \
         update-ca-certificates --fresh"
            .to_owned(),
        format!(
            "  Fedora, RHEL\n    sudo trust anchor --remove {}",
            quoted(&file)
        ),
    ]);
    lines
}

/// Returns for each system the line that makes it trust the certificate in `file`; Windows first.
pub(super) fn trust(file: &Path) -> [(&'static str, String); 6] {
    let file = quoted(file);
    [
        (
            "Windows, as administrator (BITS reads the machine's store)",
            format!("certutil -addstore Root {file}"),
        ),
        (
            "macOS",
            format!(
                "sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {file}"
            ),
        ),
        (
            "Debian, Ubuntu",
            format!(
                "sudo cp {file} /usr/local/share/ca-certificates/bitstap.crt && sudo update-ca-certificates"
            ),
        ),
        ("Fedora, RHEL", format!("sudo trust anchor {file}")),
        ("curl", format!("curl --cacert {file} ...")),
        (
            "bitstap send, fetch",
            format!("bitstap send --ca {file} ..."),
        ),
    ]
}

/// Quotes a path as both shells understand it.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

/// Returns the folder of the authority: the one given, or one in the user's data directory.
pub(super) fn folder(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(folder) = given {
        return std::path::absolute(&folder)
            .with_context(|| format!("{} is not a folder", folder.display()))
            .hint(|| "give the folder of the local authority with --ca-dir".to_owned());
    }
    let data = data_directory().ok_or_else(|| {
        Failure::new("the user has no data directory for the local authority")
            .hint("give a folder with --ca-dir")
    })?;
    Ok(data.join("bitstap").join("ca"))
}

/// Returns where programs keep a user's data on this system.
fn data_directory() -> Option<PathBuf> {
    let named = |name| {
        let path = PathBuf::from(std::env::var_os(name)?);
        // A relative one is to be ignored (XDG Base Directory Specification).
        path.is_absolute().then_some(path)
    };
    let home = || std::env::home_dir().filter(|home| home.is_absolute());
    if cfg!(windows) {
        named("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        Some(home()?.join("Library").join("Application Support"))
    } else {
        named("XDG_DATA_HOME").or_else(|| Some(home()?.join(".local").join("share")))
    }
}
