//! `bitstap explain`: what a code, a name, a packet, a field, a rule or a fault means.

use std::process::ExitCode;

use crate::report::explain;

use super::failure::{COULD_NOT, Failure};
use super::output::{Format, Output};

/// Explain error codes, symbolic names, packets, fields, rules and faults of BITS
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap explain 0x80072EFE\n  bitstap explain -2147012866 12030 BG_E_SESSION_NOT_FOUND\n  bitstap explain \"context 5\" Fragment BITS-Host-Id 416 BUP-FR-12 F-11"
)]
pub(super) struct Args {
    /// HRESULTs (hexadecimal, decimal, signed), WinHTTP numbers, HTTP statuses, names, `context N`, packets, fields, rules, faults
    #[arg(required = true, value_name = "CODE", allow_negative_numbers = true)]
    codes: Vec<String>,
    /// Print JSON Lines (schema 1)
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut output = Output::new(
        Format {
            headless: true,
            json: args.json,
            quiet: false,
        },
        0,
    );
    let mut code = ExitCode::SUCCESS;
    let mut gap = "";
    for query in &queries(&args.codes) {
        match explain::explain(query) {
            Some(known) if args.json => output.lines(&[known.json(query)])?,
            Some(known) => {
                output.lines(&[format!("{gap}{}", known.text())])?;
                gap = "\n";
            }
            None => {
                let shown = crate::report::text::clean(query, 80);
                let failure = Failure::new(format!("nothing is known of {shown:?}"));
                failure.hint(explain::hint(query)).report();
                code = ExitCode::from(COULD_NOT);
            }
        }
    }
    Ok(code)
}

/// Joins `context 5`, which a shell gives as two words.
fn queries(words: &[String]) -> Vec<String> {
    let mut queries = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let number =
            words.next_if(|next| word.eq_ignore_ascii_case("context") && explain::is_context(next));
        queries.push(match number {
            Some(number) => format!("{word} {number}"),
            None => word.clone(),
        });
    }
    queries
}
