//! Values that are sent.

use super::wire::Writer;

/// A value of one of the types that are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `u`
    Number(u32),
    /// `s`
    Text(String),
    /// `as`
    Texts(Vec<String>),
    /// A struct of others, such as `(us)`.
    Struct(Vec<Value>),
    /// `v`
    Variant(Box<Value>),
    /// `a{sv}`: names with values of any type.
    Named(Vec<(&'static str, Value)>),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The type of the value (D-Bus specification, "Type System").
    pub fn signature(&self) -> String {
        match self {
            Self::Number(_) => "u".to_owned(),
            Self::Text(_) => "s".to_owned(),
            Self::Texts(_) => "as".to_owned(),
            Self::Struct(fields) => {
                let fields: String = fields.iter().map(Self::signature).collect();
                format!("({fields})")
            }
            Self::Variant(_) => "v".to_owned(),
            Self::Named(_) => "a{sv}".to_owned(),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Number(number) => writer.number(*number),
            Self::Text(text) => writer.text(text),
            Self::Texts(texts) => {
                writer.array(4, |writer| texts.iter().for_each(|text| writer.text(text)));
            }
            Self::Struct(fields) => {
                writer.align(8);
                fields.iter().for_each(|field| field.write(writer));
            }
            Self::Variant(value) => variant(value, writer),
            Self::Named(entries) => writer.array(8, |writer| {
                for (name, value) in entries {
                    writer.align(8);
                    writer.text(name);
                    variant(value, writer);
                }
            }),
        }
    }
}

fn variant(value: &Value, writer: &mut Writer<'_>) {
    writer.signature(&value.signature());
    value.write(writer);
}
