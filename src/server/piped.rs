//! Log programs: `|program args`, `||program args`, `|$shell command`.
//!
//! The server keeps both ends of the pipe, so that a log program that dies loses no line: it is
//! started again and reads on where the last one stopped.

use std::{
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

/// How long a log program may take to end when its input is closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running log program.
#[derive(Debug)]
pub struct Piped {
    command: Vec<String>,
    /// `None` only while it is being dropped.
    writer: Option<io::PipeWriter>,
    reader: Option<io::PipeReader>,
    /// Only the main thread looks at it.
    child: Mutex<Option<Child>>,
}

impl Piped {
    /// Starts the program; the text is what stands behind the first `|`.
    pub fn start(text: &[u8]) -> io::Result<Piped> {
        let (reader, writer) = io::pipe()?;
        let command = words(&String::from_utf8_lossy(text));
        let piped = Piped { command, writer: Some(writer), reader: Some(reader), child: Mutex::new(None) };
        let child = piped.spawn()?;
        *piped.lock() = Some(child);
        Ok(piped)
    }

    /// Writes to the program.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match &self.writer {
            Some(writer) => (&*writer).write_all(bytes),
            None => Ok(()),
        }
    }

    /// Starts the program again if it ended.
    pub fn revive(&self) {
        let mut child = self.lock();
        let ended = child.as_mut().is_none_or(|child| matches!(child.try_wait(), Ok(Some(_))));
        if ended {
            *child = self.spawn().ok();
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        let nothing = || io::Error::from(io::ErrorKind::NotFound);
        let (program, arguments) = self.command.split_first().ok_or_else(nothing)?;
        let input = self.reader.as_ref().ok_or_else(nothing)?.try_clone()?;
        Command::new(program).args(arguments).stdin(Stdio::from(input)).process_group(0).spawn()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Piped {
    /// The end that lines are written to.
    pub fn input(&self) -> Option<BorrowedFd<'_>> {
        self.writer.as_ref().map(AsFd::as_fd)
    }
}

impl Drop for Piped {
    /// Closes the pipe, waits for the program to read it to its end, and ends it if it does not.
    fn drop(&mut self) {
        self.writer = None;
        self.reader = None;
        let Some(mut child) = self.lock().take() else { return };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The words of the command: cut at blanks, with quotes; `$` in front gives it to the shell.
fn words(text: &str) -> Vec<String> {
    if let Some(shell) = text.strip_prefix('$') {
        return ["/bin/sh", "-c", shell.trim_start()].map(str::to_owned).to_vec();
    }
    let text = text.strip_prefix('|').unwrap_or(text);
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => word.get_or_insert_default().extend(chars.next()),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ' | '\t', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(words(text), expected);
    }

    #[test]
    fn commands_are_cut_at_blanks_and_quotes_hold() {
        check("/usr/bin/rotatelogs  /var/log/x 86400", &["/usr/bin/rotatelogs", "/var/log/x", "86400"]);
        check("|prog 'a b' \"c d\" e\\ f ''", &["prog", "a b", "c d", "e f", ""]);
        check("$cat >> /x", &["/bin/sh", "-c", "cat >> /x"]);
    }

    #[test]
    fn what_was_written_arrives_before_the_program_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        let piped = Piped::start(format!("$cat > {}", file.display()).as_bytes()).unwrap();
        piped.write(b"one\n").unwrap();
        drop(piped);
        assert_eq!(std::fs::read(&file).unwrap(), b"one\n");
    }

    #[test]
    fn a_program_that_ended_is_started_again_and_loses_no_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        let piped = Piped::start(format!("$head -n 1 >> {}", file.display()).as_bytes()).unwrap();
        piped.write(b"one\n").unwrap();
        let wait = |text: &[u8]| {
            for _ in 0..500 {
                if std::fs::read(&file).is_ok_and(|now| now == text) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            panic!("the line did not arrive");
        };
        wait(b"one\n");
        std::thread::sleep(Duration::from_millis(50));
        piped.write(b"two\n").unwrap();
        piped.revive();
        wait(b"one\ntwo\n");
    }
}
