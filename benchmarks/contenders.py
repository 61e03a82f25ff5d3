"""What runs against what: the shipped command and its peers, one run each against a fresh server.

Never trusts an exit code alone: the server says what was copied, the report what was verified.
Law: a run in which not every object was copied exactly once is wrong, however fast it was.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.canned_process import DESTINATION_BUCKET, SOURCE_BUCKET, CannedServer, Counts
from benchmarks.measured_process import Mark, Measured, run_measured
from benchmarks.peers import PEERS, NotToBeHadError, Peer

STAGES: Mapping[str, Sequence[str]] = {
    "start": ("scene.json",),
    "inventory": ("inventory/source/index.json", "inventory/destination-00/index.json"),
    "plan": ("plan/index.json",),
    "manifest": ("manifest/00/index.json",),
    "execute": ("outcomes/00/index.json",),
    "verify": ("verify/01/index.json",),
    "report": ("report/report.json",),
}
"""The file of the run directory that a stage leaves last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One program under measurement."""

    name: str
    label: str
    run: Callable[[CannedServer, Path], Measured]
    is_verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One contender's run, and what the server says about it."""

    name: str
    label: str
    transport: str
    objects: int
    round: int
    measured: Measured
    counts: Counts
    complaints: tuple[str, ...]

    @property
    def cpu_us(self) -> float:
        """Return CPU microseconds of the tree per object."""
        return 1e6 * self.measured.cpu_s / self.objects

    @property
    def requests(self) -> int:
        """Return how many requests the server answered."""
        return sum(self.counts["requests"].values())

    def stages(self) -> dict[str, Mark]:
        """Return what each stage alone took, from the marks; empty for a peer."""
        before = Mark(name="", cpu_s=0.0, wall_s=0.0)
        found = {}
        for name in STAGES:
            of_stage = [mark for mark in self.measured.marks if mark.name.split("/")[0] == name]
            if not of_stage:
                return {}
            last = max(of_stage, key=lambda mark: mark.wall_s)
            found[name] = _between(name, before, last)
            before = last
        total = Mark(name="end", cpu_s=self.measured.cpu_s, wall_s=self.measured.wall_s)
        return {**found, "end": _between("end", before, total)}

    def until(self, stage: str) -> Mark:
        """Return what the run had taken when a stage was done."""
        return max(
            (mark for mark in self.measured.marks if mark.name.split("/")[0] == stage),
            key=lambda mark: mark.wall_s,
        )


def _between(name: str, before: Mark, after: Mark) -> Mark:
    return Mark(name=name, cpu_s=after.cpu_s - before.cpu_s, wall_s=after.wall_s - before.wall_s)


def backfill(*options: str, product: Path, label: str = "backfill run") -> Contender:
    """Return the shipped command of a checkout, from both listings to the report."""

    def run(server: CannedServer, folder: Path) -> Measured:
        run_directory = folder / "run"
        command = [
            *(sys.executable, "-m", "backfill", "run", SOURCE_BUCKET),
            *("--destination", DESTINATION_BUCKET, "--engine", "copy"),
            *("--other-writers", "quiet", "--endpoint-url", server.endpoint),
            *("--run-dir", str(run_directory), "--yes", "--json", *options),
        ]
        marks = {
            f"{stage}/{place}": run_directory / path
            for stage, paths in STAGES.items()
            for place, path in enumerate(paths)
        }
        environment = {
            **_environment(server, folder),
            "PYTHONPATH": str(product),
            "PYTHONPYCACHEPREFIX": str(folder.parent / "compiled"),
        }
        return run_measured(command, environment=environment, folder=folder, marks=marks)

    return Contender(name="-".join((label, *options)), label=label, run=run, is_verified=True)


def of_peer(peer: Peer) -> Contender:
    """Return a peer, as installed."""

    def run(server: CannedServer, folder: Path) -> Measured:
        environment = {**_environment(server, folder), **peer.environment(server)}
        return run_measured(peer.command(server.endpoint), environment=environment, folder=folder)

    return Contender(name=peer.name, label=peer.label, run=run)


def peers_to_be_had(names: Sequence[str], say: Callable[[str], None]) -> list[Contender]:
    """Install the peers that can be had; say what they are, or why they are left out."""
    found = []
    for peer in PEERS:
        if peer.name in names:
            try:
                say(f"{peer.label}: {peer.installed()}")
            except NotToBeHadError as reason:
                say(f"{peer.label}: left out, it cannot be had here ({reason})")
            else:
                found.append(of_peer(peer))
    return found


def one_run(
    contender: Contender, server: CannedServer, folder: Path, transport: str, number: int
) -> Run:
    """Empty the destination, run, check what was copied and verified."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server.reset()
    measured = contender.run(server, folder)
    counts = server.counts()
    return Run(
        name=contender.name,
        label=contender.label,
        transport=transport,
        objects=server.objects,
        round=number,
        measured=measured,
        counts=counts,
        complaints=tuple(_complaints(contender, server.objects, measured, counts, folder)),
    )


def _complaints(
    contender: Contender, objects: int, measured: Measured, counts: Counts, folder: Path
) -> list[str]:
    told = []
    if measured.exit_code:
        last = (folder / "stderr").read_text(errors="replace").strip().split("\n")[-3:]
        told.append(f"it ended with {measured.exit_code}: {' / '.join(last)}")
    if counts["copied_keys"] != objects:
        told.append(f"{counts['copied_keys']} keys were copied, not {objects}")
    if counts["accepted_copies"] != objects:
        told.append(f"{counts['accepted_copies']} copies were made, not {objects}")
    if contender.is_verified and not told:
        report = json.loads((folder / "run/report/report.json").read_bytes())
        verdicts = {verdict["name"]: verdict["rows"] for verdict in report["verdicts"]}
        if verdicts != {"equal": objects}:
            told.append(f"verdicts {verdicts}")
    return [f"{contender.label}: {words}" for words in told]


def _environment(server: CannedServer, folder: Path) -> dict[str, str]:
    """Return an environment without anybody's own configuration."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        **server.environment,
    }
