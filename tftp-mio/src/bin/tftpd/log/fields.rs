//! How the fields of a record are written in text: `name="boot.img" bytes=512`.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, format::Writer},
};

/// Strings stand in quotes, numbers and what is displayed do not. Whatever is no printable ASCII,
/// and a quote within quotes, is escaped: no field can end its line or look like two.
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = Visitor { writer, first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct Visitor<'w> {
    writer: Writer<'w>,
    first: bool,
    result: fmt::Result,
}

impl Visitor<'_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>, quoted: bool) {
        let result = self.try_write(field, value, quoted);
        self.result = self.result.and(result);
    }

    fn try_write(&mut self, field: &Field, value: fmt::Arguments<'_>, quoted: bool) -> fmt::Result {
        if !std::mem::take(&mut self.first) {
            self.writer.write_char(' ')?;
        }
        let quote = if quoted { "\"" } else { "" };
        if field.name() != "message" {
            write!(self.writer, "{}={quote}", field.name())?;
            fmt::write(&mut Escaping { writer: &mut self.writer, quoted }, value)?;
            return self.writer.write_str(quote);
        }
        fmt::write(&mut Escaping { writer: &mut self.writer, quoted: false }, value)
    }
}

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, format_args!("{value}"), true);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, format_args!("{value}"), false);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, format_args!("{value:?}"), false);
    }
}

struct Escaping<'a, 'w> {
    writer: &'a mut Writer<'w>,
    quoted: bool,
}

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '"' if self.quoted => self.writer.write_str("\\\"")?,
                ' '..='~' => self.writer.write_char(character)?,
                _ => write!(self.writer, "{}", character.escape_default())?,
            }
        }
        Ok(())
    }
}
