//! `bitstap fetch`: downloads a file as the Windows client does.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::peer::client::PieceSize;
use crate::peer::{FetchConfig, Fetched, fetch};
use crate::report::unit::size;

use super::failure::Failure;
use super::transfer::{self, Job, tell};
use super::{signal, stage};

/// Download a file over BITS, as the Windows client does: HEAD, then ranges
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap fetch http://127.0.0.1:8081/driver.cab\n  bitstap fetch http://127.0.0.1:8080/driver.cab --out /tmp/driver.cab --block-size 1MiB\n\nA download that broke off goes on where it was."
)]
pub(super) struct Args {
    /// What to download
    url: String,
    /// Where it goes (default: the URL's last segment, here)
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    overwrite: bool,
    /// Bytes in a range: adaptive or a size
    #[arg(long, value_name = "SIZE", default_value = "adaptive", value_parser = transfer::pieces)]
    block_size: PieceSize,
    /// Begin anew, whatever an earlier attempt has left
    #[arg(long)]
    no_resume: bool,
    #[command(flatten)]
    job: Job,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let runtime = stage::runtime()?;
    let cancel = signal::token()?;
    let to = match args.out {
        Some(path) => path,
        None => name_of(&args.url)?,
    };
    let config = FetchConfig {
        common: args.job.common(),
        overwrite: args.overwrite,
        block_size: args.block_size,
        resume: !args.no_resume,
        retry_delay: args.job.retry_delay(),
        no_progress_timeout: args.job.no_progress_timeout(),
        cancel,
        ..FetchConfig::new(args.url, to)
    };
    let display = args.job.display();
    let fetched = runtime.block_on(fetch(config, &|progress| display.step(&progress)));
    display.finish();
    report(&fetched.map_err(transfer::explain)?, args.job.json)?;
    Ok(ExitCode::SUCCESS)
}

/// The last segment of the URL's path, if it is a plain name: a URL never chooses a folder.
fn name_of(url: &str) -> Result<PathBuf, Failure> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path
        .split_once("://")
        .map_or(path, |(_, rest)| rest)
        .rsplit_once('/')
        .map_or("", |(_, name)| name);
    let plain = !name.is_empty()
        && !matches!(name, "." | "..")
        && !name.contains(['\\', ':', '%'])
        && !name.chars().any(char::is_control);
    if plain {
        Ok(PathBuf::from(name))
    } else {
        Err(Failure::new(format!("cannot tell a file name from {url}"))
            .hint("name the file with --out FILE"))
    }
}

fn report(fetched: &Fetched, json: bool) -> Result<(), Failure> {
    if json {
        let line = serde_json::json!({
            "type": "fetched",
            "url": fetched.url,
            "path": fetched.path,
            "bytes": fetched.bytes,
            "resumed": fetched.resumed,
            "sha256": fetched.sha256,
            "requests": fetched.requests,
            "retries": fetched.retries,
            "restarts": fetched.restarts,
            "last_modified": fetched.last_modified,
        });
        return tell(&line.to_string());
    }
    tell(&format!(
        "fetched {} into {}, SHA-256 {}",
        size(fetched.bytes),
        fetched.path.display(),
        fetched.sha256
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_plain_file_or_none() {
        let named = |url| name_of(url).ok();
        assert_eq!(named("http://h/a/b.cab?x=1"), Some(PathBuf::from("b.cab")));
        for url in [
            "http://h",
            "http://h/",
            "http://h/..",
            "http://h/a%2Fb",
            "http://h/C:x",
        ] {
            assert_eq!(named(url), None, "{url}");
        }
    }
}
