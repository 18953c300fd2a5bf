//! The elements that put something else into the page: include and exec.

use super::{
    coding::entities,
    elements::{ABOVE_ROOT, sibling},
    page::Page,
    tags::{Attribute, Tag},
    variables::Undefined,
};
use crate::{
    engine::{Answer, Cx, Decision, LookedUp, Progress, Request},
    http::{Status, escape},
    modules::mod_cgi,
};
use bstr::{BString, ByteSlice};
use std::vec;

/// An include or exec whose attributes are worked off one by one.
#[derive(Debug)]
pub struct Job {
    kind: Kind,
    attributes: vec::IntoIter<Attribute>,
    /// The last part failed.
    failed: bool,
    /// What is being put in.
    current: Option<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Include,
    Exec,
}

impl Kind {
    /// A line for the error log; exec is mod_cgi's.
    fn log(self, cx: &mut Cx<'_>, level: u8, number: &'static str, text: &str) {
        let module = if self == Kind::Exec { "mod_cgi" } else { super::MODULE.name };
        cx.as_module(module, |cx| cx.log(level, number, format_args!("{text}")));
    }
}

#[derive(Debug)]
enum Part {
    /// A file or URL, as written.
    Include(BString),
    Program,
    Command,
}

impl Job {
    /// Begins an element; `None` if it can do nothing.
    pub fn begin(page: &Page, cx: &mut Cx<'_>, tag: Tag, out: &mut Vec<u8>) -> Option<Job> {
        let (kind, number) = match tag.name.as_slice() {
            b"include" => (Kind::Include, "AH01341"),
            _ => (Kind::Exec, "AH03195"),
        };
        let (name, file) = (&tag.name, cx.req.filename.clone());
        if tag.attributes.is_empty() {
            let text = format!("missing argument for {name} element in {file}");
            kind.log(cx, page.level(), number, &text);
        }
        if !page.printing {
            return None;
        }
        if tag.attributes.is_empty() {
            page.fail(out);
            return None;
        }
        if kind == Kind::Exec && page.no_exec {
            kind.log(cx, 3, "AH01228", &format!("exec used but not allowed in {file}"));
            page.fail(out);
            return None;
        }
        Some(Job { kind, attributes: tag.attributes.into_iter(), failed: false, current: None })
    }

    /// The next part that is wanted; `None` when the element is worked off.
    pub fn next(&mut self, page: &Page, cx: &mut Cx<'_>, out: &mut Vec<u8>) -> Option<Progress> {
        while let Some(Attribute { name, value: Some(value) }) = self.attributes.next() {
            let step = match self.kind {
                Kind::Include => self.include(page, cx, &name, &value),
                Kind::Exec => self.exec(page, cx, &name, &value),
            };
            match step {
                Step::Wanted(progress) => return Some(*progress),
                Step::Next => {}
                Step::Failed => {
                    page.fail(out);
                    return None;
                }
            }
        }
        if self.failed {
            page.fail(out);
        }
        None
    }

    /// A part is in place, or failed.
    pub fn done(&mut self, cx: &mut Cx<'_>, part: Request, out: &mut Vec<u8>) {
        match self.current.take() {
            Some(Part::Include(name)) if part.ended => {
                let file = cx.req.filename.clone();
                let status = part.status.0;
                cx.log(
                    3,
                    "",
                    format_args!(
                        "unable to include \"{name}\" in parsed file {file}, subrequest returned {status}"
                    ),
                );
                self.failed = true;
            }
            Some(Part::Include(_)) => {
                self.failed = false;
                if part.notes.contains(super::PARSED) {
                    cx.req.env = part.env;
                }
            }
            Some(Part::Program) if part.status.is_redirect() => {
                if let Some(location) = part.headers_out.get("Location") {
                    let location = escape::html(location).into_owned();
                    let location = location.as_bstr();
                    out.extend(format!("<a href=\"{location}\">{location}</a>").bytes());
                }
            }
            Some(Part::Program | Part::Command) | None => {}
        }
    }

    fn include(&mut self, page: &Page, cx: &mut Cx<'_>, name: &[u8], value: &[u8]) -> Step {
        let file = cx.req.filename.clone();
        match name {
            b"file" => {}
            b"virtual" if !self.failed => {}
            b"onerror" if self.failed => {}
            b"virtual" | b"onerror" => return Step::Next,
            _ => {
                let name = name.as_bstr();
                cx.log(3, "AH01342", format_args!("unknown parameter \"{name}\" to tag include in {file}"));
                return Step::Failed;
            }
        }
        let value = page.expand(cx, &entities(value), Undefined::Goes);
        let found = match name {
            b"file" => sibling(&file, &value).map(|path| cx.look_up_file(&path)),
            _ => Some(cx.look_up_url(&value)),
        };
        let (request, problem) = match found {
            None => (None, format!("{ABOVE_ROOT}: unable to include file \"{value}\" in parsed file {file}")),
            Some(LookedUp::Found(request)) if request.status == Status::OK => (Some(request), String::new()),
            Some(LookedUp::Found(request) | LookedUp::Answered(request)) => {
                let status = request.status.0;
                let text = format!(
                    "unable to include \"{value}\" in parsed file {file}, subrequest setup returned {status}"
                );
                (None, text)
            }
            Some(LookedUp::Wait(_)) => (
                None,
                format!("unable to include \"{value}\" in parsed file {file}, subrequest setup returned 500"),
            ),
        };
        let text_only = |kind: &BString| kind.starts_with(b"text/");
        match request {
            Some(request) if page.no_exec && !request.content_type.as_ref().is_none_or(text_only) => {
                self.fail(cx, &format!("unable to include potential exec \"{value}\" in parsed file {file}, content type not text/*"))
            }
            Some(request) => {
                self.current = Some(Part::Include(value));
                Step::Wanted(Box::new(cx.run_part(request, true)))
            }
            None => self.fail(cx, &problem),
        }
    }

    fn fail(&mut self, cx: &mut Cx<'_>, text: &str) -> Step {
        cx.log(3, "", format_args!("{text}"));
        let before = std::mem::replace(&mut self.failed, true);
        if before { Step::Failed } else { Step::Next }
    }

    fn exec(&mut self, page: &Page, cx: &mut Cx<'_>, name: &[u8], value: &[u8]) -> Step {
        let file = cx.req.filename.clone();
        match name {
            b"cmd" => {
                let command = page.expand(cx, &entities(value), Undefined::Stays);
                let cgi = mod_cgi::command(cx, &command);
                self.current = Some(Part::Command);
                let answer = Answer::Spawn(Box::new(cgi));
                let mut request = Box::new(cx.req.clone());
                request.log.clear();
                Step::Wanted(Box::new(Progress::Done(Decision { request, answer })))
            }
            b"cgi" => {
                let url = page.expand(cx, &entities(value), Undefined::Goes);
                match self.program(cx, &url) {
                    Some(wanted) => Step::Wanted(Box::new(wanted)),
                    None => {
                        let text = format!("invalid CGI ref \"{url}\" in {file}");
                        self.kind.log(cx, 3, "AH01230", &text);
                        Step::Failed
                    }
                }
            }
            _ => {
                let name = name.as_bstr();
                let text = format!("unknown parameter \"{name}\" to tag exec in {file}");
                self.kind.log(cx, 3, "AH01231", &text);
                Step::Failed
            }
        }
    }

    /// A program by its URL. It gets path and query of the page, which the URL must not have itself.
    fn program(&mut self, cx: &mut Cx<'_>, url: &BString) -> Option<Progress> {
        let LookedUp::Found(mut request) = cx.look_up_url(url) else { return None };
        let is_file = request.stat.is_some_and(|stat| stat.is_file());
        if request.status != Status::OK || !request.path_info.is_empty() || request.args.is_some() || !is_file
        {
            return None;
        }
        request.path_info = cx.req.path_info.clone();
        request.args = cx.req.args.clone();
        // Whatever it would be by itself, it is run.
        request.content_type = Some("application/x-httpd-cgi".into());
        self.current = Some(Part::Program);
        Some(cx.run_part(request, false))
    }
}

enum Step {
    Wanted(Box<Progress>),
    /// On to the next attribute.
    Next,
    /// The element is given up.
    Failed,
}
