//! The command line.
mod config;
mod dump;
mod local_host;
mod options;
mod version;
/// Runs the program; the exit code is Apache's.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
