"""The reader's own care: one key's chain, part sizes that are none, bytes in any chunks."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from backfill.model.attributes import ObjectHead
from backfill.model.objects import VersionId
from backfill.model.places import BucketPlace
from backfill.verify.bandwidth import Bandwidth
from backfill.verify.decisions import Judged, Look, LookKind
from backfill.verify.reader import Reader, Side, are_bytes_equal
from backfill.verify.verdicts import Evidence, Fidelity, Verdict, VerdictRow
from tests.doubles.planning import BEFORE
from tests.doubles.stopped_clock import StoppedClock
from tests.unit.verify.two_buckets import DESTINATION, SOURCE, Bucket, Lying, Stored, place

BASE = Stored(version_id="v", data=b"some bytes", parts=(4, 6), algorithms=())
LOOK = Look(
    kind=LookKind.COMPARE,
    row=VerdictRow(
        number=0,
        key="a",
        version_id=VersionId("v"),
        destination=0,
        content=Verdict.UNVERIFIED,
        evidence=Evidence.NONE,
        fidelity=Fidelity.NOT_LOOKED_AT,
        destination_version_id=VersionId("v"),
    ),
)


class BlindToParts(Bucket):
    """A server that answers a part number with the whole object."""

    async def head_object(
        self,
        place: BucketPlace,
        key: str,
        *,
        version_id: VersionId | None = None,
        part_number: int | None = None,
    ) -> ObjectHead:
        assert part_number is None or part_number > 0
        return await super().head_object(place, key, version_id=version_id)


UNLIMITED = Bandwidth(0, StoppedClock(BEFORE))


def reader_of(source: Bucket, destination: Bucket, *, page_max: int = 1000) -> Reader:
    return Reader(
        source=Side(listing_name="s", place=place(SOURCE), store=source.port),
        destinations=(Side(listing_name="d", place=place(DESTINATION), store=destination.port),),
        is_deep=False,
        bandwidth=UNLIMITED,
        page_max=page_max,
    )


@pytest.mark.parametrize("page_max", [1, 2, 1000])
async def test_a_fresh_chain_holds_its_key_and_no_longer_one(page_max: int) -> None:
    """If this fails, the versions of `ab` are judged as older ones of `a`, or are listed whole."""
    older = replace(BASE, version_id="u")
    chains: dict[str, list[Lying]] = {key: [BASE, older] for key in ("a", "a/1", "a/2", "ab")}
    source = Bucket(name=SOURCE, chains=chains)
    destination = Bucket(name=DESTINATION, chains={"ab": [BASE]})
    group = await reader_of(source, destination, page_max=page_max).fresh_group("a")
    assert [(v.key, v.version_id) for v in group.source_chain] == [("a", "v"), ("a", "u")]
    assert group.destination_chains == ((),)
    assert source.asked["ListObjectVersions"] <= 3


async def test_a_server_that_ignores_part_numbers_shows_no_layout() -> None:
    """If this fails, sound bytes in another layout are called different on such a server."""
    source = BlindToParts(name=SOURCE, chains={"a": [BASE]})
    other = replace(BASE, parts=(5, 5))
    destination = BlindToParts(name=DESTINATION, chains={"a": [other]})
    (draft,) = await reader_of(source, destination).drafts([LOOK])
    assert isinstance(draft.decision, Judged)
    assert draft.decision.row.content is Verdict.UNVERIFIED


async def chunks(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("one", "two", "are_equal"),
    [
        ([], [], True),
        ([b"ab", b"c"], [b"a", b"", b"bc"], True),
        ([b"abc"], [b"ab"], False),
        ([b"ab"], [b"abc"], False),
        ([b"abc"], [b"abd"], False),
        ([], [b"a"], False),
    ],
)
async def test_bytes_are_compared_however_they_are_cut(
    one: list[bytes], two: list[bytes], *, are_equal: bool
) -> None:
    """If this fails, chunk borders decide whether content is equal, or a longer tail passes."""
    assert await are_bytes_equal(chunks(one), chunks(two), UNLIMITED) is are_equal
