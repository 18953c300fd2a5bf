//! The command line.
/// Runs the program; the exit code is Apache's.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
