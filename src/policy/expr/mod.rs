//! stub
#[derive(Debug)]
pub struct Expr;
