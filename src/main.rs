//! argv to command to exit code.

fn main() -> std::process::ExitCode {
    rachis::cli::main()
}
