"""Secrets planted wherever a run meets text that is not its own; then all it wrote is searched.

Planted: the profiles' own keys, messages of the store, metadata and tags of objects, a proxy's
password. Searched: both outputs, every file of the working copy, unpacked, and every object of the
run directory on S3. Keys of objects are data and are told exactly: no secret is planted there.
"""

import gzip
import random
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

from backfill.sandbox.http.faults import Call, Fault, FaultKind
from backfill.sandbox.model import raw_edits
from backfill.sandbox.service import SOURCE, Sandbox
from tests.doubles.command import Command, Ended, report_rows
from tests.doubles.figures import Row, Tried, first_seed
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client
from tests.doubles.planted_secrets import planted, secret_access_key, shown

KEYS = 30
REFUSED = ("CopyObject", "GetObjectTagging")
"""Operations on single keys, whose messages become rows of journal and report."""


class Planter:
    """Hands out texts with secrets in them, and knows each secret."""

    def __init__(self, seed: str) -> None:
        self._draw = random.Random(seed)
        self.secrets: list[str] = []

    def text(self, *, length_max: int) -> str:
        """Return a text that holds a secret, not so long that it would be cut."""
        while True:
            secret, text = planted(self._draw)
            if len(text.encode()) <= length_max and text.isprintable():
                self.secrets.append(secret)
                return text

    def bare(self) -> str:
        """Return a secret as it is."""
        self.secrets.append(secret_access_key(self._draw))
        return self.secrets[-1]

    def message(self, call: Call) -> Fault | None:
        """Refuse the even keys with a secret in the message."""
        is_even = call.key.startswith("key/") and call.key[-1] in "02468"
        if call.operation not in REFUSED or not is_even:
            return None
        message = "; ".join(self.text(length_max=150) for _ in range(3))
        return Fault(kind=FaultKind.ERROR, code="InvalidRequest", status=400, message=message)


def written(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give every file under a folder, as it is and unpacked."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield from unpacked(str(path), path.read_bytes())


def unpacked(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, data
    if name.endswith(".gz"):
        yield f"{name}, unpacked", gzip.decompress(data)


def kept_on_s3(client: S3Client, bucket: str) -> Iterator[tuple[str, bytes]]:
    """Give every object of a bucket, as it is and unpacked."""
    for each in client.list_objects_v2(Bucket=bucket)["Contents"]:
        got = client.get_object(Bucket=bucket, Key=each["Key"])
        yield from unpacked(each["Key"], got["Body"].read())


def own_keys(command: Command) -> list[str]:
    """Return the secret keys that sign the requests of both accounts."""
    profiles = ConfigParser(interpolation=None)
    profiles.read(command.environment["AWS_SHARED_CREDENTIALS_FILE"])
    return [profiles[name]["aws_secret_access_key"] for name in ("source", "destination")]


def assert_none_shown(secrets: list[str], texts: Iterator[tuple[str, bytes]]) -> set[str]:
    """Hold every text free of every secret; return the names of what was searched."""
    names = set()
    for name, data in texts:
        found = shown(secrets, data.decode("utf-8", "surrogateescape"))
        assert not found, f"{name} shows {len(found)} secrets, as {found[0]}"
        names.add(name.rpartition("/")[2])
    return names


def test_no_secret_that_a_run_meets_is_in_anything_that_it_writes(
    sandbox: Sandbox, world: OldWorld, command: Command, source_client: S3Client, tried: Tried
) -> None:
    """If this fails, a report that is mailed around, or a bucket of runs, holds credentials."""
    plant = Planter(f"runs {first_seed()}")
    runs = f"{world.source}-runs"
    world.make_bucket(SOURCE, runs)
    with world.days_ago(30):
        for number in range(KEYS):
            tags = (("owner", plant.bare()),)
            world.put(f"key/{number:03}", tags=tags)
            with world.sandbox.held() as model:
                secret = (("session", plant.text(length_max=900)),)
                raw_edits.change_attributes(
                    model, world.source, f"key/{number:03}", metadata=secret
                )
    world.set_rules(Rule(to=world.destination))
    scratch = command.folder / "scratch"
    command = command.beside(
        BACKFILL_RUN_DIR=f"s3://{runs}/first", BACKFILL_SCRATCH_DIR=str(scratch)
    )
    sandbox.set_fault_hook(plant.message)
    said = [
        command.run("run", world.source, "--yes", "--log-level", "debug", code=3),
        *(
            command.run(*words, code=None)
            for words in (
                ("verify", "--log-format", "console", "--deep"),
                ("report", "--json"),
                ("status", "--json"),
                ("explain", "key/000"),
                ("repair",),
            )
        ),
    ]
    secrets = plant.secrets + own_keys(command)
    assert len(secrets) > 100
    names = assert_none_shown(secrets, spoken(said))
    names |= assert_none_shown(secrets, written(scratch))
    names |= assert_none_shown(secrets, kept_on_s3(source_client, runs))
    assert {"report.json", "report.html", "rows.csv", "head.json", "index.json"} <= names
    working_copy = next(path for path in scratch.iterdir() if (path / "report").is_dir())
    told = [row["detail"] for row in report_rows(working_copy) if "[redacted]" in row["detail"]]
    assert told, "the messages are there, without their secrets"
    tried(Row.SECRETS, len(secrets))


def spoken(said: list[Ended]) -> Iterator[tuple[str, bytes]]:
    for number, ended in enumerate(said):
        yield f"stdout {number}", ended.stdout.encode()
        yield f"stderr {number}", ended.stderr.encode()
