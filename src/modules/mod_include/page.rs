//! A page while it is put together: text passes, elements are carried out in their turn.

use super::{
    config::{Includes, Tags},
    elements,
    parts::Job,
    tags::{Next, Scanner, Tag},
};
use crate::{
    engine::{Cx, Progress, Request, filter::Compose},
    policy::{OptionBits, SaidExt, expr::Captures},
};
use bstr::BString;

/// What Apache prints in place of an element that failed.
const ERROR_MESSAGE: &[u8] = b"[an error occurred while processing this directive]";

/// What echo prints for a variable that is not set.
const UNDEFINED_ECHO: &[u8] = b"(none)";

/// How dates are written.
const TIME_FORMAT: &[u8] = b"%A, %d-%b-%Y %H:%M:%S %Z";

/// The last regular expression of a condition.
#[derive(Debug)]
pub struct Matched {
    /// Its text.
    pub pattern: BString,
    /// How many groups it has.
    pub count: usize,
    /// The groups, if it matched.
    pub captures: Option<Captures>,
}

/// A page on its way through the filter.
#[derive(Debug)]
pub struct Page {
    scanner: Scanner,
    /// An element whose parts are being put in.
    job: Option<Job>,
    /// The content is complete.
    ending: bool,
    /// Whether what stands here is printed: no condition around it is false.
    pub printing: bool,
    /// Whether one of the conditions of this `if` held.
    pub held: bool,
    /// How many ifs are open within one that does not hold.
    pub skipped: usize,
    /// What stands in place of an element that failed.
    pub error_message: BString,
    /// What echo prints for a variable that is not set.
    pub undefined_echo: BString,
    /// How dates are written, for strftime(3).
    pub time_format: BString,
    /// Whether sizes are written in bytes.
    pub size_in_bytes: bool,
    /// Whether programs may not be run (IncludesNOEXEC).
    pub no_exec: bool,
    /// Whether conditions are those of Apache 2.2.
    pub legacy: bool,
    /// The last regular expression of a condition.
    pub matched: Option<Matched>,
}

impl Page {
    /// A page of the request of `cx`.
    pub fn new(cx: &Cx<'_>) -> Page {
        let (conf, tags): (&Includes, &Tags) = (cx.conf(), cx.server_conf());
        let text =
            |said: Option<&BString>, default: &[u8]| said.map_or_else(|| default.into(), BString::clone);
        Page {
            scanner: Scanner::new(tags.start(), tags.end()),
            job: None,
            ending: false,
            printing: true,
            held: true,
            skipped: 0,
            error_message: text(conf.error_message.value(), ERROR_MESSAGE),
            undefined_echo: text(conf.undefined_echo.value(), UNDEFINED_ECHO),
            time_format: text(conf.time_format.value(), TIME_FORMAT),
            size_in_bytes: false,
            no_exec: !cx.core().options.bits.has(OptionBits::INCLUDES_EXEC),
            legacy: conf.legacy.value_or(false),
            matched: None,
        }
    }

    /// An element failed.
    pub fn fail(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.error_message);
    }

    /// The level for a mistake of the page: it matters less where nothing is printed.
    pub fn level(&self) -> u8 {
        if self.printing { 3 } else { 4 }
    }

    fn run(&mut self, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> Option<Progress> {
        loop {
            if let Some(mut job) = self.job.take()
                && let Some(wanted) = job.next(self, cx, out)
            {
                self.job = Some(job);
                return Some(wanted);
            }
            match self.scanner.next() {
                Some(Next::Text(text)) if self.printing => out.extend_from_slice(&text),
                Some(Next::Text(_)) => {}
                Some(Next::Tag(tag)) => self.element(cx, tag, out),
                None if self.ending => {
                    self.finish(cx, out);
                    return None;
                }
                None => return None,
            }
        }
    }

    /// The content is complete, and all that could be carried out was.
    fn finish(&mut self, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
        let file = cx.req.filename.clone();
        match self.scanner.rest() {
            Ok(rest) if self.printing => out.extend_from_slice(&rest),
            Ok(_) => {}
            Err(tag) => {
                if let Some(Err((number, text))) = tag.map(|tag| elements::check(cx, &tag)) {
                    cx.log(3, number, format_args!("{text} {file}"));
                }
                let text = "SSI directive was not properly finished at the end of parsed document";
                cx.log(3, "AH01372", format_args!("{text} {file}"));
                if self.printing {
                    self.fail(out);
                }
            }
        }
        if !self.printing {
            cx.log(4, "AH01373", format_args!("missing closing endif directive in parsed document {file}"));
        }
    }

    fn element(&mut self, cx: &mut Cx<'_>, tag: Tag, out: &mut Vec<u8>) {
        let file = cx.req.filename.clone();
        if let Err((number, text)) = elements::check(cx, &tag) {
            cx.log(3, number, format_args!("{text} {file}"));
            if self.printing {
                self.fail(out);
            }
            return;
        }
        match tag.name.as_slice() {
            b"include" | b"exec" => self.job = Job::begin(self, cx, tag, out),
            _ => elements::run(self, cx, &tag, out),
        }
    }
}

impl Compose for Page {
    fn take(&mut self, cx: &mut Cx<'_>, bytes: &[u8], out: &mut Vec<u8>) -> Option<Progress> {
        self.scanner.feed(bytes);
        cx.as_module(super::MODULE.name, |cx| self.run(cx, out))
    }

    fn resume(&mut self, cx: &mut Cx<'_>, part: Box<Request>, out: &mut Vec<u8>) -> Option<Progress> {
        cx.as_module(super::MODULE.name, |cx| {
            if let Some(mut job) = self.job.take() {
                job.done(cx, *part, out);
                self.job = Some(job);
            }
            self.run(cx, out)
        })
    }

    fn end(&mut self, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> Option<Progress> {
        self.scanner.complete();
        self.ending = true;
        cx.as_module(super::MODULE.name, |cx| self.run(cx, out))
    }
}
