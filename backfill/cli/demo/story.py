"""The story of the demo, step by step; each step is checked before the next begins.

Never runs the product in this process: it calls the command as a person would, in another one.
Law: what the story claims was read from the report, not from what it meant to do.
"""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

from backfill.cli.demo.damage import Damage, do_damage
from backfill.cli.demo.history import (
    BATCH_BUCKET,
    COPIED_BY_HAND,
    DELETED_FOR_GOOD,
    DESTINATION_BUCKET,
    MULTIPART_COPY_ABOVE_BYTES,
    SOURCE_BUCKET,
    Told,
    write_history,
)
from backfill.cli.demo.live_writer import LiveWriter
from backfill.cli.demo.set_up import BATCH_ROLE_ARN, setup_toml
from backfill.cli.demo.ways import checked_ways
from backfill.errors import BugError, UsageError
from backfill.sandbox.model.batch_operations.settings import BatchSettings
from backfill.sandbox.model.replication.settings import ReplicationSettings
from backfill.sandbox.service import Sandbox

_LAGS = ReplicationSettings(shortest_lag_s=0.1, longest_lag_s=2.0)
"""Long enough that a job is Complete well before its replicas have arrived."""
_JOBS = BatchSettings(status_s=0.2, step_s=0.3, tasks_per_step=500)
_LIMITS = {
    "COPY_OBJECT_BYTES_MAX": str(MULTIPART_COPY_ABOVE_BYTES),
    "SETTLE_DELAY_S": "1",
    "JOB_POLL_S": "0.5",
}
"""Seconds where AWS takes minutes, and asks to be polled no more often than every 30 s."""
_QUIET_TIMEOUT_S = 30.0
_COLUMNS = 100
_FIRST = "00"
"""The round of the plan's own work; repairs count on from it."""


def tell(run_directory: Path, *, seed: int) -> int:
    """Tell the story, leaving the run directory with its report; return the exit code."""
    if run_directory.exists():
        marker = run_directory / "demo.json"
        if not marker.exists():
            raise UsageError(
                f"{run_directory} exists and is no demo's", hint="name another: --run-dir DIR"
            )
        shutil.rmtree(run_directory)
    run_directory.mkdir(parents=True)
    (run_directory / "demo.json").write_text(json.dumps({"seed": seed}))
    began_s = time.monotonic()
    with Sandbox(seed=seed, replication=_LAGS, batch_operations=_JOBS) as sandbox:
        _Story(sandbox, run_directory, seed).tell()
    _say(f"all of it held, in {time.monotonic() - began_s:.0f} s")
    _say(f"the report: {run_directory / 'report' / 'report.html'}")
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a report says, as far as the story checks it."""

    exit_code: int
    headline: str
    troubles: frozenset[tuple[str, str]]


class _Story:
    def __init__(self, sandbox: Sandbox, run_directory: Path, seed: int) -> None:
        self._sandbox = sandbox
        self._directory = run_directory
        self._seed = seed
        profiles = sandbox.write_profiles(run_directory / "aws")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **profiles,
            **{f"BACKFILL_LIMITS_{name}": value for name, value in _LIMITS.items()},
        }

    def tell(self) -> None:
        told = write_history(self._sandbox)
        place = "--batch-role-arn", BATCH_ROLE_ARN, "--batch-bucket", BATCH_BUCKET
        _introduce(told)
        self._set_up(place)
        _introduce_jobs()
        with LiveWriter(self._sandbox, seed=self._seed) as writer:
            self._backfill("run", SOURCE_BUCKET, *place, "--yes", expected=(0, 4, 5))
            self._tell_of_jobs()
        self._wait_until_quiet()
        _say(f"the live writer wrote {writer.writes:,} times meanwhile, and rests now")
        _say("verify once more, with a second look at metadata, tags and encryption (--deep):")
        self._backfill("verify", "--deep", expected=(0,))
        self._check_clean("after the backfill")
        _say("which version went which way, and why, as the report has it (rows.csv):")
        for line in checked_ways(self._directory / "report" / "rows.csv"):
            _say(f"  {line}")
        damages = do_damage(self._sandbox)
        _say("now somebody damages six things at the destination, past every door of S3:")
        for damage in damages:
            _say(f"  {damage.kind} ({damage.key})")
        self._backfill("verify", "--deep", expected=(4,))
        self._check_found(damages)
        self._backfill("repair", "--deep", "--allow-hiding", "--yes", expected=(0,))
        self._check_clean("after the repair")

    def _set_up(self, place: tuple[str, ...]) -> None:
        """Switch replication on in both accounts, and have it tried by an object of its own."""
        spec = self._directory / "setup.toml"
        spec.write_text(setup_toml())
        _say(f"replication is to be set up as {spec} says. What others put into policies stays")
        self._backfill("setup", "apply", str(spec), "--yes", expected=(0,), is_of_run=False)
        _say("will it work? preflight looks at both accounts, and sends one small object ahead:")
        self._backfill("preflight", SOURCE_BUCKET, *place, "--canary", expected=(0,))

    def _tell_of_jobs(self) -> None:
        """Say what the jobs were good for, and what Complete was not."""
        documents = self._directory / "replication"
        look = json.loads((documents / f"{_FIRST}-look-0" / "index.json").read_bytes())
        waiting = look["summary"]["waiting"]
        _say(
            f"after S3 had called its job Complete, {waiting:,} versions were still on their way:"
            " a task only starts a replication. backfill looked again until all had arrived"
        )
        for job in json.loads((documents / f"{_FIRST}-jobs.json").read_bytes())["jobs"]:
            self._backfill("jobs", "show", job["job_id"], expected=(0,))

    def _backfill(
        self, verb: str, *words: str, expected: tuple[int, ...], is_of_run: bool = True
    ) -> None:
        command = [
            sys.executable,
            "-m",
            "backfill",
            verb,
            *words,
            *(("--run-dir", str(self._directory)) if is_of_run else ()),
            "--source-profile",
            "source",
            "--destination-profile",
            "destination",
            "--log-level",
            "warning",
        ]
        print(f"demo: $ backfill {' '.join((verb, *words))}", flush=True)
        done = subprocess.run(command, env=self._environment, check=False)  # noqa: S603 - as above
        if done.returncode not in expected:
            raise BugError(f"backfill {verb} ended with {done.returncode}, expected {expected}")

    def _wait_until_quiet(self) -> None:
        """Wait until live replication has carried over what the writer wrote."""
        deadline_s = time.monotonic() + _QUIET_TIMEOUT_S
        while time.monotonic() < deadline_s:
            with self._sandbox.held() as model:
                if model.replication.next_due_at() is None:
                    return
            time.sleep(0.05)
        raise BugError("live replication did not come to rest")

    def _seen(self) -> _Seen:
        report = json.loads((self._directory / "report" / "report.json").read_bytes())
        return _Seen(
            exit_code=report["exit_code"],
            headline=report["headline"],
            troubles=frozenset((item["key"], item["problem"]) for item in report["troubles"]),
        )

    def _check_clean(self, when: str) -> None:
        seen = self._seen()
        if seen.exit_code != 0 or seen.troubles:
            raise BugError(f"{when}: {seen.headline} {sorted(seen.troubles)[:5]}")
        _say(f"{when}: {seen.headline}")

    def _check_found(self, damages: tuple[Damage, ...]) -> None:
        seen = self._seen()
        found = dict(seen.troubles)
        expected = {damage.key: damage.problem for damage in damages}
        if found.keys() != expected.keys():
            raise BugError(f"damaged {sorted(expected)}, found {sorted(found)}")
        for key, problem in expected.items():
            if problem not in found[key]:
                raise BugError(f"{key} should be {problem!r}, verify says {found[key]!r}")
        _say(f"verify found exactly these {len(damages)} in {DESTINATION_BUCKET}: {seen.headline}")


def _introduce(told: Told) -> None:
    _say(
        f"the source bucket holds {told.versions:,} versions and {told.delete_markers:,} delete"
        f" markers of {told.keys:,} keys. Replication, once it is switched on, carries what is"
        " written from then on, and none of these"
    )
    _say(
        "somebody was at the destination before:"
        f" {len(DELETED_FOR_GOOD)} replicas were deleted for good, and of {len(COPIED_BY_HAND)}"
        " keys an old version was copied there by hand"
    )


def _introduce_jobs() -> None:
    _say(
        "backfill gives S3 a list of versions (a manifest). S3 works through it, one task for each"
        " version: that is a job of S3 Batch Operations. It writes down how each task went (the"
        " completion report). What S3 cannot replicate is copied, or stays for a stated reason"
    )
    _say("somebody goes on writing meanwhile")


def _say(line: str) -> None:
    wrapped = textwrap.wrap(
        f"demo: {line}", _COLUMNS, subsequent_indent=" " * 8, break_on_hyphens=False
    )
    print("\n".join(wrapped), flush=True)
