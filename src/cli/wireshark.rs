//! `bitstap wireshark`: a dissector for Wireshark and tshark, which do not know the method `BITS_POST`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::bits::hresult;

use super::failure::Failure;
use super::transfer::tell;

/// The dissector.
const LUA: &str = include_str!("../../share/bitstap.lua");
const NAME: &str = "bitstap.lua";

/// Where the table of codes goes.
const NAMES: &str = "--[[NAMES]]";

/// Where Wireshark looks for a user's own dissectors.
const PLACES: &str = "\
Linux, macOS   ~/.local/lib/wireshark/plugins/
Windows        %APPDATA%\\Wireshark\\plugins\\";

/// Print a Lua dissector for Wireshark and tshark, or write it to a folder
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap wireshark --out ~/.local/lib/wireshark/plugins\n  tshark -X lua_script:bitstap.lua -r upload.pcapng -Y 'bits_up.packet_type == \"Fragment\"'\n\nWireshark looks in the folder that `tshark -G folders` calls Personal Lua Plugins, usually:\n  Linux, macOS   ~/.local/lib/wireshark/plugins/\n  Windows        %APPDATA%\\Wireshark\\plugins\\\nIt takes effect with the next start, or with Ctrl-Shift-L. Fields are named bits_up.*; docs/convert.md lists them."
)]
pub(super) struct Args {
    /// Write bitstap.lua into this folder, which is made if need be, and say what to do with it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let Some(folder) = &args.out else {
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(dissector().as_bytes())
            .and_then(|()| stdout.flush());
        written.context("cannot write to standard output")?;
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let path = folder.join(NAME);
    fs::write(&path, dissector()).with_context(|| format!("cannot write {}", path.display()))?;
    tell(&format!(
        "wrote {}\n\nWireshark and tshark load it from the folder that `tshark -G folders` calls Personal Lua Plugins:\n{PLACES}\nor with: tshark -X lua_script:{}\nThen filter for: bits_up.packet_type == \"Fragment\"",
        path.display(),
        path.display(),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the dissector with the codes that `bitstap explain` knows.
fn dissector() -> String {
    let mut rows: Vec<(u32, &str)> = hresult::names()
        .filter_map(hresult::lookup_name)
        .map(|known| (known.code, known.name))
        .collect();
    rows.sort_unstable();
    rows.dedup_by_key(|(code, _)| *code);
    let rows: Vec<String> = rows
        .iter()
        .map(|(code, name)| format!("    [0x{code:08X}] = \"{name}\","))
        .collect();
    LUA.replace(NAMES, &rows.join("\n"))
}
