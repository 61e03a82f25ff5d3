"""What an owner is handed works by itself: scripts that read, merge and put, and say when not."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backfill.model.accounts import RawDocument
from backfill.setup.desired import wanted_of
from backfill.setup.difference import differences
from backfill.setup.exporting import ExportedFile, exported
from backfill.setup.recipes import MERGE_FILE, MERGE_PROGRAM
from backfill.setup.wanted import Actual, Difference, Resource
from tests.doubles.setup_specs import DESTINATION, GOLDEN, SOURCE, ground, plain, spec
from tests.doubles.setup_specs import source as source_table


def unread(golden: str) -> Difference:
    found = spec(GOLDEN[golden])
    return differences(wanted_of(found, ground(found)), {})


def fresh(golden: str) -> Difference:
    found = spec(GOLDEN[golden])
    wanted = wanted_of(found, ground(found))
    return differences(wanted, dict.fromkeys(wanted.resources))


def by_path(files: tuple[ExportedFile, ...]) -> dict[str, ExportedFile]:
    return {file.path: file for file in files}


@pytest.mark.parametrize("golden", GOLDEN)
def test_every_script_is_sound_and_each_document_is_named_by_one(
    golden: str, tmp_path: Path
) -> None:
    """If this fails, an owner is handed a script that does not run, or a file nobody uses."""
    files = by_path(exported(unread(golden)))
    for path, file in files.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text)
        if path.endswith(".sh"):
            assert file.is_program
            subprocess.run(["bash", "-n", target], check=True)
    for path in files:
        folder, _, name = path.partition("/")
        if name.endswith(".json"):
            scripts = [p for p in files if p.startswith(folder) and p.endswith(".sh")]
            assert any(name in files[script].text for script in scripts)


def test_each_owner_gets_only_what_is_theirs() -> None:
    """If this fails, an owner needs the other account's credentials."""
    files = by_path(exported(unread("two-way")))
    assert {path.partition("/")[0] for path in files} == {
        f"account-{SOURCE}",
        f"account-{DESTINATION}",
    }
    for path, file in files.items():
        if path.endswith(".sh"):
            mine, theirs = (SOURCE, DESTINATION) if SOURCE in path else (DESTINATION, SOURCE)
            assert f'--output text)" != {mine} ]' in file.text
            assert f"--expected-bucket-owner {theirs}" not in file.text
    steps = sorted(path for path in files if path.endswith(".sh"))
    assert [path.partition("/")[2] for path in steps] == [
        "1-roles.sh", "2-policies.sh", "3-rules.sh",
    ] * 2  # fmt: skip


def test_no_script_hands_a_hostile_word_to_the_shell() -> None:
    """If this fails, whoever writes a spec or a policy runs commands in the other account."""
    found = spec(
        plain(
            source=source_table(),
            role={"path": "/$(touch${IFS}x)/';x;'/"},
            rule=[{"name": "all", "prefix": "'; rm -rf ~ #\u202e"}],
        )
    )
    wanted = wanted_of(found, ground(found))
    for file in exported(differences(wanted, {})):
        if not file.is_program or file.path.endswith(MERGE_FILE):
            continue
        code = [line for line in file.text.splitlines() if not line.startswith("#")]
        for line in code:
            assert line.isprintable()
            if "touch" in line:
                quoted = subprocess.run(
                    ["bash", "-c", f"printf '%s\\n' {line.removeprefix('unless ')}"],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
                assert "$(touch${IFS}x)" in quoted


def test_a_script_makes_the_queue_before_its_policy_and_only_where_there_is_none() -> None:
    """If this fails, an owner who goes by scripts has no queue, or none to go on with."""
    found = spec(GOLDEN["queue"])
    files = exported(differences(wanted_of(found, ground(found)), {}))
    texts = {file.path.rpartition("/")[2]: file.text for file in files if SOURCE in file.path}
    assert (
        "unless 'Queue[A-Za-z]*Exists' aws sqs create-queue --queue-name photos-failures"
        " --region eu-west-1 --attributes MessageRetentionPeriod=1209600"
        " --tags backfill:setup=photos\n"
    ) in texts["1-roles.sh"]
    assert "aws sqs get-queue-url --queue-name photos-failures" in texts["2-policies.sh"]


def test_a_page_is_no_markup_of_its_reasons() -> None:
    """If this fails, a prefix in a reason becomes a link in what the owner reads."""
    found = spec(plain(rule=[{"name": "all", "prefix": "[x](http://evil)<script>"}]))
    wanted = wanted_of(found, ground(found))
    pages = [f.text for f in exported(differences(wanted, {})) if f.path.endswith("README.md")]
    assert not any(re.search(r"(?<!\\)(\]\(http|<script)", page) for page in pages)
    assert any("Both owners do step 1" in page for page in pages)


def test_documents_that_were_read_are_exported_whole_with_what_stood_there() -> None:
    """If this fails, an export of readable documents forgets what others put there."""
    found = spec(GOLDEN["two-accounts"])
    wanted = wanted_of(found, ground(found))
    theirs = {"Statement": [{"Sid": "Theirs", "Effect": "Deny", "Action": "s3:*"}]}
    actual: dict[Resource, Actual] = {
        resource: RawDocument(text="", fields=theirs) if "policy" in resource.title else None
        for resource in wanted.resources
        if resource.account == DESTINATION
    }
    files = by_path(exported(differences(wanted, actual)))
    folder = f"account-{DESTINATION}"
    after = json.loads(files[f"{folder}/02-bucket-policy-photos-replica.json"].text)
    assert [row["Sid"] for row in after["Statement"]] == [
        "Theirs", "BackfillOwnedForPhotos", "BackfillBucketForPhotos",
    ]  # fmt: skip
    before = json.loads(files[f"{folder}/02-bucket-policy-photos-replica-before.json"].text)
    assert before == theirs


def test_what_is_refused_is_told_and_not_exported() -> None:
    """If this fails, a script writes what setup itself would not."""
    found = spec(GOLDEN["two-accounts"])
    wanted = wanted_of(found, ground(found))
    odd = RawDocument(text="", fields={"Statement": ["what"]})
    actual: dict[Resource, Actual] = dict.fromkeys(wanted.resources)
    policy = next(each for each in wanted.resources if "bucket policy" in each.title)
    files = by_path(exported(differences(wanted, {**actual, policy: odd})))
    assert not any("bucket-policy" in path for path in files)
    page = files[f"account-{DESTINATION}/README.md"].text
    assert "- refuse: the document has a shape" in page


def test_nothing_to_do_is_said() -> None:
    """If this fails, an owner with nothing to do is left to guess."""
    made = fresh("two-accounts")
    actual: dict[Resource, Actual] = {
        document.resource: RawDocument(text="", fields=document.after or {})
        for document in made.documents
    }
    found = spec(GOLDEN["two-accounts"])
    files = exported(differences(wanted_of(found, ground(found)), actual))
    assert {file.path.partition("/")[2] for file in files} == {"README.md"}
    assert all("Nothing is to be done" in file.text for file in files)


class Merge:
    """The program that an export brings along, run as an owner's shell runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / MERGE_FILE).write_text(MERGE_PROGRAM)

    def __call__(self, *texts: str, flags: tuple[str, ...] = ()) -> tuple[int, str]:
        paths = []
        for number, text in enumerate(texts):
            path = self.folder / f"{number}.json"
            path.write_text(text)
            paths.append(str(path))
        command = [sys.executable, "-I", str(self.folder / MERGE_FILE), *flags, *paths]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def merge(tmp_path: Path) -> Merge:
    return Merge(tmp_path)


def test_merging_by_hand_keeps_what_others_put_there(merge: Merge) -> None:
    """If this fails, a script overwrites what setup would have kept."""
    theirs = {"Id": "x", "Statement": {"Sid": "Theirs", "Effect": "Deny"}}
    ours = {"Version": "2012-10-17", "Statement": [{"Sid": "Ours", "Action": ["a", "b"]}]}
    code, printed = merge(json.dumps(theirs), json.dumps(ours))
    assert code == 0
    merged = json.loads(printed)
    assert merged["Id"] == "x"
    assert merged["Statement"] == [theirs["Statement"], *ours["Statement"]]
    again = {**merged, "Statement": [merged["Statement"][0], {"Sid": "Ours", "Action": ["b", "a"]}]}
    code, printed = merge(json.dumps(again), json.dumps(ours))
    assert (code, json.loads(printed)) == (0, again)
    for nothing in ("", "None\n", "null"):
        assert json.loads(merge(nothing, json.dumps(ours))[1]) == ours


def test_merging_by_hand_stops_where_something_else_stands(merge: Merge) -> None:
    """If this fails, a script overwrites another's statement, role or document."""
    ours = {"Role": "a", "Rules": [{"ID": "x", "Status": "Enabled"}]}
    code, printed = merge(json.dumps({"Role": "b", "Rules": []}), json.dumps(ours))
    assert code == 1
    assert "Role is there and says something else" in printed
    there = {"Role": "a", "Rules": [{"ID": "x", "Status": "Disabled", "Priority": 4}]}
    assert merge(json.dumps(there), json.dumps(ours))[0] == 1
    code, printed = merge(json.dumps({"Statement": [1]}), '{"a": 1}', '{"a": 0}')
    assert code == 1
    assert "somebody changed the document" in printed
    assert merge('{"a": 0}', '{"a": 1}', '{"a": 0}')[0] == 0
    assert merge('{"a": 1}', '{"a": 1}', '{"a": 0}')[0] == 0  # Run again.


def test_merging_by_hand_chooses_a_free_priority(merge: Merge) -> None:
    """If this fails, S3 refuses the rule that a script puts, or an own one moves at each run."""
    ours = {"Role": "a", "Rules": [{"ID": "x"}, {"ID": "y"}]}
    there = {"Role": "a", "Rules": [{"ID": "t", "Priority": 7}]}
    merged = json.loads(merge(json.dumps(there), json.dumps(ours))[1])
    assert [rule["Priority"] for rule in merged["Rules"]] == [7, 8, 9]
    assert json.loads(merge(json.dumps(merged), json.dumps(ours))[1]) == merged


def test_merging_by_hand_takes_the_default_encryption_for_nobodys_choice(merge: Merge) -> None:
    """If this fails, no script can switch a Bucket Key on, or one overwrites a chosen key."""
    ours = {
        "Rules": [
            {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "B": True},
        ]
    }
    default = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    assert json.loads(merge(json.dumps(default), json.dumps(ours))[1]) == ours
    blocked = {**default["Rules"][0], "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    laid = {"Rules": [{**blocked, **ours["Rules"][0]}]}
    assert json.loads(merge(json.dumps({"Rules": [blocked]}), json.dumps(ours))[1]) == laid
    assert json.loads(merge(json.dumps(laid), json.dumps(ours))[1]) == laid
    key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "somebody's"}
    chosen = {"Rules": [{"ApplyServerSideEncryptionByDefault": key}]}
    assert merge(json.dumps(chosen), json.dumps(ours))[0] == 1


def test_merging_by_hand_adds_no_version_to_a_policy_of_others(merge: Merge) -> None:
    """If this fails, variables in others' statements begin to mean something."""
    ours = {"Version": "2012-10-17", "Statement": [{"Sid": "Ours", "Effect": "Allow"}]}
    theirs = {"Statement": [{"Sid": "Theirs", "Resource": "arn:aws:s3:::b/${aws:username}"}]}
    code, printed = merge(json.dumps(theirs), json.dumps(ours))
    assert code == 0
    assert json.loads(printed) == {"Statement": [*theirs["Statement"], *ours["Statement"]]}
    assert json.loads(merge("", json.dumps(ours))[1]) == ours


def test_merging_by_hand_knows_condition_keys_in_any_case(merge: Merge) -> None:
    """If this fails, a function's permission of ours is taken for somebody else's."""
    wanted = {"Statement": [{"Sid": "S", "Condition": {"ArnLike": {"aws:SourceArn": "a"}}}]}
    found = {"Statement": [{"Sid": "S", "Condition": {"ArnLike": {"AWS:SourceArn": "a"}}}]}
    assert json.loads(merge(json.dumps(found), json.dumps(wanted))[1]) == found
    other = {"Statement": [{"Sid": "S", "Condition": {"ArnLike": {"AWS:SourceArn": "b"}}}]}
    assert merge(json.dumps(other), json.dumps(wanted))[0] == 1


def test_what_is_no_json_is_told_and_not_merged(merge: Merge) -> None:
    """If this fails, an answer in another format is taken for an empty document."""
    code, _ = merge("QUEUECONFIGURATIONS\tx", json.dumps({"Statement": []}))
    assert code == 1


def test_a_queue_gets_its_policy_as_an_attribute(merge: Merge) -> None:
    """If this fails, SQS is given a policy in a form that it does not take."""
    code, printed = merge('{"Statement": []}', flags=("--attribute",))
    assert code == 0
    assert json.loads(json.loads(printed)["Policy"]) == {"Statement": []}


FAKE_AWS = r"""#!/usr/bin/env python3
# Knows one bucket policy, in a file; refuses a role that it has not seen settle.
import json, os, pathlib, sys
words = sys.argv[1:]
place = pathlib.Path(os.environ["FAKE_ACCOUNT"])
with (place / "calls").open("a") as calls:
    calls.write(" ".join(words[:2]) + "\n")
def fail(code):
    sys.exit(f"An error occurred ({code}) when calling the {words[1]} operation: no")
policy = place / "policy"
if words[:2] == ["sts", "get-caller-identity"]:
    print((place / "id").read_text())
elif words[1] == "get-bucket-policy":
    denied = place / "denied"
    if denied.exists():
        fail("AccessDenied")
    if not policy.exists():
        fail("NoSuchBucketPolicy")
    print(policy.read_text())
elif words[1] == "put-bucket-policy":
    file = words[words.index("--policy") + 1].removeprefix("file://")
    policy.write_text(pathlib.Path(file).read_text())
else:
    fail("Unexpected")
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are for bash")
def test_a_script_reads_merges_and_puts_and_never_takes_denied_for_absent(tmp_path: Path) -> None:
    """If this fails, an owner's script loses what others put there, or overwrites unseen."""
    folder = tmp_path / "with space"
    for path, file in by_path(exported(unread("two-accounts"))).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text)
    account = tmp_path / "account"
    account.mkdir()
    aws = tmp_path / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(FAKE_AWS.replace("/usr/bin/env python3", sys.executable))
    aws.chmod(0o755)
    script = folder / f"account-{DESTINATION}/2-policies.sh"
    python = str(Path(sys.executable).parent)

    def run() -> subprocess.CompletedProcess[str]:
        path = f"{aws.parent}:{python}:/usr/bin:/bin"
        return subprocess.run(
            ["bash", script],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": path, "FAKE_ACCOUNT": str(account)},
        )

    (account / "id").write_text(SOURCE)
    assert "not credentials of account" in run().stderr
    (account / "id").write_text(DESTINATION)
    (account / "denied").touch()
    assert run().returncode != 0
    assert "put-bucket-policy" not in (account / "calls").read_text()
    (account / "denied").unlink()
    assert run().returncode == 0
    whole = json.loads((account / "policy").read_text())
    assert len(whole["Statement"]) == 2
    theirs = {"Sid": "Theirs", "Effect": "Deny"}
    (account / "policy").write_text(json.dumps({"Statement": [theirs]}))
    for _ in range(2):
        assert run().returncode == 0
        there = json.loads((account / "policy").read_text())
        assert there["Statement"] == [theirs, *whole["Statement"]]
