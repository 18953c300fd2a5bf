//! stub
#[derive(Debug)]
pub struct ScriptHead;
#[derive(Debug)]
pub struct ScriptError;
