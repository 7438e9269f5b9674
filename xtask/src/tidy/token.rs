//! A Rust file as tokens with their lines.

use ra_ap_rustc_lexer::{TokenKind, strip_shebang, tokenize};

/// What a token is to the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a keyword.
    Word,
    Comment,
    /// A string, a character, a number.
    Literal,
    /// One character of punctuation, or anything else.
    Mark,
}

/// A token; whitespace is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// The line where it begins, from 1.
    pub(crate) line: usize,
    /// The byte where it begins.
    pub(crate) start: usize,
}

impl Token<'_> {
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    pub(crate) fn is_mark(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }
}

/// The tokens of a Rust file, comments among them.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = strip_shebang(text).unwrap_or(0);
    let mut line = 1;
    let Some(code) = text.get(start..) else { return tokens };
    for token in tokenize(code) {
        let end = start + token.len as usize;
        let Some(piece) = text.get(start..end) else { break };
        let kind = match token.kind {
            TokenKind::Whitespace => None,
            TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => Some(Kind::Comment),
            TokenKind::Ident | TokenKind::RawIdent => Some(Kind::Word),
            TokenKind::Literal { .. } => Some(Kind::Literal),
            _ => Some(Kind::Mark),
        };
        if let Some(kind) = kind {
            tokens.push(Token { kind, text: piece, line, start });
        }
        line += piece.matches('\n').count();
        start = end;
    }
    tokens
}

/// The same without comments.
pub(crate) fn code(text: &str) -> Vec<Token<'_>> {
    let mut tokens = tokens(text);
    tokens.retain(|token| token.kind != Kind::Comment);
    tokens
}

/// The same without items that are compiled for tests alone.
pub(crate) fn shipped(text: &str) -> Vec<Token<'_>> {
    let code = code(text);
    let mut shipped = Vec::with_capacity(code.len());
    let mut at = 0;
    while at < code.len() {
        if let Some(after) = test_attribute(&code, at) {
            at = end_of_item(&code, after);
        } else {
            shipped.push(code[at]);
            at += 1;
        }
    }
    shipped
}

/// Where an attribute like `#[cfg(test)]` or `#[cfg(all(test, not(loom)))]` ends, if one begins at `at`.
fn test_attribute(code: &[Token<'_>], at: usize) -> Option<usize> {
    let begins =
        code.get(at)?.is_mark("#") && code.get(at + 1)?.is_mark("[") && code.get(at + 2)?.is_word("cfg");
    if !begins {
        return None;
    }
    let end = at + code[at..].iter().position(|token| token.is_mark("]"))?;
    let direct = code[at + 4].is_word("test");
    let all = code[at + 4].is_word("all") && code[at + 5..end].iter().any(|token| token.is_word("test"));
    (direct || all).then_some(end + 1)
}

/// Where the item that begins at `at` ends: behind its semicolon, or behind its braces.
fn end_of_item(code: &[Token<'_>], at: usize) -> usize {
    let mut depth = 0usize;
    for (i, token) in code.iter().enumerate().skip(at) {
        if token.is_mark("{") {
            depth += 1;
        } else if token.is_mark("}") {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 && (token.is_mark("}") || token.is_mark(";")) {
            return i + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_for_tests_are_left_out_and_what_follows_them_is_not() {
        let text = "\
#[cfg(test)]
mod tests;
#[cfg(all(test, not(loom)))]
#[allow(dead_code)]
mod more { fn f() { a; { b } } }
#[cfg(not(test))]
fn c() {}
fn d() {}
";
        let words = |code: Vec<Token<'_>>| {
            code.iter()
                .filter(|t| t.kind == Kind::Word && t.text.len() == 1)
                .map(|t| t.text.to_owned())
                .collect()
        };
        let all: Vec<String> = words(code(text));
        let left: Vec<String> = words(shipped(text));
        assert_eq!(all.concat(), "fabcd");
        assert_eq!(left.concat(), "cd");
    }

    #[test]
    fn words_in_strings_and_comments_are_no_words() {
        let text = "let a = \"unsafe\"; // unsafe\nlet b = r#\"unsafe \"# ; /* unsafe\n*/ let 'x: unsafe";
        let words: Vec<_> = tokens(text).into_iter().filter(|token| token.is_word("unsafe")).collect();
        assert_eq!(words.len(), 1);
        assert_eq!(words[0].line, 3);
        assert_eq!(&text[words[0].start..], "unsafe");
        assert_eq!(tokens(text).iter().filter(|token| token.kind == Kind::Comment).count(), 2);
    }
}
