"""Which checks can explain a code, what is told of one, and the same as JSON."""

import json
from dataclasses import replace

import pytest

from backfill.batch_operations.failure_codes import FAILURE_CODES
from backfill.preflight.catalogue import PART_OF, stopping
from backfill.preflight.codes import checks_for, code_document, code_lines, mend_for_code
from backfill.preflight.findings import (
    FINDING_FIELDS,
    Finding,
    Findings,
    Mend,
    Part,
    Verdict,
    findings_bytes,
    findings_document,
    found,
)
from backfill.preflight.lines import finding_lines, lines_of, mend_lines, summary, worst_first
from tests.unit.preflight.scenery import OURS, ROLE, THEIRS, Scenery, allow, rule

SOURCE_READS = "role-at-source source-policy-deny source-key source-key-policy role-at-keys"
WRITES = (
    "destination-policy destination-principal destination-policy-deny public-access"
    " role-at-destination replica-key replica-key-policy role-at-keys replication-account"
    " requester-pays sse-c"
)
CHECKS = {
    "AssumeRoleNotPermitted": "role role-trust batch-role batch-role-trust",
    "InitiateReplicationNotPermitted": "batch-role-policy source-policy-deny",
    "SrcBucketReplicationConfigMissing": "replication-configuration role-at-source",
    "SrcBucketNotFound": "bucket",
    "DstBucketNotFound": "bucket replication-account",
    "DstBucketUnversioned": "versioning",
    "DstBucketObjectLockConfigMissing": "object-lock",
    "DstBucketInvalidRegion": "regions batch-bucket",
    "SrcKmsKeyInvalidState": "source-key",
    "DstKmsKeyNotFound": "replica-key",
    "DstKmsKeyInvalidState": "replica-key",
    "SrcObjectNotEligible": "replication-rules replication-scope kms-selection archived-objects",
    "SrcGetObjectNotPermitted": SOURCE_READS,
    "SrcGetTaggingNotPermitted": SOURCE_READS,
    "DstPutObjectNotPermitted": WRITES,
    "DstDelObjNotPermitted": WRITES,
    "AccessDenied": (
        f"batch-role-policy batch-bucket-policy batch-role-trust {SOURCE_READS} {WRITES}"
    ),
    "SlowDown": "",
    "DstObjectHardDeleted": "",
}


@pytest.mark.parametrize("code", CHECKS)
def test_a_code_is_explained_by_the_checks_that_look_where_it_comes_from(code: str) -> None:
    """If this fails, a person with a code is not shown the finding that explains it."""
    assert checks_for(code) == tuple(CHECKS[code].split())
    assert set(checks_for(code)) <= PART_OF.keys()


def test_every_code_of_a_permission_has_checks() -> None:
    """If this fails, a code that a policy causes is explained by nothing."""
    denied = {code for code in FAILURE_CODES if code.endswith("NotPermitted")}
    assert all(checks_for(code) for code in denied)


async def test_a_code_is_told_by_the_blocker_first_and_then_the_warning() -> None:
    """If this fails, a person mends what only warns while versions fail."""
    blocker = found(
        "destination-policy", Verdict.BLOCKER, "shut", subject="to", evidence=["why"],
        mend=Mend(says="open", account_id=THEIRS, commands=(("aws", "x"),)),
    )  # fmt: skip
    warning = found("requester-pays", Verdict.WARNING, "paid", mend=Mend(says="pay"))
    other = found("clock", Verdict.BLOCKER, "late", mend=Mend(says="set"))
    unknown = found("sse-c", Verdict.CANNOT_TELL, "who knows")
    every = Findings(findings=(warning, other, unknown, blocker))
    told = mend_for_code("DstPutObjectNotPermitted", await Scenery().seen(), every)
    assert told.causes == (blocker, warning)
    assert told.mends == (blocker.mend, warning.mend)
    assert told.possible == ()
    lines = list(code_lines(told))
    assert lines[0].startswith("DstPutObjectNotPermitted: ")
    assert lines[1:] == [*lines_of(blocker), *lines_of(warning)]
    document = code_document(told)
    assert document["code"] == "DstPutObjectNotPermitted"
    assert document["class"] == "after-mend"
    assert document["sentence"] == told.failure.sentence
    assert document["mend"] == told.failure.mend
    assert document["possible"] == []
    assert document["causes"] == [
        {
            "check": "destination-policy",
            "verdict": "blocker",
            "subject": "to",
            "what": "shut",
            "commands": ["aws x"],
        },
        {
            "check": "requester-pays",
            "verdict": "warning",
            "subject": "",
            "what": "paid",
            "commands": [],
        },
    ]


async def test_where_nothing_is_wrong_what_is_unknown_and_what_can_lack_is_told() -> None:
    """If this fails, a code that no check explains leaves a person alone."""
    there = Scenery()
    unknown = found("sse-c", Verdict.CANNOT_TELL, "who knows")
    seen = await there.seen()
    told = mend_for_code("DstDelObjNotPermitted", seen, Findings(findings=(unknown,)))
    assert told.causes == (unknown,)
    lines = list(code_lines(told))
    assert lines[1:3] == [*lines_of(unknown), *mend_lines(Mend(says=told.failure.mend))]
    statement = '{"Effect":"Allow","Action":"s3:ReplicateDelete","Resource":"arn:aws:s3:::to/*"}'
    assert lines[3:5] == [
        f"can be missing in the identity policies of {ROLE} (account {OURS}):",
        f"  {statement}",
    ]
    assert lines[5] == (
        f"can be missing in the resource policy of arn:aws:s3:::to (account {THEIRS}):"
    )
    assert len(lines) == 7
    assert code_document(told)["possible"] == [
        {
            "document": "identity policies",
            "account": OURS,
            "of": ROLE,
            "statements": [
                allow("s3:ReplicateDelete", "arn:aws:s3:::to/*"),
            ],
        },
        {
            "document": "resource policy",
            "account": THEIRS,
            "of": "arn:aws:s3:::to",
            "statements": [
                allow("s3:ReplicateDelete", "arn:aws:s3:::to/*", Principal={"AWS": ROLE}),
            ],
        },
    ]


async def test_a_code_in_an_unknown_set_up_names_no_statement() -> None:
    """If this fails, a statement for nobody's role, or an unknown bucket, is printed."""
    seen = await Scenery().seen()
    (there,) = seen.destinations
    nowhere = replace(seen, destinations=(replace(there, account_id=""),))
    for each in (replace(seen, role=None), nowhere):
        told = mend_for_code("DstDelObjNotPermitted", each, Findings(findings=()))
        assert told.possible == ()


async def test_each_document_is_named_once_for_all_rules() -> None:
    """If this fails, a person reads the same statement for each rule."""
    there = Scenery()
    there.rules(rule(), rule(ID="b", Priority=2, Filter={"Prefix": "b/"}))
    told = mend_for_code("DstDelObjNotPermitted", await there.seen(), Findings(findings=()))
    assert [lack.attached_to for lack in told.possible] == [ROLE, "arn:aws:s3:::to"]


MEND = Mend(says="do it", statements=({"Effect": "Allow"},))
WITH_COMMAND = Mend(
    says="do it", account_id=OURS, commands=(("aws", "a b"),), statements=({"Effect": "Allow"},)
)


def test_a_mend_is_shown_as_commands_or_else_as_statements() -> None:
    """If this fails, a person has nothing to paste, or pastes the same twice."""
    assert list(mend_lines(MEND)) == ["mend: do it", '  {"Effect":"Allow"}']
    assert list(mend_lines(WITH_COMMAND)) == [f"mend (account {OURS}): do it", "  aws 'a b'"]


def finding(check: str, verdict: Verdict, **more: object) -> Finding:
    mend = MEND if verdict is Verdict.BLOCKER else None
    return Finding(check=check, verdict=verdict, what=f"{check} it is", mend=mend, **more)  # type: ignore[arg-type] # by name


EVERY = Findings(
    findings=(
        finding("versioning", Verdict.OK, evidence=("hidden",)),
        finding("canary", Verdict.OK, evidence=("shown",), subject="to"),
        finding("role", Verdict.BLOCKER),
        finding("job-caller", Verdict.BLOCKER),
        finding("copy-reads", Verdict.BLOCKER),
        finding("bucket", Verdict.BLOCKER),
        finding("canary", Verdict.BLOCKER),
        finding("clock", Verdict.WARNING),
        finding("sse-c", Verdict.CANNOT_TELL, evidence=("why",)),
    ),
    notes=("note\x07",),
)


def test_findings_are_told_whole_and_aligned() -> None:
    """If this fails, a line is lost, or what is well hides what is not."""
    mend = ["             mend: do it", '               {"Effect":"Allow"}']
    assert list(finding_lines(EVERY)) == [
        *("BLOCKER      role: role it is", *mend),
        *("BLOCKER      job-caller: job-caller it is", *mend),
        *("BLOCKER      copy-reads: copy-reads it is", *mend),
        *("BLOCKER      bucket: bucket it is", *mend),
        *("BLOCKER      canary: canary it is", *mend),
        *("cannot tell  sse-c: sse-c it is", "             - why"),
        "warning      clock: clock it is",
        "ok           versioning: versioning it is",
        *("ok           canary (to): canary it is", "             - shown"),
        "",
        "5 blockers, 1 warning, 1 cannot tell, 2 ok",
        "note\\x07",
    ]
    bad = [line for line in finding_lines(EVERY, has_ok=False) if line.startswith("ok")]
    assert bad == []
    assert summary(Findings(findings=())) == "0 blockers, 0 warnings, 0 cannot tell, 0 ok"
    assert [each.check for each in worst_first(EVERY.findings)] == [
        *("role", "job-caller", "copy-reads", "bucket", "canary", "sse-c", "clock"),
        *("versioning", "canary"),
    ]


@pytest.mark.parametrize(
    ("has_batch", "has_copy", "checks"),
    [
        (True, False, "role job-caller bucket canary"),
        (False, True, "copy-reads bucket canary"),
        (True, True, "role job-caller copy-reads bucket canary"),
    ],
)
def test_a_run_stops_for_blockers_of_what_it_works_with(
    checks: str, *, has_batch: bool, has_copy: bool
) -> None:
    """If this fails, a run is refused for an engine that it does not use, or goes on without."""
    stopped = stopping(EVERY, has_batch=has_batch, has_copy=has_copy)
    assert [each.check for each in stopped] == checks.split()


def test_the_parts_of_checks_are_stable() -> None:
    """If this fails, a check counts for another engine than it looks at."""
    parts = {part: {check for check, its in PART_OF.items() if its is part} for part in Part}
    assert parts[Part.ALL] == {
        *("credentials", "accounts", "clock", "bucket", "versioning", "requester-pays"),
        *("ownership", "source-key", "replica-readers", "source-lifecycle"),
        *("destination-lifecycle", "archived-objects"),
    }
    assert parts[Part.JOBS] == {
        *("batch-role", "batch-role-trust", "batch-role-policy", "batch-bucket-policy"),
        *("batch-bucket", "job-caller"),
    }
    assert parts[Part.COPIES] == {
        *("restore-caller", "copy-reads", "copy-writes", "copy-locks", "copy-acls"),
        *("conditional-copy", "destination-encryption"),
    }
    assert len(parts[Part.REPLICATION]) == len(PART_OF) - 12 - 6 - 7


def test_a_document_of_findings_is_for_ever() -> None:
    """If this fails, a script that reads findings breaks."""
    blocker = finding("role", Verdict.BLOCKER, subject="r", evidence=("e",))
    document = findings_document(Findings(findings=(blocker,), notes=("n",)))
    assert document == {
        "schema": "backfill.preflight/1",
        "verdict": "blocked",
        "counts": {"ok": 0, "warning": 0, "blocker": 1, "cannot tell": 0},
        "findings": [
            {
                "check": "role",
                "verdict": "blocker",
                "subject": "r",
                "what": "role it is",
                "evidence": ["e"],
                "mend": {
                    "says": "do it",
                    "account": "",
                    "commands": [],
                    "statements": [{"Effect": "Allow"}],
                },
                "docs": "docs/reference/checks.md#role",
            }
        ],
        "notes": ["n"],
    }
    told = json.loads(findings_bytes(Findings(findings=(blocker,))))["findings"][0]
    explained = [name.strip("`") for name, meaning in FINDING_FIELDS if meaning]
    assert sorted(explained) == sorted(told), "the reference page explains each member"
    green = Findings(findings=(finding("role", Verdict.OK),))
    assert findings_document(green)["verdict"] == "green"
    assert b'\n  "counts": {\n' in findings_bytes(green)
    assert findings_bytes(green).index(b"counts") < findings_bytes(green).index(b"schema")
