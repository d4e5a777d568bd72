//! How matchers are written.

use std::fmt::{self, Write as _};

use super::{MatchOp, Matcher};

/// Why a text is no matcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MatcherFault {
    /// There is nothing before the operator.
    #[error("a label's name is expected")]
    NoName,
    /// After the name comes something else.
    #[error("one of =, !=, =~, !~ is expected")]
    NoOperator,
    /// A quote is missing at the end.
    #[error("the quotes are not closed")]
    Unclosed,
    /// A quote within a value that does not begin with one.
    #[error("a quote within the value must be escaped as \\\"")]
    StrayQuote,
    /// Something follows the closing quote.
    #[error("nothing may follow the closing quote but a comma")]
    AfterQuote,
    /// A brace opens and does not close.
    #[error("the brace is not closed")]
    OpenBrace,
    /// The value is too long.
    #[error("the value is longer than 16 KiB")]
    ValueTooLong,
    /// The value is no regular expression.
    #[error("the regular expression is not valid")]
    Pattern,
    /// The regular expression would take too much memory.
    #[error("the regular expression is too big")]
    PatternTooBig,
    /// A list of matchers is too long.
    #[error("there are more than 64 matchers")]
    TooMany,
}

/// A text that is no matcher, or no list of matchers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}, at character {at} of `{text}`")]
pub struct MatcherError {
    /// What is wrong.
    pub fault: MatcherFault,
    /// Where, counted in characters from 1.
    pub at: usize,
    /// The text.
    pub text: String,
}

/// Writes a matcher in the one form that all its spellings have in common.
pub(super) fn write(matcher: &Matcher, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if is_classic_name(&matcher.name) {
        f.write_str(&matcher.name)?;
    } else {
        write_quoted(&matcher.name, f)?;
    }
    f.write_str(matcher.op.as_str())?;
    write_quoted(&matcher.value, f)
}

fn write_quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for char in text.chars() {
        match char {
            '\n' => f.write_str("\\n")?,
            '"' | '\\' => write!(f, "\\{char}")?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}

fn is_classic_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| is_name_byte(b) && !b.is_ascii_digit()) && bytes.all(is_name_byte)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':')
}

/// Reads one matcher, which takes the whole text: a value without quotes may hold commas.
pub(super) fn parse_one(text: &str) -> Result<Matcher, MatcherError> {
    let mut reader = Reader::new(text, text.len());
    let matcher = reader.matcher(false)?;
    reader.skip_space();
    if reader.rest().is_empty() { Ok(matcher) } else { Err(reader.error(MatcherFault::AfterQuote)) }
}

/// Reads matchers with commas between them, within braces or without.
pub(super) fn parse_list(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    let trimmed = text.trim_end();
    let braced = trimmed.trim_start().starts_with('{');
    let mut reader = Reader::new(text, trimmed.len());
    reader.skip_space();
    if braced {
        let opened = reader.at;
        reader.at += 1;
        if !trimmed.ends_with('}') || reader.at == reader.end {
            return Err(Reader { at: opened, ..reader }.error(MatcherFault::OpenBrace));
        }
        reader.end -= 1;
    }
    let mut matchers = Vec::new();
    loop {
        reader.skip_space();
        if reader.rest().is_empty() {
            return Ok(matchers);
        }
        if matchers.len() == super::MAX_MATCHERS {
            return Err(reader.error(MatcherFault::TooMany));
        }
        matchers.push(reader.matcher(true)?);
        reader.skip_space();
        if !reader.eat(",") && !reader.rest().is_empty() {
            return Err(reader.error(MatcherFault::AfterQuote));
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    const fn new(text: &'a str, end: usize) -> Self {
        Self { text, at: 0, end }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..self.end]
    }

    fn error(&self, fault: MatcherFault) -> MatcherError {
        let at = self.text[..self.at].chars().count() + 1;
        MatcherError { fault, at, text: self.text.to_owned() }
    }

    fn skip_space(&mut self) {
        self.at = self.end - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn matcher(&mut self, in_list: bool) -> Result<Matcher, MatcherError> {
        self.skip_space();
        let name_at = self.at;
        let name = if self.eat("\"") { self.quoted()? } else { self.bare_name() };
        if name.is_empty() {
            return Err(Self { at: name_at, ..*self }.error(MatcherFault::NoName));
        }
        self.skip_space();
        // The longer ones first, because each begins as a shorter one might.
        let ops = [MatchOp::Regex, MatchOp::NotRegex, MatchOp::NotEqual, MatchOp::Equal];
        let Some(op) = ops.into_iter().find(|op| self.eat(op.as_str())) else {
            return Err(self.error(MatcherFault::NoOperator));
        };
        self.skip_space();
        let value_at = self.at;
        let value = if self.eat("\"") { self.quoted()? } else { self.bare_value(in_list)? };
        Matcher::new(name, op, value).map_err(|fault| Self { at: value_at, ..*self }.error(fault))
    }

    fn bare_name(&mut self) -> String {
        let rest = self.rest();
        let len = rest.bytes().take_while(|&byte| is_name_byte(byte)).count();
        let name = &rest[..len];
        if !is_classic_name(name) {
            return String::new();
        }
        self.at += len;
        name.to_owned()
    }

    /// The rest of a quoted text, whose opening quote has been read.
    fn quoted(&mut self) -> Result<String, MatcherError> {
        let rest = self.rest();
        let mut escaped = false;
        for (at, char) in rest.char_indices() {
            match char {
                '"' if !escaped => {
                    self.at += at + 1;
                    return Ok(unescape(&rest[..at]));
                }
                _ => escaped = char == '\\' && !escaped,
            }
        }
        let opening = self.at - 1;
        Err(Self { at: opening, ..*self }.error(MatcherFault::Unclosed))
    }

    fn bare_value(&mut self, in_list: bool) -> Result<String, MatcherError> {
        let rest = self.rest();
        let len = if in_list { rest.find(',').unwrap_or(rest.len()) } else { rest.len() };
        let value = rest[..len].trim_end();
        let mut escaped = false;
        for (at, char) in value.char_indices() {
            if char == '"' && !escaped {
                self.at += at;
                return Err(self.error(MatcherFault::StrayQuote));
            }
            escaped = char == '\\' && !escaped;
        }
        self.at += len;
        Ok(unescape(value))
    }
}

/// A backslash that begins no escape stands for itself, so that regular expressions need not double theirs.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            plain.push(char);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some(other @ ('"' | '\\')) => plain.push(other),
            other => {
                plain.push('\\');
                plain.extend(other);
            }
        }
    }
    plain
}
