//! Configuration text to a lossless tree.
//!
//! [`line`] cuts a text into logical lines that tile it, [`words`] cuts arguments as Apache's
//! `ap_getword_conf` does, and [`reader`] is Apache's first stage: it executes what acts while
//! reading (Include, IfModule, Define, Macro, …) and yields the tree of [`Node`]s that the second
//! stage, in the policy room, walks. Nothing here stops at the first error.

pub mod line;
pub mod node;
pub mod reader;
mod text;
pub mod words;

pub use line::{Kind, Line, lines};
pub use node::Node;
pub use reader::{Defines, Input, Reading, Stage, State, read};
pub use text::Text;
pub use words::{Word, Words};
