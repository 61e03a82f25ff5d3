"""CBOR against the examples of its own RFC, and against what breaks readers."""

from datetime import UTC, datetime

import pytest

from backfill.sandbox.services.cbor import CborError, decoded, encoded

EXAMPLES = [
    ("00", 0),
    ("17", 23),
    ("1818", 24),
    ("1903e8", 1000),
    ("1a000f4240", 1_000_000),
    ("1b000000e8d4a51000", 1_000_000_000_000),
    ("20", -1),
    ("3903e7", -1000),
    ("fb3ff199999999999a", 1.1),
    ("f4", False),
    ("f5", True),
    ("f6", None),
    ("60", ""),
    ("62c3bc", "\u00fc"),
    ("80", []),
    ("8301820203820405", [1, [2, 3], [4, 5]]),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}),
]
"""RFC 8949, appendix A."""


@pytest.mark.parametrize(("text", "value"), EXAMPLES)
def test_values_are_written_and_read_as_the_rfc_writes_them(text: str, value: object) -> None:
    """If this fails, newer SDKs read other numbers than were measured."""
    assert encoded(value) == bytes.fromhex(text)
    assert decoded(bytes.fromhex(text)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("f93c00", 1.0),
        ("fa47c35000", 100_000.0),
        ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
        ("c11a514b67b0", 1_363_896_240),
    ],
)
def test_other_ways_of_writing_a_value_are_read(text: str, value: object) -> None:
    """If this fails, an SDK that writes lists without a length is refused."""
    assert decoded(bytes.fromhex(text)) == value


def test_a_moment_is_tagged() -> None:
    """If this fails, an SDK takes a time for a number."""
    assert encoded(datetime.fromtimestamp(1.5, UTC)) == bytes.fromhex("c1fb3ff8000000000000")


@pytest.mark.parametrize(
    "text", ["", "19", "62c3", "62c3c3", "8201", "bf6161", "4101", "f7", "1c", "a10101", "0000"]
)
def test_what_is_broken_is_refused(text: str) -> None:
    """If this fails, a broken call is carried out, or ends the server."""
    with pytest.raises(CborError):
        decoded(bytes.fromhex(text))


def test_nesting_has_an_end() -> None:
    """If this fails, a small body exhausts the stack."""
    with pytest.raises(CborError, match="deeply"):
        decoded(b"\x81" * 10_000)
