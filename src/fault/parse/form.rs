//! Rules as they stand in a file: tables and keys, their docs for the manual and for editors.
//!
//! What a combination of keys means, and which make no sense, stands in `rule` and `action`.

use crate::fault::rule::{Ends, ErrorHeader, Per, Scope, Stage, TlsFault, Way};

use super::bits::{Field, Fields};
use super::choice::One;
use super::reader::{Placed, Read, Reader, Value, entries, form, table};
use super::scalar::{Condition, Headers, Rate, Size, Time};

form! {
    /// Rules of bitstap: what is to go wrong, when, and how often.
    RulesForm {
        /// Version of this form; 1.
        #[schemars(extend("enum" = [1]))]
        version: u64,
        /// What chance is drawn from; the same seed repeats a run. The command line has the last word.
        seed: u64,
        /// The rules, tried in this order.
        rule: Vec<Placed<RuleForm>>,
    }
}

form! {
    /// One rule.
    #[schemars(extend("anyOf" = [{ "required": ["name", "do"] }, { "required": ["preset"] }]))]
    RuleForm {
        /// What receipts, screen and reports call it; unique in the file. A preset brings one.
        name: String,
        /// A ready-made rule of the fault catalogue, like F-11; keys next to it replace its own.
        preset: String,
        /// Which exchanges it is about, in the filter language; left out: all.
        when: Condition,
        /// Which of the matches may fire; left out: all.
        count: CountForm,
        /// Probability of firing at each counted match, 0 to 1; 1 if left out.
        #[schemars(extend("minimum" = 0, "maximum" = 1))]
        chance: f64,
        /// Bounds the rule in time since the start of the run.
        during: DuringForm,
        /// When in an exchange it is asked; request.head if left out.
        stage: One<Stage>,
        /// Where in the content, at a body stage; left out: before its first byte.
        at: AtForm,
        /// What happens, in this order; what is final comes last.
        r#do: Vec<Placed<ActionForm>>,
        /// What must have happened by the end of the run.
        expect: ExpectForm,
        /// The rule is off until somebody turns it on.
        off: bool,
    }
}

form! {
    /// Counts matches: after `skip` of them each `every`-th fires, at most `times`.
    CountForm {
        /// What the matches are counted by; run if left out.
        per: One<Per>,
        /// So many matches pass first; 0 if left out.
        skip: u64,
        /// So many fire at most; left out: without limit.
        #[schemars(extend("minimum" = 1))]
        times: u64,
        /// Each so-manieth fires; 1 if left out.
        #[schemars(extend("minimum" = 1))]
        every: u64,
    }
}

form! {
    /// A span of time since the start of the run.
    DuringForm {
        /// Inclusive; the start of the run if left out.
        from: Time,
        /// Exclusive; the end of the run if left out.
        to: Time,
    }
}

form! {
    /// A place in the content: one of the three.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    AtForm {
        /// Before this byte of the file, wherever the message's Content-Range puts it.
        file: Size,
        /// Before this byte of the content, from 0.
        body: Size,
        /// After this part of the content, 0 to 100.
        #[schemars(extend("minimum" = 0, "maximum" = 100))]
        percent: f64,
    }
}

form! {
    /// What the end of the run asks for; a failed expectation is exit code 1.
    ExpectForm {
        /// How often the rule fired; left out: at least once.
        fired: u64,
        /// After each firing an exchange of the same key matches this filter.
        then: Condition,
        /// So long after the firing at most.
        within: Time,
    }
}

form! {
    /// One thing to do: exactly one key.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    ActionForm {
        /// Waits before anything more of the message is forwarded.
        delay: DelayForm,
        /// Lets so many bytes a second pass, shared by a scope.
        limit: LimitForm,
        /// Lets a few bytes pass now and then.
        dribble: DribbleForm,
        /// Changes the head.
        set: SetForm,
        /// Takes fields out of the head.
        remove: RemoveForm,
        /// Flips bits of the content from the place on.
        flip: FlipForm,
        /// Swallows the content from the place on; the head stays as it is.
        truncate: EmptyForm,
        /// Writes a sentence into the capture.
        note: NoteForm,
        /// Final: the proxy answers itself.
        respond: RespondForm,
        /// Final: a TCP reset.
        reset: SideForm,
        /// Final: the connection is ended after what was written (FIN).
        close: SideForm,
        /// Final: nothing of the exchange moves any more, for a time or until a peer gives up.
        hang: ForForm,
        /// Final, but for one reset, close or hang behind it: the server's answer is read to its end and recorded, the client gets nothing of it.
        drop_response: EmptyForm,
        /// Final: the message is sent again.
        duplicate: DuplicateForm,
        /// Final: waits for the operator, at most for a time; then the message goes on as it is.
        hold: ForForm,
        /// Final, at connect: the connection is reset, and the port refuses new ones for a time.
        refuse: ForForm,
        /// Final, at connect: the TLS handshake goes wrong.
        tls: TlsForm,
    }
}

/// Takes no keys.
#[derive(Debug, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::fault) struct EmptyForm {}

impl Read for EmptyForm {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        for (key, at, _) in entries(table(value, reader, "write it like {}")?) {
            reader.unknown(at, "key", key, &[]);
        }
        Some(Self {})
    }
}

form! {
    /// A time in one of three ways.
    ForForm {
        /// With its unit, like "2m"; a number counts seconds.
        time: Time,
        /// In milliseconds.
        ms: u64,
        /// In seconds.
        s: u64,
    }
}

form! {
    /// A time in one of three ways, and how far it may be off.
    DelayForm {
        /// With its unit, like "300ms"; a number counts seconds.
        time: Time,
        /// In milliseconds.
        ms: u64,
        /// In seconds.
        s: u64,
        /// Up to so much more or less, drawn: with a unit, or a number in the unit of `ms` or `s`.
        jitter: Jitter,
    }
}

form! {
    /// A rate and who shares it.
    LimitForm {
        /// Like "64KiB/s" or "2Mbit/s"; a number counts bytes a second.
        rate: Rate,
        /// Who shares it; connection if left out.
        scope: One<Scope>,
        /// Which messages; left out: both at a request stage, the stage's own at a response stage.
        direction: One<Way>,
    }
}

form! {
    /// A pace.
    DribbleForm {
        /// So many bytes at once; 1 if left out.
        bytes: Size,
        /// Time between them; 1 s if left out.
        every: Time,
        /// Which messages; left out: both at a request stage, the stage's own at a response stage.
        direction: One<Way>,
    }
}

form! {
    /// Changes to a head: what is there is replaced in place, what is not is added at the end.
    SetForm {
        /// Status of a response, 100 to 999.
        #[schemars(extend("minimum" = 100, "maximum" = 999))]
        status: u64,
        /// Reason behind the status.
        reason: String,
        /// HTTP version of the start line: "1.0" or "1.1".
        #[schemars(extend("enum" = ["1.0", "1.1"]))]
        version: String,
        /// Header fields by name.
        headers: Headers,
        /// Fields of BITS by short name, whatever their spelling on the wire.
        bits: Fields,
        /// Which field carries the error code; BITS-Error-Code if left out.
        error_header: One<ErrorHeader>,
    }
}

form! {
    /// Fields that are taken out.
    RemoveForm {
        /// Header fields by name, in any case.
        headers: Vec<Placed<String>>,
        /// Fields of BITS by short name, whatever their spelling on the wire.
        bits: Vec<Placed<Field>>,
    }
}

form! {
    /// Bits to flip; which ones is drawn.
    FlipForm {
        /// So many bytes from the place on; 1 if left out.
        bytes: Size,
        /// So many bits in each of them, 1 to 8; 1 if left out.
        #[schemars(extend("minimum" = 1, "maximum" = 8))]
        bits: u64,
    }
}

form! {
    /// A sentence for the capture.
    NoteForm {
        /// The sentence.
        text: String,
    }
}

form! {
    /// An answer of the proxy; what is not said gets what a real server would write.
    #[schemars(extend("required" = ["status"]))]
    RespondForm {
        /// Status, 200 to 999.
        #[schemars(extend("minimum" = 200, "maximum" = 999))]
        status: u64,
        /// Reason behind the status; the usual one if left out.
        reason: String,
        /// Header fields by name.
        headers: Headers,
        /// Fields of BITS by short name.
        bits: Fields,
        /// Which field carries the error code; BITS-Error-Code if left out.
        error_header: One<ErrorHeader>,
        /// The content, as text.
        body: String,
        /// The content, in base64.
        body_base64: String,
        /// Leaves out what makes an Ack: of BITS it has the fields in `bits` only.
        no_ack: bool,
    }
}

form! {
    /// An end of the connection.
    SideForm {
        /// Which end; both if left out.
        side: One<Ends>,
    }
}

form! {
    /// How often a message is sent again.
    DuplicateForm {
        /// So many times more; 1 if left out.
        #[schemars(extend("minimum" = 1, "maximum" = 1000))]
        times: u64,
    }
}

form! {
    /// What is wrong with our certificate or handshake.
    #[schemars(extend("required" = ["fault"]))]
    TlsForm {
        /// What is wrong.
        fault: One<TlsFault>,
    }
}

/// How far a time may be off: with its unit, or a number in the unit of its neighbour.
#[derive(Clone, Copy, Debug)]
pub(in crate::fault) enum Jitter {
    Exact(std::time::Duration),
    Bare(u64),
}

impl Read for Jitter {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            toml::de::DeValue::Integer(_) => u64::read(value, reader).map(Self::Bare),
            _ => Time::read(value, reader).map(|time| Self::Exact(time.0)),
        }
    }
}

impl schemars::JsonSchema for Jitter {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Jitter".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Time::json_schema(generator)
    }
}
