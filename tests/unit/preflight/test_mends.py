"""Mends keep what others put there, alter one thing, and are commands that can be pasted."""

import json
import shlex

import pytest

from backfill.model.accounts import BucketDocument, Unread
from backfill.preflight.findings import Finding, Mend, Verdict
from backfill.preflight.mends import (
    exempting,
    mend_of_unread,
    receiver_command,
    with_statements,
)
from tests.unit.preflight.scenery import OURS, ROLE, WRITE, Scenery, allow, rule

OTHERS = allow("s3:GetObject", "arn:aws:s3:::to/shared/*", Sid="Others", Principal={"AWS": OURS})


async def mend_of(there: Scenery, check: str) -> Mend:
    mend = (await there.wrong())[check].mend
    assert mend is not None
    return mend


def document(mend: Mend) -> dict[str, object]:
    words = shlex.split(mend.lines[-1])
    parsed = json.loads(words[-1])
    assert isinstance(parsed, dict)
    return parsed


async def test_statements_of_others_stay() -> None:
    """If this fails, pasting a mend takes away what another team had put into the policy."""
    there = Scenery()
    there.policy(OTHERS)
    mended = document(await mend_of(there, "destination-policy"))
    statements = mended["Statement"]
    assert isinstance(statements, list)
    assert statements[0] == OTHERS
    assert len(statements) == 2


async def test_other_rules_stay_as_they_are() -> None:
    """If this fails, enabling one rule alters another."""
    there = Scenery()
    other = rule(ID="other", Priority=2, Filter={"Prefix": "logs/"})
    there.rules(rule(Status="Disabled", Filter={"Prefix": "a/"}), other)
    there.ask(prefix="a/")
    mended = document(await mend_of(there, "replication-rules"))
    rules = mended["Rules"]
    assert isinstance(rules, list)
    assert rules[1] == other
    assert rules[0]["Status"] == "Enabled"
    assert mended["Role"] == ROLE


async def test_a_document_that_cannot_be_written_back_whole_has_no_command() -> None:
    """If this fails, an element that this SDK does not know is lost by pasting."""
    there = Scenery()
    eats = {"ID": "e", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
    there.put("to", BucketDocument.LIFECYCLE, Rules=[eats])
    there.world.buckets["to"].unmodelled[BucketDocument.LIFECYCLE] = ("Rule/Shiny",)
    mend = await mend_of(there, "destination-lifecycle")
    assert mend.commands == ()
    assert "Rule/Shiny" in mend.says


@pytest.mark.parametrize("sid", ["", "Mine"])
def test_an_added_statement_never_takes_anothers_place(sid: str) -> None:
    """If this fails, S3 refuses the policy for a Sid that stands twice."""
    added = {"Sid": "Mine", "Effect": "Allow"}
    held = {"Statement": [{"Sid": sid, "Effect": "Deny"}]}
    statements = with_statements(held, [added, added])["Statement"]
    assert isinstance(statements, list)
    sids = [each["Sid"] for each in statements]
    assert len(sids) == len(set(sids)) == 3


def test_a_deny_gets_one_exception_and_keeps_its_conditions() -> None:
    """If this fails, mending a guard opens it for everybody."""
    deny = {
        "Effect": "Deny",
        "Condition": {
            "StringNotEquals": {"aws:SourceVpce": "v"},
            "ArnNotLike": {"aws:principalarn": "arn:aws:iam::1:role/x"},
        },
    }
    exempt = exempting(deny, ROLE)
    conditions = exempt["Condition"]
    assert isinstance(conditions, dict)
    assert conditions["StringNotEquals"] == {"aws:SourceVpce": "v"}
    assert conditions["ArnNotLike"] == {"aws:principalarn": ["arn:aws:iam::1:role/x", ROLE]}
    assert deny["Condition"] != conditions, "what was read is not altered"


async def test_hostile_text_stays_text_in_a_command() -> None:
    """If this fails, a prefix in somebody's rule runs a program in the shell of whoever pastes."""
    there = Scenery()
    prefix = "a'; rm -rf ~ #\n\x1b[2J\x7f"
    there.rules(rule(Status="Disabled", Filter={"Prefix": prefix}))
    mend = await mend_of(there, "replication-rules")
    (line,) = mend.lines
    assert line.isascii()
    assert line.isprintable()
    assert document(mend)["Rules"][0]["Filter"]["Prefix"] == prefix  # type: ignore[index] # JSON
    assert shlex.split(line)[:3] == ["aws", "s3api", "put-bucket-replication"]


async def test_each_role_check_has_a_policy_of_its_own() -> None:
    """If this fails, the second pasted mend takes the first one's grants away again."""
    there = Scenery()
    there.role_policy(allow("s3:ListAllMyBuckets", "*"))
    wrong = await there.wrong()
    names = {
        words[words.index("--policy-name") + 1]
        for check in ("role-at-source", "role-at-destination")
        if (mend := wrong[check].mend) is not None
        for words in mend.commands
    }
    assert names == {"backfill-preflight-role-at-source", "backfill-preflight-role-at-destination"}


async def test_several_mends_of_one_document_are_said_to_be() -> None:
    """If this fails, somebody pastes two commands and undoes the first with the second."""
    there = Scenery().with_keys()
    key = there.kms_rule("arn:aws:kms:us-east-1:111111111111:key/source")
    key["Destination"]["Account"] = "3" * 12
    there.rules(key)
    findings = await there.findings()
    assert any("carry one out" in note for note in findings.notes)
    assert not any("carry one out" in note for note in (await Scenery().findings()).notes)


@pytest.mark.parametrize("service", ["sqs", "sns", "lambda"])
def test_a_receiver_of_each_kind_has_its_command(service: str) -> None:
    """If this fails, a mend names an operation that the receiver's service does not have."""
    resource = "function:name" if service == "lambda" else "name"
    arn = f"arn:aws:{service}:us-east-1:{OURS}:{resource}"
    words = receiver_command(arn, {"Statement": []}, "arn:aws:s3:::from", OURS)
    assert words[:2] == ("aws", service)


def test_only_a_denial_is_mended_by_a_permission() -> None:
    """If this fails, a person is told to grant something for a network that was down."""
    denied = Unread(operation="GetBucketPolicy", code="AccessDenied")
    mend = mend_of_unread(denied, "arn:aws:s3:::to")
    assert mend is not None
    assert mend.statements[0]["Action"] == "s3:GetBucketPolicy"
    assert mend_of_unread(Unread(operation="GetBucketPolicy", code="Timeout"), "arn") is None


def test_a_blocker_without_a_mend_cannot_be() -> None:
    """If this fails, somebody is stopped and not told what to do."""
    with pytest.raises(AssertionError):
        Finding(check="role", verdict=Verdict.BLOCKER, what="no")


async def test_the_mend_names_whose_it_is() -> None:
    """If this fails, a command is run in the wrong account."""
    there = Scenery()
    there.policy(allow(WRITE[:1], "arn:aws:s3:::to/*", Principal={"AWS": ROLE}))
    assert (await mend_of(there, "destination-policy")).account_id == "2" * 12
