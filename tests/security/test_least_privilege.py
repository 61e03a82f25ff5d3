"""Whole runs under exactly the policies that we hand out; what each was asked, and what lacks.

The sandbox's authorization decides every call and is listened to. So it is seen, not believed: that
nothing is denied, that each granted action is used by a run of its kind or stands in `KEPT` with
its reason, and, an action taken away, that its lack is a denial. Locks, ACLs and what HEAD hides:
tests/e2e/test_permissions.py; what roles of setup need: tests/unit/setup.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backfill.sandbox.authorization.evaluation import Verdict
from backfill.sandbox.authorization.policies import Policy
from backfill.sandbox.model.identities import AccessQuestion
from backfill.sandbox.model.restore_settings import RestoreSettings
from backfill.sandbox.service import DESTINATION, SOURCE, Sandbox
from tests.doubles.command import ROOT, Command, Ended
from tests.doubles.figures import Row, Tried, figure
from tests.doubles.jobs_place import POLLS, make_jobs_place
from tests.doubles.old_world import (
    KMS,
    PART,
    REPLICA_KEY_ARN,
    SOURCE_KEY_ARN,
    OldWorld,
    Rule,
    content,
)
from tests.doubles.own_eyes import S3Client, current, versions

MANIFESTS = ROOT / "manifests"
Action = tuple[str, str]
"""Whose, source or destination; and which."""


@dataclass(kw_only=True)
class Heard:
    """What was asked of the two users, and what of it was denied."""

    allowed: set[Action] = field(default_factory=set)
    denied: set[Action] = field(default_factory=set)


@dataclass(kw_only=True)
class Hired:
    """The command as two users with nothing but files of the project, and who listens."""

    world: OldWorld
    command: Command
    names: dict[str, str]
    heard: Heard = field(default_factory=Heard)
    granted: dict[Action, str] = field(default_factory=dict)
    """Every action of their files, with the file that it is of."""
    runs: int = 0

    def hire(self, files: Mapping[str, Sequence[str]], without: Action | None = None) -> None:
        """Make each profile a user with its files, one action left out if so named."""
        path = Path(self.command.environment["AWS_SHARED_CREDENTIALS_FILE"])
        profiles = ConfigParser(interpolation=None)
        profiles.read(path)
        for side, names in files.items():
            statements = [one for name in names for one in self._statements(side, name)]
            for one in statements:
                one["Action"] = [each for each in one["Action"] if (side, each) != without]
            kept = [one for one in statements if one["Action"]]
            document = json.dumps({"Version": "2012-10-17", "Statement": kept})
            user = self.world.sandbox.add_user(side, self._user(side), document)
            profiles[side]["aws_access_key_id"] = user.access_key_id
            profiles[side]["aws_secret_access_key"] = user.secret_access_key
        with path.open("w") as file:
            profiles.write(file)

    def _statements(self, side: str, name: str) -> list[dict[str, list[str]]]:
        text = (MANIFESTS / f"{name}.json").read_text()
        filled = re.sub(r"<([A-Z_]+)>", lambda found: self.names[found[1]], text)
        statements: list[dict[str, list[str]]] = json.loads(filled)["Statement"]
        for one in statements:
            for action in one["Action"]:
                self.granted.setdefault((side, action), name)
        return statements

    def _user(self, side: str) -> str:
        return f"{self.world.source}-{side}"

    def listen(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """Hear every decision about the two users."""
        decide = sandbox.authorization.verdict
        mine = {f":user/{self._user(side)}": side for side in ("source", "destination")}

        def verdict(
            question: AccessQuestion, policy: Policy | None = None, *, is_grant_needed: bool = False
        ) -> Verdict:
            told = decide(question, policy, is_grant_needed=is_grant_needed)
            for name, side in mine.items():
                if question.caller.arn.endswith(name):
                    found = self.heard.allowed if told is Verdict.ALLOWED else self.heard.denied
                    found.add((side, question.action))
            return told

        monkeypatch.setattr(sandbox.authorization, "verdict", verdict)

    def run(self, *words: str) -> Ended:
        """Run with a run directory of its own, and forget what was heard before."""
        self.runs += 1
        self.heard.allowed.clear()
        self.heard.denied.clear()
        place = f"s3://{self.names['RUN_BUCKET']}/runs/{self.runs}"
        mine = self.command.beside(
            BACKFILL_RUN_DIR=place,
            BACKFILL_SCRATCH_DIR=str(self.command.folder / f"scratch-{self.runs}"),
            **POLLS,
        )
        return mine.run("run", self.world.source, "--yes", *words, code=None)


@pytest.fixture
def hired(
    world: OldWorld, command: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Hired:
    """Two users without any files yet, and a bucket for run directories."""
    runs = f"{world.source}-runs"
    world.make_bucket(SOURCE, runs)
    names = {
        "SOURCE_BUCKET": world.source,
        "DESTINATION_BUCKET": world.destination,
        "RUN_BUCKET": runs,
        "RUN_PREFIX": "runs",
        "SOURCE_ACCOUNT": SOURCE.account_id,
        "DESTINATION_ACCOUNT": DESTINATION.account_id,
        "RUN_ACCOUNT": SOURCE.account_id,
        "SOURCE_REGION": SOURCE.region,
        "DESTINATION_REGION": DESTINATION.region,
        "SOURCE_KEY_ARN": SOURCE_KEY_ARN,
        "DESTINATION_KEY_ARN": REPLICA_KEY_ARN,
    }
    made = Hired(world=world, command=command, names=names)
    made.listen(sandbox, monkeypatch)
    return made


# --- the kinds of run ---

BASE = ("iam/source-identity", "iam/run-directory-identity")
COPIES = {
    "source": (*BASE, "iam/source-identity-kms", "iam/source-identity-restore"),
    "destination": (
        "iam/destination-identity",
        "iam/destination-identity-kms",
        "iam/destination-identity-delete-markers",
    ),
}
JOBS = {
    "source": (*BASE, "batch-operations/creator-identity"),
    "destination": ("iam/destination-identity",),
}
AT_FAILURES = "only when an upload in parts fails, or is gone on with: tests/crash, tests/wire/aws"
OF_LOCKS = "only where the bucket has Object Lock, or ACLs count: tests/e2e/test_permissions.py"
UNPINNED = "what S3 asks for where no version is named; such a run names each"
STEERING = "only `backfill jobs` and a job that was lost ask for it: tests/e2e/test_jobs.py"
BY_COPIES = "of copy workers, which a run by jobs alone has not"
KEPT: dict[str, dict[Action, str]] = {
    "copies": {
        ("destination", "s3:AbortMultipartUpload"): AT_FAILURES,
        ("destination", "s3:ListMultipartUploadParts"): AT_FAILURES,
        ("destination", "s3:GetObjectTagging"): UNPINNED,
        ("source", "s3:GetObjectTagging"): UNPINNED,
        ("source", "s3:GetObjectAcl"): UNPINNED,
        ("source", "s3:GetObjectVersionAcl"): OF_LOCKS,
        ("source", "s3:GetObjectLegalHold"): OF_LOCKS,
        ("source", "s3:GetObjectRetention"): OF_LOCKS,
    },
    "jobs": {
        **{
            ("destination", f"s3:{action}"): BY_COPIES
            for action in (
                *("AbortMultipartUpload", "ListMultipartUploadParts", "PutObject"),
                *("GetObject", "GetObjectTagging", "GetObjectVersion", "PutObjectTagging"),
            )
        },
        ("source", "s3:GetObjectTagging"): UNPINNED,
        ("source", "s3:GetObjectAcl"): UNPINNED,
        ("source", "s3:GetObjectVersionAcl"): OF_LOCKS,
        ("source", "s3:GetObjectLegalHold"): OF_LOCKS,
        ("source", "s3:GetObjectRetention"): OF_LOCKS,
        ("source", "s3:GetJobTagging"): STEERING,
        ("source", "s3:UpdateJobPriority"): STEERING,
        ("source", "s3:UpdateJobStatus"): STEERING,
    },
}
"""Actions that a kind's files grant and such a run does not ask for, each with its reason."""


def looked_for(side: str) -> set[Action]:
    """Return what preflight may look at by files of its own; what it may not, it says."""
    document = json.loads((MANIFESTS / f"iam/preflight-{side}-identity.json").read_text())
    return {(side, action) for one in document["Statement"] for action in one["Action"]}


def by_copies(hired: Hired) -> tuple[str, ...]:
    """Write what copies are asked for: absent, older, hidden, in parts, KMS, tags, an archive."""
    world = hired.world
    with world.days_ago(200):
        world.set_rules(Rule(to=world.destination, prefix="replica/", wants_kms=False))
        world.put("replica/older")
        world.put("replica/hidden")
    with world.days_ago(100):
        world.drop_rules()
        world.put("replica/older", content("replica/older", 1))
        world.delete("replica/hidden")
        world.put("tagged", tags=(("a", "b"),))
        world.put("secret", encryption=KMS)
        world.put("cold", storage_class="GLACIER")
        world.upload("parts", (PART, b"!"), "CRC32")
    world.set_rules(Rule(to=world.destination, wants_markers=True))
    return "--restore", "--restore-max-bytes", "1000000", "--restore-poll-s", "0.1", "--deep"


def by_jobs(hired: Hired) -> tuple[str, ...]:
    """Write what Batch Replication brings over."""
    world = hired.world
    with world.days_ago(100):
        for number in range(3):
            world.put(f"key/{number}")
    world.set_rules(Rule(to=world.destination, wants_kms=False))
    place = make_jobs_place(world.sandbox, world)
    hired.names |= {"BATCH_BUCKET": place.bucket, "BATCH_ROLE": place.role_arn.rpartition("/")[2]}
    return "--engine", "batch-replication", *place.words


KINDS: dict[str, tuple[Callable[[Hired], tuple[str, ...]], Mapping[str, Sequence[str]]]] = {
    "copies": (by_copies, COPIES),
    "jobs": (by_jobs, JOBS),
}


GRANTED = {
    kind: sorted(
        {
            (side, action)
            for side, names in files.items()
            for name in names
            for one in json.loads((MANIFESTS / f"{name}.json").read_text())["Statement"]
            for action in one["Action"]
        }
        - KEPT[kind].keys()
    )
    for kind, (_, files) in KINDS.items()
}
"""What such a run asks for, and its files grant."""
CARRIED_ON: dict[Action, str] = {
    ("source", "s3:GetBucketOwnershipControls"): "ACLs are taken to count, and looked at",
    ("destination", "s3:GetBucketOwnershipControls"): "as at the source",
    ("destination", "s3:ListBucket"): "the refusal tells the Region, too",
}
"""Actions whose lack a run makes up for with more requests, or with more care."""
LACKING = [(kind, action) for kind, actions in GRANTED.items() for action in actions]
# In CI a few of them, spread over all.
TAKEN_AWAY = LACKING[:: len(LACKING) // figure(ci=5, release=len(LACKING))]


@pytest.fixture(autouse=True)
def _quick_restores(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.model.world, "restores", RestoreSettings(scale=1e-6))


# Permissions are asked of S3, whoever sends; tests/e2e/test_permissions.py has both clients.
@pytest.mark.parametrize("through", ["lean"], scope="module")
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_asks_for_what_its_files_grant_and_for_nothing_else(
    hired: Hired, kind: str, destination_client: S3Client
) -> None:
    """If this fails, a file grants what nobody needs, or a run under it ends in AccessDenied."""
    fill, files = KINDS[kind]
    words = fill(hired)
    hired.hire(files)
    ended = hired.run(*words)
    assert ended.code == 0, ended.stderr
    assert hired.heard.denied <= looked_for("source") | looked_for("destination")
    assert hired.granted.keys() - hired.heard.allowed == KEPT[kind].keys()
    assert set(GRANTED[kind]) <= hired.heard.allowed
    assert current(versions(destination_client, hired.world.destination))


@pytest.mark.parametrize("through", ["lean"], scope="module")
@pytest.mark.parametrize(("kind", "lacking"), TAKEN_AWAY)
def test_an_action_that_is_taken_away_is_missed(
    hired: Hired, kind: str, lacking: Action, tried: Tried
) -> None:
    """If this fails, an action could go, or its lack is a denial that nobody hears of."""
    fill, files = KINDS[kind]
    words = fill(hired)
    hired.hire(files, without=lacking)
    ended = hired.run(*words)
    assert lacking in hired.heard.denied
    assert lacking not in hired.heard.allowed
    said = ended.stdout + ended.stderr
    assert (ended.code == 0) == (lacking in CARRIED_ON), ended.stderr
    assert ended.code == 0 or "AccessDenied" in said
    tried(Row.POLICY_ACTIONS, 1)
