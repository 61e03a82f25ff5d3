"""Findings for people and for scripts: the worst first, hostile text harmless, sums that fit."""

import json

from backfill.preflight.codes import code_document, code_lines, mend_for_code
from backfill.preflight.findings import (
    Findings,
    Mend,
    Verdict,
    findings_bytes,
    findings_document,
    found,
)
from backfill.preflight.lines import finding_lines, summary
from tests.unit.preflight.scenery import ROLE, WRITE, Scenery, allow, rule

HOSTILE = "evil\x1b[2J\nok  forged\u202e"
FINDINGS = Findings(
    findings=(
        found("clock", Verdict.OK, "right"),
        found("role", Verdict.WARNING, HOSTILE, subject=HOSTILE, evidence=[HOSTILE]),
        found(
            "versioning",
            Verdict.BLOCKER,
            "off",
            mend=Mend(says=HOSTILE, account_id="1" * 12, commands=(("aws", "s3api", "x y"),)),
        ),
        found("regions", Verdict.CANNOT_TELL, "who knows"),
    ),
    notes=(HOSTILE,),
)


def test_the_worst_comes_first_and_nothing_moves_the_cursor() -> None:
    """If this fails, a blocker scrolls away, or a rule's ID rewrites the screen."""
    lines = list(finding_lines(FINDINGS))
    assert lines[0].startswith("BLOCKER")
    assert all(line.isprintable() for line in lines)
    assert "  aws s3api 'x y'" in lines[2]
    assert summary(FINDINGS) == "1 blocker, 1 warning, 1 cannot tell, 1 ok"


def test_the_document_has_every_finding_and_counts_that_add_up() -> None:
    """If this fails, a script misses a blocker."""
    document = findings_document(FINDINGS)
    counts = document["counts"]
    assert isinstance(counts, dict)
    assert sum(counts.values()) == len(FINDINGS.findings)
    assert document["verdict"] == "blocked"
    assert json.loads(findings_bytes(FINDINGS)) == json.loads(json.dumps(document))
    assert not FINDINGS.is_green


async def test_a_code_is_explained_by_what_was_found() -> None:
    """If this fails, somebody with a code in hand still has to read the policies."""
    there = Scenery()
    there.policy(allow(WRITE[1:], "arn:aws:s3:::to/*", Principal={"AWS": ROLE}))
    told = mend_for_code("DstPutObjectNotPermitted", await there.seen(), await there.findings())
    assert [cause.check for cause in told.causes] == ["destination-policy"]
    assert "put-bucket-policy" in "\n".join(code_lines(told))
    assert told.mends[0].statements[0]["Action"] == "s3:ReplicateObject"


async def test_a_code_that_nothing_explains_names_every_statement_that_can() -> None:
    """If this fails, a code that comes from a control policy or a lag leaves people alone."""
    there = Scenery()
    told = mend_for_code("DstPutObjectNotPermitted", await there.seen(), await there.findings())
    assert told.causes == ()
    assert {lack.attached_to for lack in told.possible} == {ROLE, "arn:aws:s3:::to"}
    document = code_document(told)
    assert json.loads(json.dumps(document)) == document


async def test_a_code_of_no_permission_has_no_statement() -> None:
    """If this fails, people grant rights for an object in an archive."""
    there = Scenery()
    told = mend_for_code("SrcObjectNotEligible", await there.seen(), await there.findings())
    assert told.possible == ()
    assert "archive" in "\n".join(code_lines(told)).lower()


async def test_an_unknown_code_is_answered_for() -> None:
    """If this fails, a code of next year ends in an error."""
    there = Scenery()
    there.rules(rule())
    told = mend_for_code("\x1bNewCode", await there.seen(), await there.findings())
    assert told.causes == ()
    assert told.possible == ()
    assert all(line.isprintable() for line in code_lines(told))


def test_where_nothing_could_be_seen_nothing_is_green() -> None:
    """If this fails, preflight ends with 0 for a store that does not even answer."""
    unseen = found("bucket", Verdict.CANNOT_TELL, "whether the bucket exists is not known")
    seen = found("clock", Verdict.OK, "this machine's clock agrees with S3's")
    assert not Findings(findings=(unseen,)).is_green
    assert not Findings(findings=()).is_green
    assert Findings(findings=(unseen, seen)).is_green
