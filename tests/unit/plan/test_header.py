"""What holds for a whole plan survives its artefact, and nothing else is taken for it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backfill.errors import ArtifactDamagedError
from backfill.model.extras import NO_ABILITIES, Abilities
from backfill.model.places import BucketPlace
from backfill.plan.header import PlanHeader, header_document, header_of

SOURCE = BucketPlace(
    bucket="photos", region="eu-west-1", expected_owner="111122223333", owner_origin="caller"
)
FIRST = BucketPlace(
    bucket="copies", region="eu-north-1", expected_owner="444455556666", owner_origin="rule"
)
SECOND = BucketPlace(
    bucket="more", region="us-east-1", expected_owner="777788889999", owner_origin="flag"
)
LOCKED = Abilities(has_object_lock=True, keeps_acls=False, owner_id="us", blocks_public_acls=True)
OPEN = Abilities(has_object_lock=False, keeps_acls=True, owner_id="", blocks_public_acls=False)
HEADER = PlanHeader(
    source=SOURCE,
    destinations=(FIRST, SECOND),
    horizon=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    abilities=(LOCKED, OPEN),
    checksum_algorithm="CRC64NVME",
)
DOCUMENT: dict[str, Any] = {
    "source": {
        "bucket": "photos",
        "region": "eu-west-1",
        "expected_owner": "111122223333",
        "owner_origin": "caller",
    },
    "destinations": [
        {
            "bucket": "copies",
            "region": "eu-north-1",
            "expected_owner": "444455556666",
            "owner_origin": "rule",
        },
        {
            "bucket": "more",
            "region": "us-east-1",
            "expected_owner": "777788889999",
            "owner_origin": "flag",
        },
    ],
    "horizon": "2026-01-02T03:04:05+00:00",
    "abilities": [
        {
            "has_object_lock": True,
            "keeps_acls": False,
            "owner_id": "us",
            "blocks_public_acls": True,
        },
        {
            "has_object_lock": False,
            "keeps_acls": True,
            "owner_id": "",
            "blocks_public_acls": False,
        },
    ],
    "checksum_algorithm": "CRC64NVME",
}


def test_a_header_is_kept_under_these_names() -> None:
    """If this fails, run directories of the released version are read no more."""
    assert header_document(HEADER) == DOCUMENT
    assert header_of({"header": DOCUMENT}) == HEADER


def test_a_header_of_an_earlier_version_has_neither_abilities_nor_algorithm() -> None:
    """If this fails, an upgrade in the middle of a run loses it, or names what nobody knows of."""
    old = {name: DOCUMENT[name] for name in ("source", "destinations", "horizon")}
    header = header_of({"header": old})
    assert (header.abilities, header.checksum_algorithm) == ((), "")
    assert header.abilities_at(1) == NO_ABILITIES
    assert (HEADER.abilities_at(0), HEADER.abilities_at(1)) == (LOCKED, OPEN)


@pytest.mark.parametrize(
    "summary",
    [
        {},
        {"header": []},
        {"header": {**DOCUMENT, "destinations": {}}},
        {"header": {**DOCUMENT, "destinations": [[]]}},
        {"header": {**DOCUMENT, "source": {"bucket": "photos"}}},
        {"header": {**DOCUMENT, "horizon": "yesterday"}},
        {"header": {**DOCUMENT, "abilities": {}}},
        {"header": {**DOCUMENT, "abilities": [[], []]}},
        {"header": {**DOCUMENT, "abilities": DOCUMENT["abilities"][:1]}},
    ],
)
def test_the_summary_of_something_else_is_no_header(summary: dict[str, Any]) -> None:
    """If this fails, a stage goes on with places that nobody planned, or ends in a traceback."""
    with pytest.raises(ArtifactDamagedError, match="no readable header") as refused:
        header_of(summary)
    assert refused.value.hint == "begin a new run directory"
