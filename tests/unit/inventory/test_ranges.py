"""Ranges of keys: every cut is lawful, whatever the keys; what was learned decides how good."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.inventory.columns import Columns
from backfill.inventory.effort import Effort
from backfill.inventory.ranges import KEY_BYTES_MAX, OpenRange, successor

keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.text(
    "aé\ud7ff\ue000\U0010ffff/0", min_size=1, max_size=6
)


@given(
    st.lists(keys, min_size=2, max_size=30, unique=True),
    st.none() | keys,
    st.sampled_from(["", "a", "/"]),
    st.integers(0, 3),
)
@settings(max_examples=400, deadline=None)
def test_a_cut_lies_strictly_between(
    some: list[str], upto: str | None, prefix: str, refusals: int
) -> None:
    """A cut at or below what was listed doubles keys, one beyond the end loses them."""
    listed = sorted(prefix + key for key in some)
    columns = Columns()
    columns.learn(listed)
    half = len(listed) // 2
    key = listed[half - 1]
    if upto is not None and upto <= key:
        upto = None
    whole = OpenRange(prefix=prefix, upto=upto)
    whole.advance(listed[0], key, half)
    for _ in range(refusals):
        whole.answer(is_worth=False, is_outward=False)
    upper = whole.cut(columns)
    if upper is None:
        assert whole.upto == upto
        return
    assert upper.start is not None
    cut = upper.start.key
    assert (whole.upto, upper.upto, upper.start.version_id) == (cut, upto, None)
    assert key < cut
    assert upto is None or cut < upto
    assert cut.startswith(prefix)
    assert len(cut.encode()) <= KEY_BYTES_MAX


@given(keys)
@settings(max_examples=300, deadline=None)
def test_the_successor_is_the_least_string_above_all_that_begin_alike(text: str) -> None:
    """A surrogate in it could not be sent, and one too high would skip keys of the next folder."""
    above = successor(text)
    if above is None:
        assert set(text) == {"\U0010ffff"}
        return
    above.encode()
    assert text < above
    assert text + "\U0010ffff" * 3 < above
    last = ord(above[-1]) - 1
    below = above[:-1] + chr(0xD7FF if last == 0xDFFF else last)
    assert text.startswith(below)


def test_a_key_of_1024_bytes_is_not_cut_behind() -> None:
    """S3 refuses a marker that is longer than a key may be."""
    key = "k" * KEY_BYTES_MAX
    columns = Columns()
    columns.learn([key, key[:-1]])
    whole = OpenRange(prefix="", upto=key + "z")
    whole.advance(key[:-1], key, 2)
    assert whole.cut(columns) is None


@pytest.mark.parametrize(
    ("seen", "alphabet"),
    [
        ("0", "0"),
        ("03", "0123456789"),
        ("0a", "0123456789abcdef"),
        ("0F", "0123456789ABCDEF"),
        ("be", "abcdefghijklmnopqrstuvwxyz"),
        ("ab-", "-abcdefghijklmnopqrstuvwxyz"),
        ("xé", "xé"),
    ],
)
def test_two_characters_announce_their_class(seen: str, alphabet: str) -> None:
    """Without the others of its class, the first page would be taken for the whole bucket."""
    columns = Columns()
    columns.learn(seen)
    assert columns.alphabet(0) == alphabet
    assert columns.alphabet(1) == ""


def test_fractions_follow_the_order_of_keys() -> None:
    """An estimate that does not would cut where nothing is left."""
    columns = Columns()
    columns.learn(["a/00", "a/19", "b/55"])
    fractions = [columns.fraction(key, 2) for key in ("a/00", "a/05", "a/10", "a/95", "a/:")]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert columns.fraction("a/50", 2) == pytest.approx(0.5)


def test_a_key_that_goes_on_is_not_cut_twice() -> None:
    """A key with a million versions would be cut off from ever less, at a request each."""
    columns = Columns()
    columns.learn(["a1", "b2", "z9"])
    whole = OpenRange(prefix="", upto="z")
    whole.advance("a1", "b2", 10)
    assert whole.value(columns, 1) > 0
    assert whole.cut(columns) is not None
    whole.advance("b2", "b2", 10)
    assert whole.value(columns, 1) == 0.0
    whole.advance("b2", "b3", 10)
    assert whole.value(columns, 1) > 0


def test_effort_is_bounded_by_what_was_listed() -> None:
    """Cuts in vain must not multiply the requests of a bucket."""
    effort = Effort()
    assert not effort.allows(1)
    effort.note(given=1000, kept=1000)
    assert effort.allows(1)
    for _ in range(4):
        effort.note(given=0, kept=0)
    assert not effort.allows(1)
    for _ in range(40):
        effort.note(given=1000, kept=1000)
    assert effort.allows(1)
    assert not effort.allows(20)
