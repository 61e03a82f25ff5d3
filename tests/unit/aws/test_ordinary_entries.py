"""The short way to read a page says what the long way says, or nothing."""

import re
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backfill.aws.alike_entries import alike_entries
from backfill.aws.ordinary_entries import ordinary_entries
from backfill.aws.replies import ReplyError
from backfill.aws.versions_page import _ordinary_page, _page, _read, versions_page
from backfill.model.listed import cells_of
from backfill.model.store import VersionsPage
from tests.unit.aws.test_versions_page import HOSTILE, page

ELEMENTS: Final = {
    "Key": [
        "k",
        "a%2Bb+c",
        "a/b//c",
        "%FF",
        "",
        "é",
        "a&amp;b",
        "a&lt;",
        "%3Cb%3E",
        "&x;",
        "a]]>b",
        "a]b",
        "a\\b",
        "a\tb\rc",
        "\x7f",
        "\x01",
        'a"b',
    ],
    "VersionId": ["v1", "", "null", "a%2Bb", "v_x.Y-", "\n"],
    "IsLatest": ["true", "false", "yes", ""],
    "LastModified": [
        "2026-11-22T10:00:00.000Z",
        "2026-11-22T10:00:00Z",
        "2026-11-22T10:00:00",
        "2026-11-22T10:00:00.000+00:00",
        "2026-11-22T10:00:00.120Z",
        "2026-02-30T10:00:00.000Z",
        "2026-11-22T24:00:00.000Z",
        "2026-11-2210:000:00.000Z",
        "2026-W47-7T10:00:00.000Z",
        "2026-13-22T10:00:00.000Z",
        "2026-11-22Z",
        "",
    ],
    "ETag": [
        "&quot;e&quot;",
        '"e-2"',
        "e",
        "",
        "&quot;&quot;",
        "&quot;e",
        '&quot;a"b&quot;',
        "&quot;a<b/>&quot;",
    ],
    "ChecksumAlgorithm": ["CRC64NVME", "SHA256", "", "A,B"],
    "ChecksumType": ["FULL_OBJECT", "COMPOSITE", "", "HALF"],
    "Size": ["0", "5", "18446744073709551616", "-1", "+1", "1_0", " 1 ", "five", ""],
    "Owner": [
        "<ID>o</ID>",
        "<ID>o</ID><DisplayName>d d</DisplayName>",
        "<ID>&x;</ID>",
        "",
        "x",
        "<Key>k</Key>",
    ],
    "StorageClass": ["STANDARD", "GLACIER", ""],
    "RestoreStatus": [
        "<IsRestoreInProgress>true</IsRestoreInProgress>",
        "<RestoreExpiryDate>2026-11-22T10:00:00.000Z</RestoreExpiryDate>",
        "<Version><Key>k</Key></Version>",
    ],
}
NEEDED: Final = ("Key", "VersionId", "IsLatest", "LastModified", "ETag", "Size")
OPENINGS: Final = ["<{}>", "<{} >", '<{} a="b">', "<x:{}>"]


@st.composite
def entries(draw: st.DrawFn) -> str:
    """An entry, mostly ordinary: each oddity is rare, so that single ones are met."""
    odd = draw(st.integers(0, 9)) == 0
    names = [name for name in ELEMENTS if name in NEEDED or draw(st.booleans())]
    if odd and draw(st.booleans()):
        names = draw(st.permutations(names))
    if odd and draw(st.booleans()):
        names.append(draw(st.sampled_from(sorted(ELEMENTS))))
    pieces = []
    for name in names:
        value = draw(st.sampled_from(ELEMENTS[name])) if odd else ELEMENTS[name][0]
        opening = draw(st.sampled_from(OPENINGS)) if odd and draw(st.booleans()) else "<{}>"
        pieces.append(f"{opening.format(name)}{value}</{name}>")
    kind = draw(st.sampled_from(["Version", "Version", "DeleteMarker"]))
    between = draw(st.sampled_from(["\n  ", "<!-- c -->", "<Other>x</Other>", "x"])) if odd else ""
    return f"<{kind}>{between.join(pieces)}</{kind}>"


def long_way(body: bytes) -> VersionsPage | None:
    try:
        return _page(_read(body))
    except (ReplyError, ValueError, KeyError):
        return None


def short_way_agrees(body: bytes) -> None:
    """It may refuse what the long way reads; it may not read anything else into it."""
    short = _ordinary_page(body)
    assert short in (None, long_way(body))
    if short is not None:
        assert [type(entry) for entry in short.entries] == [
            type(entry) for entry in versions_page(body).entries
        ]
        # Byte for byte what the nouns would be written as: equal listings have equal digests.
        assert short.cells == list(map(cells_of, short.entries))


MORE: Final = [
    "<IsTruncated>false</IsTruncated>",
    "<IsTruncated>true</IsTruncated><NextKeyMarker>a%2B</NextKeyMarker>",
    "<IsTruncated>true</IsTruncated>",
    "<IsTruncated>perhaps</IsTruncated>",
    "<IsTruncated>false</IsTruncated><!--",
    "<IsTruncated>false</IsTruncated><Inner>",
    "<IsTruncated>fal",
    "<BackfillEntries/><IsTruncated>false</IsTruncated><!--",
]
ENDS: Final = ["", "-->", "</Inner>", "se</IsTruncated>", "<IsTruncated>true</IsTruncated>"]


@settings(max_examples=300)
@given(
    st.lists(entries(), max_size=4),
    st.sampled_from(MORE),
    st.sampled_from(ENDS),
    st.sampled_from(["url", ""]),
)
def test_both_ways_agree_on_any_page(rows: list[str], more: str, end: str, encoding: str) -> None:
    """A page that one way reads otherwise is a listing with objects that do not exist."""
    short_way_agrees(page(*rows, end, more=more, encoding=encoding))


@st.composite
def alike(draw: st.DrawFn) -> list[str]:
    """Versions with the same mark-up and other values, of which hardly any is odd."""
    names = [name for name in ELEMENTS if name in NEEDED or draw(st.booleans())]
    if draw(st.booleans()):
        names = draw(st.permutations(names))
    is_raw = draw(st.integers(0, 3)) == 0
    values = {name: draw(st.sampled_from(ELEMENTS[name][:2])) for name in ELEMENTS}
    versions = []
    for _ in range(draw(st.integers(1, 5))):
        differing = {
            "Key": draw(st.sampled_from(["k", "a%2Bb+c", "a/b//c"])),
            "VersionId": draw(st.sampled_from(["v1", "v22", "null"])),
            "IsLatest": draw(st.sampled_from(["true", "false"])),
            "LastModified": f"2026-11-{draw(st.integers(10, 28))}T10:00:00.000Z",
            "ETag": '"e-2"' if is_raw else f"&quot;e{draw(st.integers(0, 99))}&quot;",
            "Size": str(draw(st.integers(0, 10**12))),
        }
        if draw(st.integers(0, 9)) == 0:
            odd = draw(st.sampled_from(sorted(ELEMENTS)))
            differing[odd] = draw(st.sampled_from(ELEMENTS[odd]))
        one = values | differing
        versions.append("".join(f"<{name}>{one[name]}</{name}>" for name in names))
    return [f"<Version>{each}</Version>" for each in versions]


@settings(max_examples=500)
@given(alike(), st.sampled_from(["url", ""]))
def test_both_ways_agree_on_versions_that_are_alike_or_nearly(
    rows: list[str], encoding: str
) -> None:
    """The pattern that finds their values skips what is between: if this fails, it is believed."""
    short_way_agrees(page(*rows, encoding=encoding))


def alike_version(number: int) -> str:
    return (
        f"<Version><Key>k{number}</Key><VersionId>v{number}</VersionId>"
        f"<IsLatest>{'true' if number % 3 else 'false'}</IsLatest>"
        "<LastModified>2026-11-22T10:00:00.000Z</LastModified>"
        f"<ETag>&quot;{number:032x}&quot;</ETag><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>"
        f"<Size>{10**number}</Size><Owner><ID>o</ID></Owner>"
        "<StorageClass>GLACIER</StorageClass></Version>"
    )


ALIKE: Final = "".join(map(alike_version, range(4)))


@given(st.integers(0, len(ALIKE) - 1), st.text(max_size=2), st.integers(0, 2))
@settings(max_examples=500)
def test_both_ways_agree_in_the_neighbourhood_of_versions_that_are_alike(
    position: int, inserted: str, removed: int
) -> None:
    """One byte that is not the first version's mark-up, and the page is read with more care."""
    short_way_agrees(page(ALIKE[:position] + inserted + ALIKE[position + removed :]))


ODD_VALUES: Final = {
    "mark-up in an ETag": (f"&quot;{1:032x}&quot;", "&quot;a<b/>c&quot;"),
    "a quote in an ETag": (f"&quot;{1:032x}&quot;", '&quot;"a"&quot;'),
    "an entity in a key": ("<Key>k1", "<Key>k&amp;1"),
    "an entity in an owner": ("<ID>o", "<ID>o&amp;p"),
    "a carriage return in a key": ("<Key>k1", "<Key>k\r1"),
    "the end of a section in a key": ("<Key>k1", "<Key>k]]>1"),
    "a day in no calendar": ("2026-11-22", "2026-02-30"),
    "a time of another form": ("2026-11-22T10:00", "2026-11-2210:000"),
    "a flag that is none": ("true", "True"),
    "a size that is none": ("<Size>10<", "<Size>1o<"),
}


@pytest.mark.parametrize("odd", ODD_VALUES.values(), ids=ODD_VALUES)
@pytest.mark.parametrize("count", [1, 4], ids=["in one of them", "in all"])
def test_an_odd_value_among_versions_that_are_alike_is_not_read_the_short_way(
    odd: tuple[str, str], count: int
) -> None:
    """What XML makes something else of, or nothing: if this fails, a key or an ETag is invented."""
    old, new = odd
    assert old in ALIKE
    text = ALIKE.replace(old, new, count)
    assert alike_entries(text, is_encoded=True) is None
    short_way_agrees(page(text))


@pytest.mark.parametrize("name", ["Key", "VersionId", "ETag", "StorageClass"])
@pytest.mark.parametrize("count", [1, 3])
def test_only_a_time_loses_its_zone(name: str, count: int) -> None:
    """Keys may end like a time: a listing without their ends is of other objects."""
    texts = {
        "Key": "backup-2026-11-22T10:00:00.000Z",
        "VersionId": "v.000Z",
        "ETag": "&quot;e.000Z&quot;",
        "StorageClass": "S.000Z",
    }
    rows = [
        re.sub(rf"(<{name}>).*?(</{name}>)", rf"\g<1>{texts[name]}\g<2>", alike_version(0))
        for _ in range(count)
    ]
    body = page(*rows)
    short_way_agrees(body)
    assert texts[name].replace("&quot;", "") in map(str, versions_page(body).cells[0])


def test_versions_that_are_alike_are_read_without_their_markup() -> None:
    """If this fails, the ordinary page takes twice as long, and nobody sees why."""
    found = alike_entries(ALIKE, is_encoded=True)
    assert found == ordinary_entries(ALIKE, is_encoded=True)
    assert found is not None
    assert [cells[5] for cells in found] == [1, 10, 100, 1000]
    assert alike_entries(ALIKE.replace("GLACIER", "STANDARD", 1), is_encoded=True) is None


PLAIN: Final = "".join(f"<{name}>{values[0]}</{name}>" for name, values in ELEMENTS.items())
PLAIN_PAGE: Final = page(
    f"<Version>{PLAIN}</Version>",
    "<DeleteMarker><Key>k</Key><VersionId>m</VersionId>"
    "<IsLatest>false</IsLatest><LastModified>2026-11-22T10:00:00.000Z</LastModified></DeleteMarker>",
)


@given(st.integers(0, len(PLAIN_PAGE) - 1), st.binary(max_size=2), st.integers(0, 2))
@example(PLAIN_PAGE.index(b"<Version>"), b"<Version>", 0)
def test_both_ways_agree_in_the_neighbourhood_of_a_good_page(
    position: int, inserted: bytes, removed: int
) -> None:
    """Where a sloppy pattern would be caught."""
    short_way_agrees(PLAIN_PAGE[:position] + inserted + PLAIN_PAGE[position + removed :])


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_the_short_way_reads_nothing_hostile(body: bytes) -> None:
    """What the long way refuses is refused."""
    assert _ordinary_page(body) is None


ORDERS: Final = {
    "as the sandbox has them": list(ELEMENTS),
    "as the API's reference has them": sorted(ELEMENTS),
    "owner last": [*(name for name in ELEMENTS if name != "Owner"), "Owner"],
    "only what must be": [*NEEDED],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_ordinary_pages_go_the_short_way_whatever_the_order_of_elements(order: list[str]) -> None:
    """The long way costs five times as much: a store with another order would be listed slowly."""
    full = "".join(f"<{name}>{ELEMENTS[name][0]}</{name}>" for name in order)
    bare = re.sub("<(Checksum[A-Za-z]*|Owner|RestoreStatus)>.*?</\\1>", "", full)
    marker = re.sub("<(ETag|Size|StorageClass)>.*?</\\1>", "", bare)
    body = page(
        f"<Version>{full}</Version><Version>{bare}</Version><DeleteMarker>{marker}</DeleteMarker>"
    )
    found = _ordinary_page(body)
    assert found is not None
    assert found == long_way(body)
    assert len(found.entries) == 3
