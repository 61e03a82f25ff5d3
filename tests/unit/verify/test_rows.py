"""Rows of verdicts and drafts: every word comes back, under the column that a reader knows."""

import pytest

from backfill.model.attributes import ReplicationStatus
from backfill.model.objects import ETag, VersionId
from backfill.verify.checksums import CHECKSUM_COLUMNS
from backfill.verify.decisions import (
    AFTER_HORIZON,
    SUPERSEDED,
    VANISHED,
    Judged,
    SourceSeen,
    Unjudged,
)
from backfill.verify.rows import (
    DRAFT_COLUMNS,
    UNJUDGED_COLUMNS,
    VERDICT_COLUMNS,
    Draft,
    draft_of,
    draft_row,
    draft_row_of,
    row_of,
    unjudged_row,
    verdict_of,
)
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict, VerdictRow

ROW = VerdictRow(
    number=4,
    key="k,\n",
    version_id=VersionId("v1"),
    destination=1,
    content=Verdict.DIFFERENT,
    evidence=Evidence.SIZE,
    fidelity=Fidelity.DIFFERENT,
    fields=(Field.SIZE, Field.TAGS),
    detail="Why.",
    destination_version_id=VersionId("d1"),
    destination_etag=ETag("e1"),
    destination_is_delete_marker=True,
)


def test_columns_keep_their_names() -> None:
    """If this fails, an artefact of an earlier version is read with its columns shifted."""
    known = [
        *("number", "key", "version_id", "destination", "content", "evidence", "fidelity"),
        *("fields", "detail", "destination_version_id", "destination_etag"),
        "destination_is_delete_marker",
    ]
    assert list(VERDICT_COLUMNS) == known
    assert list(UNJUDGED_COLUMNS) == ["number", "key", "destination", "reason"]
    of_drafts = ["is_suspect", "reason", "unproven_source_etag", "unproven_source_status"]
    assert list(DRAFT_COLUMNS) == of_drafts + known
    of_checksums = "number content algorithm source_checksum destination_checksum detail"
    assert list(CHECKSUM_COLUMNS) == of_checksums.split()


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        ROW._replace(number=None, version_id=None, fields=(), detail="", destination_etag=None),
        *(ROW._replace(content=word) for word in Verdict),
        *(ROW._replace(evidence=word) for word in Evidence),
        *(ROW._replace(fidelity=word) for word in Fidelity),
        *(ROW._replace(fields=(word,)) for word in Field),
    ],
)
def test_a_verdict_comes_back_as_it_was(row: VerdictRow) -> None:
    """If this fails, the report tells another verdict than verify found."""
    cells = list(row_of(row))
    assert len(cells) == len(VERDICT_COLUMNS)
    assert verdict_of(cells) == row
    plain = draft_of(list(draft_row_of(row_of(row))))
    assert plain == Draft(decision=Judged(row=row), is_suspect=False)


@pytest.mark.parametrize(
    "draft",
    [
        Draft(decision=Judged(row=ROW), is_suspect=True),
        Draft(
            decision=Judged(
                row=ROW,
                unproven=SourceSeen(etag=ETag("s"), replication_status=ReplicationStatus.PENDING),
            ),
            is_suspect=False,
        ),
        *(
            Draft(
                decision=Unjudged(number=3, key="k", destination=2, reason=reason), is_suspect=False
            )
            for reason in ("superseded", "vanished", "after-horizon")
        ),
    ],
)
def test_a_draft_comes_back_as_it_was(draft: Draft) -> None:
    """If this fails, a second look starts from what the first one never said."""
    cells = list(draft_row(draft))
    assert len(cells) == len(DRAFT_COLUMNS)
    assert draft_of(cells) == draft
    assert draft.key == cells[5]


def test_reasons_of_verify_have_their_words() -> None:
    """If this fails, the report does not know why a row has no verdict."""
    assert (SUPERSEDED, VANISHED, AFTER_HORIZON) == ("superseded", "vanished", "after-horizon")
    left = Unjudged(number=3, key="k", destination=2, reason=VANISHED)
    assert unjudged_row(left) == (3, "k", 2, "vanished")
