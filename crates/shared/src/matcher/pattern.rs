//! Regular expressions as Alertmanager reads them: Go's RE2 syntax, put into that of the `regex` crate.
//!
//! The two agree but for a few constructs that would mean something else or be refused: RE2's `\d`, `\w`, `\s` and `\b`
//! know ASCII alone; a brace that bounds no repetition, and `[`, `&&`, `--`, `~~` within a class, stand for themselves;
//! `\Q…\E` quotes. (RE2's syntax: <https://github.com/google/re2/wiki/Syntax>.)

use regex::{Regex, RegexBuilder};

use super::MatcherFault;

/// Most memory that one compiled expression may take, in bytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Compiles an expression that must match the whole of a value.
pub(super) fn anchored(pattern: &str) -> Result<Regex, MatcherFault> {
    let translated = Translation::of(pattern);
    // By itself first: `a)(b` is no expression, though it would be one between the parentheses.
    build(&translated).and_then(|_| build(&format!("^(?:{translated})$"))).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => MatcherFault::PatternTooBig,
        _ => MatcherFault::Pattern,
    })
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).octal(true).size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_COMPILED_BYTES).build()
}

struct Translation<'a> {
    rest: &'a str,
    out: String,
}

impl<'a> Translation<'a> {
    fn of(pattern: &'a str) -> String {
        let mut this = Self { rest: pattern, out: String::with_capacity(pattern.len() + 8) };
        while let Some(first) = this.take() {
            match first {
                '\\' => this.escape(),
                '[' => this.class(),
                '{' => this.brace(),
                other => this.out.push(other),
            }
        }
        this.out
    }

    fn take(&mut self) -> Option<char> {
        let first = self.rest.chars().next()?;
        self.rest = &self.rest[first.len_utf8()..];
        Some(first)
    }

    /// What follows a backslash.
    fn escape(&mut self) {
        match self.take() {
            Some('Q') => {
                let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.out.push_str(&regex::escape(quoted));
                self.rest = rest;
            }
            Some('b') => self.out.push_str(r"(?-u:\b)"),
            Some('B') => self.out.push_str(r"(?-u:\B)"),
            Some(word @ ('<' | '>')) => self.out.push(word),
            Some(other) => self.shared_escape(other),
            None => self.out.push('\\'),
        }
    }

    /// What may follow a backslash within a class as well as outside.
    fn shared_escape(&mut self, letter: char) {
        match letter {
            'd' => self.out.push_str("[0-9]"),
            'D' => self.out.push_str("[^0-9]"),
            'w' => self.out.push_str("[0-9A-Za-z_]"),
            'W' => self.out.push_str("[^0-9A-Za-z_]"),
            's' => self.out.push_str(r"[\t\n\f\r ]"),
            'S' => self.out.push_str(r"[^\t\n\f\r ]"),
            other => {
                self.out.push('\\');
                self.out.push(other);
                if matches!(other, 'p' | 'P' | 'x') && self.rest.starts_with('{') {
                    let end = self.rest.find('}').map_or(self.rest.len(), |at| at + 1);
                    self.out.push_str(&self.rest[..end]);
                    self.rest = &self.rest[end..];
                }
            }
        }
    }

    /// What follows the bracket that opens a class, up to the one that closes it.
    fn class(&mut self) {
        self.out.push('[');
        for opening in ['^', ']'] {
            if self.rest.starts_with(opening) {
                self.take();
                self.out.push_str(if opening == ']' { r"\]" } else { "^" });
            }
        }
        let mut before = None;
        while let Some(first) = self.take() {
            match first {
                ']' => {
                    self.out.push(']');
                    return;
                }
                '\\' => match self.take() {
                    Some(word @ ('<' | '>')) => self.out.push(word),
                    Some(other) => self.shared_escape(other),
                    None => self.out.push('\\'),
                },
                '[' if self.rest.starts_with(':') && self.rest.contains(":]") => {
                    let end = self.rest.find(":]").map_or(self.rest.len(), |at| at + 2);
                    self.out.push('[');
                    self.out.push_str(&self.rest[..end]);
                    self.rest = &self.rest[end..];
                }
                '[' => self.out.push_str(r"\["),
                '&' | '-' | '~' if before == Some(first) => {
                    self.out.push('\\');
                    self.out.push(first);
                }
                other => self.out.push(other),
            }
            before = Some(first);
        }
    }

    /// What follows a brace: the bounds of a repetition, or else nothing that is particular.
    fn brace(&mut self) {
        let bounds = self.rest.split_once('}').map(|(bounds, _)| bounds).unwrap_or_default();
        let (least, most) = bounds.split_once(',').unwrap_or((bounds, ""));
        let is_count = !least.is_empty() && [least, most].into_iter().all(|n| n.bytes().all(|b| b.is_ascii_digit()));
        self.out.push_str(if is_count { "{" } else { r"\{" });
    }
}
