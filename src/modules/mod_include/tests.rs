//! What the cases cannot see: elements that come in pieces of any size, and hostile ones.

use super::tags::{Next, Scanner, Tag};
use bstr::{BString, ByteSlice};

/// All that a scanner finds in a content that comes in pieces: text as it is, elements in brackets.
fn found(content: &[u8], piece: usize) -> BString {
    let mut scanner = Scanner::new(b"<!--#", b"-->");
    let mut out = Vec::new();
    let drain = |scanner: &mut Scanner, out: &mut Vec<u8>| {
        while let Some(next) = scanner.next() {
            match next {
                Next::Text(text) => out.extend_from_slice(&text),
                Next::Tag(Tag { name, attributes }) => {
                    out.extend_from_slice(format!("[{name}").as_bytes());
                    for attribute in attributes {
                        let value = attribute.value.map(|value| format!("={value}")).unwrap_or_default();
                        out.extend_from_slice(format!(" {}{value}", attribute.name).as_bytes());
                    }
                    out.push(b']');
                }
            }
        }
    };
    for bytes in content.chunks(piece) {
        scanner.feed(bytes);
        drain(&mut scanner, &mut out);
    }
    scanner.complete();
    drain(&mut scanner, &mut out);
    match scanner.rest() {
        Ok(rest) => out.extend_from_slice(&rest),
        Err(tag) => {
            out.extend_from_slice(format!("!{}", tag.map(|tag| tag.name).unwrap_or_default()).as_bytes())
        }
    }
    out.into()
}

#[track_caller]
fn check(content: &str, expected: &str) {
    for piece in [1, 2, 3, 5, 8, content.len().max(1)] {
        assert_eq!(found(content.as_bytes(), piece), expected, "in pieces of {piece}");
    }
}

#[test]
fn elements_are_found_in_pieces_of_any_size() {
    check("a<!--#Echo VAR=\"x y\" -->b", "a[echo var=x y]b");
    check("<!--#a--><!--#b -->", "[a][b]");
    check("<!--#set var=a value='b --> c' d -->.", "[set var=a value=b --> c d].");
    check("<!--#x a = `b`c=d-->e -->", "[x a=b c=d-->e]");
    check("<!--#x a=\"\\\"\\\\\" -->\" -->", "[x a=\"\\\" -->]");
    check("<!-- # --> <!--", "<!-- # --> <!--");
    check("<<!--<!--#a -->", "<<!--[a]");
    check("<!---->#", "<!---->#");
}

#[test]
fn what_is_not_finished_is_told() {
    check("a<!--#", "a!");
    check("a<!--#echo", "a!");
    check("a<!--#echo ", "a!echo");
    check("a<!--#echo var=\"-->", "a!echo");
    check("a<!--#echo --", "a!echo");
}

/// Reading over and over what has no end would take minutes.
#[test]
fn an_element_without_end_is_not_read_over_and_over() {
    let mut content = b"<!--#echo var=\"".to_vec();
    content.resize(4 << 20, b'x');
    assert_eq!(found(&content, 64), "!echo");
    let mut starts = b"<!--".repeat(1 << 18);
    starts.push(b'#');
    assert!(found(&starts, 97).starts_with(b"<!--<!--"));
    assert!(!found(&starts, 97).contains_str("["));
}
