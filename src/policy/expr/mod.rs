//! Apache's expression language (ap_expr): `<If>`, `Require expr`, `expr=…`, `%{VAR}` in strings.
//!
//! Manual: `expr.html`. Text becomes an [`Expr`] once, while the configuration is read ([`parse`]);
//! a request evaluates it over a [`Context`] ([`eval`], [`eval_string`]). Every node carries its
//! place in the text, so that a trace can point at the part that decided.

mod ast;
mod eval;
pub mod functions;
mod lex;
mod parse;
pub mod subnet;
#[cfg(test)]
mod tests;
mod variables;

pub use ast::{
    CompareOp, Cond, CondKind, Expr, List, Place, Root, Test, UnaryOp, WildcardOp, Word, WordKind,
};
pub use eval::{Captures, Context, EvalError, LogLevel, SubRequest, SubRequestKind, eval, eval_string};
pub use functions::Function;
pub use parse::{Mode, Options, ParseError, parse};
pub use variables::Variable;
