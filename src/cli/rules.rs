//! `bitstap rules`: checks rules files, lists presets, prints the schema, rehearses on a recording.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::fault::{self, RuleSet, preset, rehearse, schema};
use crate::report::text::clean;
use crate::timeline::Timeline;
use crate::timeline::filter::HeadsOf;

use super::failure::{COULD_NOT, Failure, WithHint};
use super::kept::Kept;
use super::output::{Format, Output};
use super::rehearsal::{self, object};
use super::source::{Source, Step};

/// Check rules files, list the ready-made rules, rehearse rules on a recording
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap rules list\n  bitstap rules list F-11 > rules.toml\n  bitstap rules check rules.toml\n  bitstap rules explain rules.toml --capture upload.pcapng\n  bitstap rules schema > rules.schema.json"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(CheckArgs),
    List(ListArgs),
    /// Print the JSON schema of rules files, for editors
    #[command(after_help = "Example:\n  bitstap rules schema > rules.schema.json")]
    Schema,
    Explain(ExplainArgs),
}

/// Check rules files: every mistake with line, column and what is allowed; exit 2 if there is one
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap rules check rules.toml\n  bitstap rules check --json *.toml"
)]
struct CheckArgs {
    /// Rules files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print JSON Lines (schema 1)
    #[arg(long)]
    json: bool,
}

/// List the ready-made rules of the fault catalogue, or print some as rules of a file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap rules list\n  bitstap rules list F-11 F-15/503 > rules.toml\n  bitstap rules list --json"
)]
struct ListArgs {
    /// Presets to print whole: F-11, F-15/503, or F-15 for all ways to make it
    #[arg(value_name = "PRESET")]
    presets: Vec<String>,
    /// Print JSON Lines (schema 1)
    #[arg(long)]
    json: bool,
}

/// Rehearse rules on a recording: what would have fired where, what not and why
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  bitstap rules explain rules.toml --capture upload.pcapng\n\nThe recording stays as it is: nothing that a fired rule would have changed in the exchanges behind it is made up."
)]
struct ExplainArgs {
    /// Rules file
    #[arg(value_name = "FILE")]
    rules: PathBuf,
    /// Capture to rehearse on
    #[arg(long, value_name = "CAPTURE")]
    capture: PathBuf,
    /// What chance is drawn from, instead of the file's seed
    #[arg(long)]
    seed: Option<u64>,
    /// Print JSON Lines (schema 1)
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.command {
        Command::Check(args) => check(args),
        Command::List(args) => list(args),
        Command::Schema => {
            let text = schema::text();
            output(false).lines(&[text.trim_end().to_owned()])?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Explain(args) => explain(args),
    }
}

fn output(json: bool) -> Output {
    let format = Format {
        headless: true,
        json,
        quiet: false,
    };
    Output::new(format, 0)
}

/// Reads a rules file. `Err` in it: every mistake with its place, drawn for people.
fn read(path: &Path) -> Result<(String, Result<RuleSet, Vec<fault::Error>>), Failure> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("cannot read the rules file {}", path.display()))
        .hint(|| "`bitstap rules list F-14 > rules.toml` makes one to begin with".to_owned())?;
    let text = String::from_utf8(bytes)
        .with_context(|| format!("cannot read the rules file {}", path.display()))
        .hint(|| "rules files are text in UTF-8".to_owned())?;
    let parsed = fault::parse(&text);
    Ok((text, parsed))
}

/// Reads a rules file that is to be used; its mistakes are drawn on standard error.
pub(super) fn load(path: &Path) -> Result<RuleSet, Failure> {
    let (text, parsed) = read(path)?;
    let file = path.display().to_string();
    parsed.map_err(|errors| {
        for error in &errors {
            super::stage::say(&picture(&file, &text, error));
        }
        let mistakes = match errors.len() {
            1 => "one mistake".to_owned(),
            count => format!("{count} mistakes"),
        };
        Failure::new(format!("cannot use the rules of {file}: {mistakes} in it"))
            .hint(format!("try: bitstap rules check {file}"))
    })
}

fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let mut output = output(args.json);
    let mut code = ExitCode::SUCCESS;
    for path in &args.files {
        let file = path.display().to_string();
        let (text, parsed) = match read(path) {
            Ok(read) => read,
            Err(failure) => {
                failure.report();
                code = ExitCode::from(COULD_NOT);
                continue;
            }
        };
        let lines: Vec<String> = match &parsed {
            Ok(set) if args.json => vec![object(
                "rules",
                &serde_json::json!({
                    "file": file,
                    "rules": set.rules.len(),
                    "seed": set.seed,
                    "errors": 0,
                }),
            )],
            Ok(set) => vec![format!("{file}: {}", told(set))],
            Err(errors) => {
                code = ExitCode::from(COULD_NOT);
                if args.json {
                    errors.iter().map(|error| as_json(&file, error)).collect()
                } else {
                    errors
                        .iter()
                        .map(|error| picture(&file, &text, error))
                        .collect()
                }
            }
        };
        output.lines(&lines)?;
    }
    Ok(code)
}

fn told(set: &RuleSet) -> String {
    let off = set.rules.iter().filter(|rule| rule.off).count();
    let expected = set
        .rules
        .iter()
        .filter(|rule| rule.expect.is_some())
        .count();
    let mut text = match set.rules.len() {
        1 => "1 rule".to_owned(),
        count => format!("{count} rules"),
    };
    if off > 0 {
        text.push_str(&format!(", {off} off"));
    }
    if expected > 0 {
        text.push_str(&format!(", {expected} with an expectation"));
    }
    if let Some(seed) = set.seed {
        text.push_str(&format!(", seed {seed}"));
    }
    text
}

/// Longest part of a line that is shown around a mistake, in characters.
const SHOWN: usize = 160;

/// Draws a mistake as compilers do.
///
/// ```text
/// rules.toml:3:9: error: there is no key `tims`
///   |
/// 3 | count = { tims = 1 }
///   |           ^^^^
/// hint: did you mean `times`? allowed: per, skip, times, every
/// ```
pub(super) fn picture(file: &str, text: &str, error: &fault::Error) -> String {
    let line = text
        .lines()
        .nth(error.line.saturating_sub(1))
        .unwrap_or_default();
    let first = error.column.saturating_sub(1);
    // A very long line is shown from near the mistake on.
    let skipped = if line.chars().count() > SHOWN {
        first.saturating_sub(SHOWN / 2)
    } else {
        0
    };
    let shown: String = line
        .chars()
        .skip(skipped)
        .take(SHOWN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let blanks = " ".repeat(first.saturating_sub(skipped));
    let room = shown.chars().count().saturating_sub(blanks.len()).max(1);
    let carets = "^".repeat(error.length.clamp(1, room));
    let number = error.line.to_string();
    let margin = " ".repeat(number.len());
    let mut picture = format!(
        "{file}:{}:{}: error: {}\n{margin} |\n{number} | {}\n{margin} | {blanks}{carets}",
        error.line,
        error.column,
        error.text,
        shown.trim_end()
    );
    if !error.hint.is_empty() {
        picture.push_str("\nhint: ");
        picture.push_str(&error.hint);
    }
    picture
}

fn as_json(file: &str, error: &fault::Error) -> String {
    object(
        "rules-error",
        &serde_json::json!({
            "file": file,
            "line": error.line,
            "column": error.column,
            "length": error.length,
            "text": error.text,
            "hint": error.hint,
        }),
    )
}

fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let mut output = output(args.json);
    let mut lines = Vec::new();
    let mut code = ExitCode::SUCCESS;
    if args.presets.is_empty() {
        lines.extend(
            crate::bits::faults::faults()
                .iter()
                .flat_map(|fault| line_of_catalogue(fault, args.json)),
        );
    }
    for id in &args.presets {
        let found = named(id);
        if found.is_empty() {
            cannot_make(id).report();
            code = ExitCode::from(COULD_NOT);
        }
        lines.extend(found.into_iter().map(|preset| {
            if args.json {
                object("preset", &preset_as_json(preset))
            } else {
                format!("{}{}", comment(preset), preset.rule())
            }
        }));
    }
    output.lines(&lines)?;
    Ok(code)
}

/// The preset of that id; of an id without a way, all ways.
fn named(id: &str) -> Vec<&'static preset::Preset> {
    let Some(first) = preset::find(id) else {
        return Vec::new();
    };
    let ways = format!("{}/", first.id);
    preset::all()
        .iter()
        .filter(|preset| preset.id == first.id || preset.id.starts_with(&ways))
        .collect()
}

fn cannot_make(id: &str) -> Failure {
    let shown = clean(id, 40);
    match preset::unmade(id) {
        Some(unmade) => {
            Failure::new(format!("there is no preset {}", unmade.id)).hint(unmade.reason)
        }
        None => Failure::new(format!("there is no preset {shown:?}"))
            .hint("`bitstap rules list` shows all presets"),
    }
}

fn line_of_catalogue(fault: &crate::bits::faults::Fault, as_json: bool) -> Vec<String> {
    let ways: Vec<_> = preset::all()
        .iter()
        .filter(|preset| preset.fault().is_some_and(|of| of.id == fault.id))
        .collect();
    if as_json {
        if let Some(unmade) = preset::unmade(fault.id) {
            return vec![object(
                "preset",
                &serde_json::json!({
                    "id": fault.id,
                    "injection": fault.injection,
                    "expected": fault.expected,
                    "basis": fault.basis.name(),
                    "source": fault.source,
                    "rule": null,
                    "remark": unmade.reason,
                }),
            )];
        }
        return ways
            .into_iter()
            .map(|preset| object("preset", &preset_as_json(preset)))
            .collect();
    }
    let mut text = format!("{}  {}", fault.id, fault.injection);
    for preset in ways
        .iter()
        .filter(|preset| preset.id != fault.id || !preset.remark.is_empty())
    {
        let colon = if preset.remark.is_empty() { "" } else { ": " };
        text.push_str(&format!("\n        {}{colon}{}", preset.id, preset.remark));
    }
    if let Some(unmade) = preset::unmade(fault.id) {
        text.push_str(&format!("\n        no preset: {}", unmade.reason));
    }
    vec![text]
}

fn preset_as_json(preset: &preset::Preset) -> serde_json::Value {
    let fault = preset.fault();
    serde_json::json!({
        "id": preset.id,
        "injection": fault.map(|fault| fault.injection),
        "expected": fault.map(|fault| fault.expected),
        "basis": fault.map(|fault| fault.basis.name()),
        "source": fault.map(|fault| fault.source),
        "rule": preset.rule(),
        "remark": preset.remark,
    })
}

/// What the catalogue says of a preset, as comments of a rules file.
fn comment(preset: &preset::Preset) -> String {
    let mut text = String::new();
    if let Some(fault) = preset.fault() {
        text.push_str(&format!("# {}: {}\n", preset.id, fault.injection));
        text.push_str(&format!(
            "# a Windows client {} ({})\n",
            fault.expected, fault.source
        ));
    }
    if !preset.remark.is_empty() {
        text.push_str(&format!("# {}\n", preset.remark));
    }
    text
}

fn explain(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let rules = load(&args.rules)?;
    let seed = args.seed.or(rules.seed).unwrap_or_default();
    let mut source = Source::open(std::slice::from_ref(&args.capture))?;
    let mut kept = Kept::of(&source)?;
    let mut timeline = Timeline::default();
    while let Some(step) = source.next() {
        match step? {
            Step::Event { event, position } => {
                let position = kept.store(&event, position)?;
                timeline.apply(&event, position);
            }
            Step::Note(text) => super::stage::say(&format!("note: {text}")),
        }
        // Nobody watches it grow.
        timeline.take_changes();
    }
    kept.flush()?;
    timeline.finish();
    let heads = HeadsOf::new(kept.read_back()?);
    let rehearsal = rehearse::rehearse(rules, seed, &timeline, &heads);
    let mut output = output(args.json);
    output.lines(&if args.json {
        rehearsal::json(&rehearsal)
    } else {
        rehearsal::text(&rehearsal)
    })?;
    Ok(ExitCode::SUCCESS)
}
