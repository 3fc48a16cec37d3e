//! `bitstap proxy --config FILE` and `--print-config`: all options of the proxy in a TOML file.
//!
//! A key is the long name of an option, so there is one list of both: the file becomes arguments, put before
//! those of the command line, which win. Knows no option by name but its own two.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::fault;
use crate::timeline::filter::nearest;

use super::failure::{Failure, WithHint};
use super::rules;

/// The subcommand whose options a file may hold.
const COMMAND: &str = "proxy";
/// Options that stand in no file.
const OWN: [&str; 4] = ["config", "print-config", "help", "version"];

/// Where the options come from.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct ConfigArgs {
    /// Take options from this file (TOML, a key for each option: docs/config.md); those given here win
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Print all options as they would be taken, in the form that --config reads, and end
    #[arg(long)]
    print_config: bool,
}

/// Reads the arguments of the process, with those of a file that they name. `Err`: all is said and done.
pub(super) fn parse<C: CommandFactory + FromArgMatches>(
    given: Vec<OsString>,
) -> Result<C, ExitCode> {
    let (arguments, file) = match with_file(C::command(), given) {
        Ok(found) => found,
        Err(failure) => return Err(failure.report()),
    };
    let matches = match C::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => match file.and_then(|file| file.blame(&error)) {
            Some(failure) => return Err(failure.report()),
            None => error.exit(),
        },
    };
    if let Some((COMMAND, options)) = matches.subcommand()
        && options.get_flag("print_config")
    {
        let text = print(&options_of(C::command()), options);
        let written = std::io::stdout().lock().write_all(text.as_bytes());
        return Err(match written.context("cannot write to standard output") {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => Failure::from(error).report(),
        });
    }
    C::from_arg_matches(&matches).map_err(|error| error.exit())
}

/// Returns the command's definition with everything that clap adds when it is used.
fn options_of(mut command: Command) -> Command {
    command.build();
    let found = command.find_subcommand(COMMAND).cloned();
    found.unwrap_or(command)
}

/// A configuration file that was read.
#[derive(Debug)]
struct File {
    path: String,
    text: String,
    /// Where the values of its keys stand.
    places: BTreeMap<String, std::ops::Range<usize>>,
}

impl File {
    /// Draws what is wrong at a place of it.
    fn wrong(&self, at: std::ops::Range<usize>, text: &str, hint: &str) -> Failure {
        let error = fault::Error::at(&self.text, at, text, hint);
        let picture = rules::picture(&self.path, &self.text, &error);
        Failure::new(format!("cannot use {}\n{picture}", self.path))
    }

    /// Says where the file has what clap refuses, if it is from there.
    fn blame(&self, error: &clap::Error) -> Option<Failure> {
        let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
            return None;
        };
        let name = argument.split_whitespace().next()?.strip_prefix("--")?;
        let at = self.places.get(name)?;
        let text = error.to_string();
        let text = text.lines().next()?.trim_start_matches("error: ");
        let hint = match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(allowed)) => format!("allowed: {}", allowed.join(", ")),
            _ => String::new(),
        };
        Some(self.wrong(at.clone(), text, &hint))
    }
}

/// Puts the options of the file that `given` names before those that are given.
fn with_file(
    command: Command,
    given: Vec<OsString>,
) -> Result<(Vec<OsString>, Option<File>), Failure> {
    // The program's own name comes first, and no option before the subcommand.
    const AT: usize = 1;
    let is_meant = given.get(AT).is_some_and(|argument| argument == COMMAND);
    let options = given.get(AT..).filter(|_| is_meant);
    let Some(path) = options.and_then(named) else {
        return Ok((given, None));
    };
    let options = options_of(command);
    let path = Path::new(&path);
    let mut file = File {
        path: path.display().to_string(),
        text: std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))
            .hint(|| "bitstap proxy --print-config makes one to begin with".to_owned())?,
        places: BTreeMap::new(),
    };
    let taken = |name: &str| {
        let long = OsString::from(format!("--{name}"));
        let with_value = format!("--{name}=");
        given.iter().any(|argument| {
            *argument == long || (argument.to_str()).is_some_and(|it| it.starts_with(&with_value))
        })
    };
    let read = arguments(&options, &mut file, &taken)?;
    let (front, rest) = given.split_at(AT + 1);
    Ok(([front, read.as_slice(), rest].concat(), Some(file)))
}

/// Returns the value of `--config` among the arguments of the subcommand.
fn named(arguments: &[OsString]) -> Option<OsString> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            return None;
        }
        if argument == "--config" {
            return rest.next().cloned();
        }
        if let Some(value) = argument
            .to_str()
            .and_then(|it| it.strip_prefix("--config="))
        {
            return Some(value.into());
        }
    }
    None
}

/// Makes arguments of what the file says and the command line does not.
fn arguments(
    options: &Command,
    file: &mut File,
    taken: &dyn Fn(&str) -> bool,
) -> Result<Vec<OsString>, Failure> {
    let text = file.text.clone();
    let table = DeTable::parse(&text).map_err(|error| {
        let at = error.span().unwrap_or_default();
        file.wrong(at, error.message(), "")
    })?;
    let known: Vec<&Arg> = options
        .get_arguments()
        .filter(|option| option.get_long().is_some_and(|name| !OWN.contains(&name)))
        .collect();
    let names = || known.iter().filter_map(|option| option.get_long());
    let mut made = Vec::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        let Some(option) = known.iter().find(|option| option.get_long() == Some(name)) else {
            let near = nearest(name, names()).map(|near| format!("did you mean `{near}`? "));
            let hint = near.unwrap_or_default() + "bitstap proxy --print-config shows all keys";
            return Err(file.wrong(key.span(), &format!("there is no option `{name}`"), &hint));
        };
        let values = match (option.get_action(), value.get_ref()) {
            (ArgAction::SetTrue, DeValue::Boolean(on)) => {
                on.then(|| vec![format!("--{name}")]).unwrap_or_default()
            }
            (ArgAction::SetTrue, _) => {
                return Err(file.wrong(value.span(), &format!("`{name}` is true or false"), ""));
            }
            (ArgAction::Append, DeValue::Array(values)) => (values.iter())
                .map(|value| argument(file, name, value))
                .collect::<Result<_, _>>()?,
            _ => vec![argument(file, name, value)?],
        };
        file.places.insert(name.to_owned(), value.span());
        let excluded = (options.get_arg_conflicts_with(option).into_iter())
            .any(|other| other.get_long().is_some_and(taken));
        if !taken(name) && !excluded {
            made.extend(values.into_iter().map(OsString::from));
        }
    }
    Ok(made)
}

/// Makes one argument of a value.
fn argument(file: &File, name: &str, value: &Spanned<DeValue<'_>>) -> Result<String, Failure> {
    match value.get_ref() {
        DeValue::String(text) => Ok(format!("--{name}={text}")),
        DeValue::Integer(number) if number.radix() == 10 => Ok(format!("--{name}={number}")),
        _ => {
            let text = format!("the value of `{name}` is a string");
            Err(file.wrong(
                value.span(),
                &text,
                "write it as on the command line, in quotes",
            ))
        }
    }
}

/// Writes all options as TOML.
fn print(options: &Command, matches: &ArgMatches) -> String {
    let mut text = String::from(
        "# Options of `bitstap proxy`, as --config FILE reads them. What is commented out is not set.\n",
    );
    for option in options.get_arguments() {
        let Some(name) = option.get_long().filter(|name| !OWN.contains(name)) else {
            continue;
        };
        let help = option
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = write!(text, "\n# {}\n", help.replace('\n', " "));
        text.push_str(&line(option, name, matches));
        text.push('\n');
    }
    text
}

fn line(option: &Arg, name: &str, matches: &ArgMatches) -> String {
    let id = option.get_id().as_str();
    if let ArgAction::SetTrue = option.get_action() {
        return format!("{name} = {}", matches.get_flag(id));
    }
    let values: Vec<&OsStr> = matches
        .get_raw(id)
        .map(Iterator::collect)
        .unwrap_or_default();
    let secret = |value: &&OsStr| {
        // A proxy's URL is private where it has credentials in it.
        value.to_string_lossy().contains('@') || name.ends_with("auth")
    };
    let variable = option
        .get_env()
        .map(OsStr::to_string_lossy)
        .unwrap_or_default();
    if option.is_hide_env_values_set() && values.iter().any(secret) {
        return format!(
            "# {name} is set and not shown; {variable} in the environment keeps it out of files"
        );
    }
    let quoted = |value: &&OsStr| {
        // JSON's strings are TOML's, but for this one.
        let value = serde_json::json!(value.to_string_lossy()).to_string();
        value.replace('\u{7f}', "\\u007F")
    };
    let shown: Vec<String> = values.iter().map(quoted).collect();
    match (option.get_action(), shown.as_slice()) {
        (action, []) => {
            let sample = option.get_value_names().and_then(|names| names.first());
            let sample = sample.map_or("", |sample| sample.as_str());
            match action {
                ArgAction::Append => format!("# {name} = [\"{sample}\"]"),
                _ => format!("# {name} = \"{sample}\""),
            }
        }
        (ArgAction::Append, many) => format!("{name} = [{}]", many.join(", ")),
        (_, [one, ..]) => format!("{name} = {one}"),
    }
}
