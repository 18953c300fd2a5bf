//! Lengths, widths and queries, against what Apache printed.

use super::{
    options::Words,
    page::{parent, size},
    query::{Key, Order, Wish, read},
};

#[test]
fn lengths() {
    for (bytes, text) in [
        (0, "  0 "),
        (972, "972 "),
        (973, "1.0K"),
        (1024, "1.0K"),
        (5000, "4.9K"),
        (10_188, "9.9K"),
        (10_240, " 10K"),
        (2_500_000, "2.4M"),
        (996_351, "973K"),
        (996_352, "1.0M"),
    ] {
        assert_eq!(size(Some(bytes)), text, "{bytes}");
    }
    assert_eq!(size(None), "  - ");
}

#[test]
fn parents() {
    assert_eq!((parent(b"/a/b/"), parent(b"/a/"), parent(b"/a")), (&b"/a/"[..], &b"/"[..], &b"/"[..]));
}

#[test]
fn queries_are_read_up_to_the_first_thing_unknown() {
    let (mut words, mut wish) = (Words::default(), Wish::default());
    read(b"C=S;O=D&F=2;V=1;P=a%20*;X=1;C=N", &mut words, &mut wish);
    assert!(words.has(Words::FANCY.with(Words::TABLE).with(Words::VERSION_SORT)));
    assert_eq!((wish.key, wish.order), (Key::Size, Order::Descending));
    assert_eq!(wish.pattern, Some("a *".into()));
    assert_eq!(wish.kept, b";F=2;V=1;P=a%20*");
}
