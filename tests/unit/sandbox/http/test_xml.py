"""XML as the sandbox reads and writes it."""

import pytest

from backfill.sandbox.http.xml import XmlError, boolean, branch, document, leaf, parsed


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a&b<c>\"d'", "a&amp;b&lt;c&gt;&quot;d'"),
        ("\r", "&#xd;"),
        ("line\nline\t", "line\nline\t"),
        ("\x01\x1f", "&#x1;&#x1f;"),
        ("é\U0010ffff", "é\U0010ffff"),
    ],
)
def test_text_is_escaped_as_s3_escapes_it(text: str, written: str) -> None:
    """If this fails, a hostile key breaks out of its element."""
    assert leaf("Key", text) == f"<Key>{written}</Key>"


@pytest.mark.parametrize("text", ["a", " x ", "a&b<c>", "\r\n", "]]>", "ключ", ""])
def test_what_is_written_reads_back(text: str) -> None:
    """If this fails, a key changes on its way through XML."""
    root = parsed(document("Root", [branch("Row", [leaf("Key", text)])]))
    row = root.child("Row")
    assert row is not None
    assert row.text_of("Key") == text


def test_absent_values_and_booleans_are_spelled_as_s3_does() -> None:
    """If this fails, clients read None as text or False as true."""
    assert leaf("Delimiter", None) == ""
    assert boolean("IsTruncated", value=False) == "<IsTruncated>false</IsTruncated>"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"<a>&#x1;</a>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b"<a>" * 40 + b"</a>" * 40,
        b"\xff",
    ],
)
def test_what_is_no_plain_xml_is_refused(text: bytes) -> None:
    """If this fails, an entity bomb or half a document is taken for a configuration."""
    with pytest.raises(XmlError):
        parsed(text)


def test_the_namespace_may_be_there_or_not() -> None:
    """If this fails, clients that leave out the namespace are refused, which S3 does not."""
    plain = parsed(b"<Tagging><TagSet/></Tagging>")
    named = parsed(b'<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet/></Tagging>')
    assert plain == named
    assert [child.name for child in plain.all("TagSet")] == ["TagSet"]
