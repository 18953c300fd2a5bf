//! stub
use crate::diag::Span;
use bstr::BString;
#[derive(Clone, Debug)]
pub struct Word {
    pub text: BString,
    pub span: Span,
    pub quoted: bool,
}
#[derive(Clone, Debug)]
pub struct Node {
    pub name: BString,
    pub args: BString,
    pub span: Span,
    pub name_span: Span,
    pub args_span: Span,
    pub verbatim: bool,
    pub children: Vec<Node>,
    pub close: Option<Span>,
}
impl Node {
    pub fn words(&self) -> Vec<Word> {
        vec![]
    }
}
