//! A diagnostic as a value, and the source texts it points into.
//!
//! Every other room can make a [`Diagnostic`]; only [`render`] turns one into text. A [`Span`] is a
//! byte range of one source, twelve bytes, `Copy`: settings carry theirs into the running server,
//! so that a decision can name the line that made it.

pub mod ids;
pub mod render;
pub mod reports;
mod sources;

pub use sources::{FileId, Place, Sources, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing, nothing to mend.
    Note,
    /// Works, but very likely not as meant.
    Warning,
    /// The server does not start with this (or, in `.htaccess`, answers 500).
    Error,
}

/// What Apache itself prints for the same mistake, so that a search on the web finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Apache {
    /// A message that Apache prints behind its program name: `httpd: Syntax error on line 3 of …`.
    Program(String),
    /// A message that stands by itself, number included: `AH00526: Syntax error on line …`.
    Plain(String),
    /// Apache accepts this in silence.
    Silent,
}

/// How Apache's log marks a warning of the configuration: `[env:warn]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedAs {
    /// The module as the log names it; `None`: the line stands bare, as messages of the start do.
    pub module: Option<&'static str>,
    /// Whether Apache calls it an error, though it goes on.
    pub error: bool,
}

/// A piece of source with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What; may be empty for a bare underline.
    pub text: String,
}

/// An edit that mends the mistake: the bytes of `span` become `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes to replace; an empty span inserts.
    pub span: Span,
    /// What stands there afterwards.
    pub text: String,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// One sentence in the imperative: "close the section before the next one opens".
    pub advice: String,
    /// Edits that a machine may apply; empty when only a person can decide.
    pub edits: Vec<Edit>,
}

/// One finding about the configuration, a script or a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable name, `RX` and four digits.
    pub id: &'static str,
    /// How bad.
    pub severity: Severity,
    /// One line that says what is wrong, without a final stop.
    pub headline: String,
    /// What Apache prints for it.
    pub apache: Apache,
    /// For a warning: how Apache's log marks that.
    pub logged_as: LoggedAs,
    /// The first label is where the mistake is; the others are context.
    pub labels: Vec<Label>,
    /// Why it is so: whole sentences.
    pub notes: Vec<String>,
    /// How to mend it.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding with a place and nothing else yet; add to it with the `with_…` methods.
    pub fn new(id: &'static str, severity: Severity, span: Span, headline: impl Into<String>) -> Self {
        let labels = vec![Label { span, text: String::new() }];
        Diagnostic {
            id,
            severity,
            headline: headline.into(),
            apache: Apache::Silent,
            logged_as: LoggedAs { module: Some("core"), error: false },
            labels,
            notes: Vec::new(),
            fix: None,
        }
    }

    /// An error with a place.
    pub fn error(id: &'static str, span: Span, headline: impl Into<String>) -> Self {
        Diagnostic::new(id, Severity::Error, span, headline)
    }

    /// A warning with a place.
    pub fn warning(id: &'static str, span: Span, headline: impl Into<String>) -> Self {
        Diagnostic::new(id, Severity::Warning, span, headline)
    }

    /// Says what Apache prints for the same mistake.
    pub fn with_apache(mut self, apache: Apache) -> Self {
        self.apache = apache;
        self
    }

    /// Names the module whose warning it is in Apache's log, if not core's.
    pub fn logged_by(mut self, module: &'static str) -> Self {
        self.logged_as.module = Some(module);
        self
    }

    /// Says that Apache's log has it without time and module.
    pub fn logged_bare(mut self) -> Self {
        self.logged_as.module = None;
        self
    }

    /// Says that Apache's log calls it an error.
    pub fn logged_as_error(mut self) -> Self {
        self.logged_as.error = true;
        self
    }

    /// Gives the first label its words.
    pub fn with_label(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// Points at another place that matters here.
    pub fn with_context(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a sentence that says why.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds advice that only a person can carry out.
    pub fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.fix = Some(Fix { advice: advice.into(), edits: Vec::new() });
        self
    }

    /// Adds advice with the edit that carries it out.
    pub fn with_edit(mut self, advice: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        self.fix = Some(Fix { advice: advice.into(), edits: vec![Edit { span, text: text.into() }] });
        self
    }

    /// The place of the mistake itself.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}
