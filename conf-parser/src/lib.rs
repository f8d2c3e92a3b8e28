//! The keepalived configuration language: sources, expansion, block tree, diagnostics, keyword tables and value parsers.
//!
//! Text goes through three stages. [`parse`] reads the files and expands them into one tree of [`Statement`]s in which
//! every word still knows its place. A subsystem then walks the statements that it owns with [`Table`]s of
//! [`Keyword`]s, which fill typed drafts. Whatever is wrong on the way is gathered in [`Diagnostics`]; nothing stops at
//! the first error.

mod address;
mod command;
mod comment;
mod definition;
mod diagnostic;
mod expand;
mod glob;
mod include;
mod keyword;
mod language;
mod limits;
mod listing;
mod place;
mod random;
mod render;
mod sequence;
mod source;
mod statement;
mod suggest;
mod text;
mod tree;
mod value;
mod words;

pub use address::{parse_address, parse_port};
pub use command::{Command, split_command, split_escaped};
pub use diagnostic::{Class, Diagnostic, Diagnostics, MAX_DIAGNOSTICS};
pub use keyword::{
    Args, Entry, Joined, Keyword, Reload, Schema, Schemas, Table, Value, keyword,
    report_missing_parameter,
};
pub use language::{Options, parse, parse_text};
pub use limits::{MAX_FILES, MAX_LINE, MAX_LINES, MAX_NESTING, MAX_REPLACEMENTS, MAX_TEXT};
pub use listing::list_keywords;
pub use place::{Extent, FileId, Place, Spanned};
pub use statement::{Body, Line, Statement, Word, Words};
pub use suggest::did_you_mean;
pub use value::{
    Limits, c_number, fitting, parse_bool, parse_decimal, parse_int, parse_micros, parse_uint,
};
