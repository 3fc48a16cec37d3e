//! The subcommands and shared options, nothing else. The only room that knows everybody.
//!
//! Exit codes: 0 done, 1 done with differences or failed expectations, 2 could not do it. A reader that
//! closed our standard output is a success.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod address;
mod config;
mod errand;
mod failure;
mod faults;
mod front;
mod hosts;
mod kept;
mod output;
mod record;
mod recorded;
mod rehearsal;
mod repeat;
mod sieve;
mod signal;
mod source;
mod stage;
mod tls;
mod transfer;
mod unit;

mod ca;
mod check;
mod convert;
mod demo;
mod explain;
mod extract;
mod fetch;
mod mock;
mod proxy;
mod replay;
mod rules;
mod score;
mod send;
mod serve;
mod view;
mod wireshark;

/// An intercepting debugging proxy for Microsoft BITS.
#[derive(Debug, Parser)]
#[command(
    name = "bitstap",
    version,
    about = "An intercepting debugging proxy for Microsoft BITS (Background Intelligent Transfer Service)",
    after_help = "See it work, with nothing to set up:\n  bitstap demo\n\nWatch an upload on its way to a server:\n  bitstap proxy --upstream http://iis.corp --capture upload.pcapng"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Proxy(Box<proxy::Args>),
    Ca(ca::Args),
    View(view::Args),
    Extract(extract::Args),
    Explain(explain::Args),
    Check(check::Args),
    Rules(rules::Args),
    Convert(Box<convert::Args>),
    Serve(Box<serve::Args>),
    Send(Box<send::Args>),
    Fetch(Box<fetch::Args>),
    Wireshark(wireshark::Args),
    Replay(Box<replay::Args>),
    Mock(mock::Args),
    Score(score::Args),
}

/// Runs the program with the process's own arguments and returns its exit code.
pub fn main() -> ExitCode {
    let cli: Cli = match config::parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let done = match cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Proxy(args) => proxy::run(*args),
        Command::Ca(args) => ca::run(args),
        Command::View(args) => view::run(&args),
        Command::Extract(args) => extract::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Serve(args) => serve::run(*args),
        Command::Send(args) => send::run(*args),
        Command::Fetch(args) => fetch::run(*args),
        Command::Wireshark(args) => wireshark::run(&args),
        Command::Replay(args) => replay::run(*args),
        Command::Mock(args) => mock::run(args),
        Command::Score(args) => score::run(args),
    };
    match done {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
