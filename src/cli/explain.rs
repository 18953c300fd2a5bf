//! `rachis explain`: what becomes of a request, and why.

use super::{
    ConfigArgs,
    config::{self, Origin},
    local_host, report,
};
use crate::{
    engine::{Connection, Found, Pending},
    explain::{self, Question, below, remedy},
    policy::reading::LoadOptions,
};
use base64::Engine as _;
use bstr::BString;
use std::{
    ffi::OsString,
    net::{IpAddr, ToSocketAddrs},
    os::unix::ffi::OsStrExt,
    process::ExitCode,
};

/// Arguments of `rachis explain`.
#[derive(clap::Args, Debug)]
pub(super) struct Explain {
    /// A method (GET if left out) and a URL: `/path?query`, or `http://host/path` to choose the host.
    #[arg(required_unless_present = "all_under", num_args = 1..=2, value_names = ["METHOD", "URL"])]
    words: Vec<OsString>,
    /// Instead: what would become of each file below the directory that this URL (`/path/`) leads to.
    #[arg(long, value_name = "URL", conflicts_with = "words")]
    all_under: Option<OsString>,
    /// A header field of the request, `Name: value`.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// Address of the client.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    client: IpAddr,
    /// User and password of the request (Basic authentication).
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Option<String>,
    /// Body of the request; only its length counts.
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// Answer with a JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Explain {
    pub(super) fn run(self) -> ExitCode {
        match self.answer() {
            Ok(text) => {
                report::print(&text);
                ExitCode::SUCCESS
            }
            Err(Some(error)) => {
                report::say(&format!("rachis explain: {error}\n"));
                ExitCode::FAILURE
            }
            Err(None) => ExitCode::FAILURE,
        }
    }

    /// The text; an error of the configuration has been told already.
    fn answer(&self) -> Result<String, Option<String>> {
        let question = self.question().map_err(Some)?;
        let options = self.config.options();
        let load_options = config::load_options(&options, &Origin::of(&options));
        let loaded = config::load(&load_options);
        if loaded.error().is_some() {
            report::errors(&loaded);
            return Err(None);
        }
        let engine = loaded.engine();
        if self.all_under.is_some() {
            let fates = below::all_under(&engine, &question, &resolve).map_err(Some)?;
            return Ok(match self.json {
                true => format!("{:#}\n", explain::fates_json(&fates)),
                false => below::table(&fates),
            });
        }
        let mut explanation = explain::decide(&engine, question, &resolve).map_err(Some)?;
        let reload = |lines: &[String]| {
            let post = lines.iter().map(|line| line.clone().into_bytes());
            let post = load_options.post.iter().cloned().chain(post).collect();
            let changed = config::load(&LoadOptions { post, ..load_options.clone() });
            changed.error().is_none().then(|| changed.engine())
        };
        explanation.remedy = remedy::find(&explanation, &engine, &reload, &resolve);
        Ok(match self.json {
            true => format!("{:#}\n", explain::json(&explanation)),
            false => explain::text(&explanation),
        })
    }

    fn question(&self) -> Result<Question, String> {
        let (method, url) = match self.words.as_slice() {
            _ if let Some(url) = &self.all_under => ("GET".to_owned(), url),
            [method, url] => (method.to_string_lossy().into_owned(), url),
            [url, ..] => ("GET".to_owned(), url),
            [] => return Err("which URL?".to_owned()),
        };
        let mut question = Question::new(&method, url.as_bytes()).map_err(|bad| bad.to_string())?;
        for field in &self.headers {
            let (name, value) = field.split_once(':').ok_or(format!("`{field}` is no header field"))?;
            if field.contains(['\r', '\n', '\0']) || name.is_empty() {
                return Err(format!("`{}` is no header field", field.escape_debug()));
            }
            question.headers.append(name, value.trim());
        }
        if let Some(user) = &self.user {
            let user = base64::engine::general_purpose::STANDARD.encode(user);
            question.headers.append("Authorization", format!("Basic {user}"));
        }
        if let Some(body) = &self.body {
            question.headers.append("Content-Length", body.len().to_string());
        }
        question.client = self.client;
        Ok(question)
    }
}

/// Answers what a decision waits for.
pub(super) fn resolve(pending: &Pending, conn: &Connection) {
    let found = match pending {
        Pending::NameOf(ip) => Found::Name(*ip, local_host::name_of(*ip).map(BString::from)),
        Pending::AddressesOf(name) => {
            let found = (name.to_string(), 0).to_socket_addrs();
            let addresses =
                found.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default();
            Found::Addresses(name.clone(), addresses)
        }
        Pending::Password(check) => Found::Password(check.clone(), check.holds()),
    };
    conn.lookups.borrow_mut().learn(found);
}
