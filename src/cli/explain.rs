//! `rachis explain`: what becomes of a request, and why.

use super::{
    ConfigArgs,
    config::{self, Origin},
    local_host, report,
};
use crate::{
    engine::{Connection, Found, Pending},
    explain::{self, Question},
};
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
    #[arg(required = true, num_args = 1..=2, value_names = ["METHOD", "URL"])]
    words: Vec<OsString>,
    /// A header field of the request, `Name: value`.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// Address of the client.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    client: IpAddr,
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
        let loaded = config::load(&config::load_options(&options, &Origin::of(&options)));
        if loaded.error().is_some() {
            report::errors(&loaded);
            return Err(None);
        }
        let engine = loaded.engine();
        let explanation = explain::decide(&engine, question, &resolve).map_err(Some)?;
        Ok(match self.json {
            true => format!("{:#}\n", explain::json(&explanation)),
            false => explain::text(&explanation),
        })
    }

    fn question(&self) -> Result<Question, String> {
        let (method, url) = match self.words.as_slice() {
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
