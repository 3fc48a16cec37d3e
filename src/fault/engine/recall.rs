//! The memory behind "why not?": what each rule said about the exchanges decided last.

use crate::event::ConnId;
use crate::fault::recent::Recent;
use crate::fault::rule::Stage;

/// So many exchanges are remembered at least.
const ROOM: usize = 4096;

/// What a rule said at one moment.
#[derive(Clone, Debug)]
pub(super) enum Word {
    Off,
    /// The message does not carry the byte that `at` names.
    NotCarried,
    /// Matched and did not fire, with the reason.
    Refused(Box<str>),
    /// What was done.
    Fired(Box<str>),
}

/// What was said about one exchange. A rule that is not in it was asked, if its stage was, and its
/// condition did not hold.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Which of [`Stage::ALL`] were decided, as bits.
    stages: u8,
    /// Number of the rule set at that time.
    set: u32,
    all_off: bool,
    words: Vec<(u32, Word)>,
}

/// The exchanges decided last.
#[derive(Debug)]
pub(super) struct Recall {
    of: Recent<(ConnId, Option<u64>), Memory>,
}

/// What identifies a rule in a memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) id: u32,
    /// Number of the rule set that it came with.
    pub(super) since: u32,
    pub(super) stage: Stage,
}

impl Recall {
    pub(super) fn new() -> Self {
        Self {
            of: Recent::new(ROOM),
        }
    }

    /// Opens the memory of an exchange at a moment that decides about `stages`.
    pub(super) fn open(
        &mut self,
        conn: ConnId,
        exchange: Option<u64>,
        stages: &[Stage],
        set: u32,
        all_off: bool,
    ) -> &mut Memory {
        let memory = self.of.entry((conn, exchange));
        for stage in stages {
            memory.stages |= flag(*stage);
        }
        memory.set = set;
        memory.all_off = all_off;
        memory
    }

    /// Says why a rule did not fire on an exchange, or that it did.
    pub(super) fn why(&self, conn: ConnId, exchange: u64, asked: Asked) -> String {
        let own = self.of.peek(&(conn, Some(exchange)));
        // What was decided beside any exchange: at connect, at the end.
        let beside = self.of.peek(&(conn, None));
        let is_beside = matches!(asked.stage, Stage::Connect | Stage::Close);
        let memories = [own, beside.filter(|_| is_beside)];
        let mut memories = memories.into_iter().flatten().peekable();
        if memories.peek().is_none() {
            return "nothing is remembered of this exchange".to_owned();
        }
        let mut text = None;
        for memory in memories {
            text = memory.why(asked).or(text);
        }
        text.unwrap_or_else(|| format!("its stage, {}, was never reached", asked.stage.name()))
    }
}

impl Memory {
    pub(super) fn say(&mut self, rule: u32, word: Word) {
        self.words.push((rule, word));
    }

    /// `None`: the stage was not reached.
    fn why(&self, asked: Asked) -> Option<String> {
        let stage = asked.stage.name();
        let word = self.words.iter().rev().find(|(id, _)| *id == asked.id);
        if let Some((_, word)) = word {
            return Some(match word {
                Word::Off => "it was off".to_owned(),
                Word::NotCarried => {
                    "the message does not carry the byte that `at` names".to_owned()
                }
                Word::Refused(reason) => format!("it matched at {stage}, but: {reason}"),
                Word::Fired(done) => format!("it fired at {stage}: {done}"),
            });
        }
        if self.stages & flag(asked.stage) == 0 {
            return None;
        }
        Some(if self.all_off {
            "all rules were off".to_owned()
        } else if asked.since > self.set {
            "it came into force later".to_owned()
        } else {
            "its condition does not hold".to_owned()
        })
    }
}

const fn flag(stage: Stage) -> u8 {
    match stage {
        Stage::Connect => 1,
        Stage::RequestHead => 2,
        Stage::RequestBody => 4,
        Stage::ResponseHead => 8,
        Stage::ResponseBody => 16,
        Stage::Close => 32,
    }
}
