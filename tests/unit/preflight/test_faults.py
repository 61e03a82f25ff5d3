"""Every word that preflight says of a fault: its findings, their evidence, and what mends them."""

from functools import cache, reduce
from pathlib import Path

import pytest

from backfill.preflight.catalogue import findings_of
from backfill.preflight.evidence import Gathered
from backfill.preflight.findings import Finding, Findings
from backfill.preflight.lines import lines_of
from backfill.preflight.mends import as_json
from tests.unit.preflight.faults import FAULTS, SEEN, sound
from tests.unit.preflight.scenery import OURS, REPLICA_KEY, ROLE, SOURCE_KEY, THEIRS

TOLD = Path(__file__).with_name("faults.txt")
"""What is said of each fault and not of the sound set-up, and which checks fall silent."""
EVERY = ["sound", *(f"{kind}: sound" for kind in ("keys", "jobs", "copies", "two")), *FAULTS, *SEEN]
NAMES = {
    ROLE: "ROLE",
    SOURCE_KEY: "SOURCE_KEY",
    REPLICA_KEY: "REPLICA_KEY",
    OURS: "OURS",
    THEIRS: "THEIRS",
}
SOUND: dict[str, tuple[Gathered, list[tuple[str, ...]]]] = {}
"""What was gathered of a sound set-up and what is said of it, by what it has beside replication."""


def blocks(findings: Findings) -> list[tuple[str, ...]]:
    """Return the lines of each finding, and of each note."""
    return [*map(block, findings.findings), *((f"note: {each}",) for each in findings.notes)]


def block(finding: Finding) -> tuple[str, ...]:
    first, *rest = lines_of(finding)
    mend = finding.mend
    adds = mend.statements if mend is not None and mend.commands else ()
    added = [f"adds: {as_json(each)}" for each in adds]
    seen = finding.evidence if finding.is_ok else ()  # which people are not told
    return (" ".join(first.split()), *(f"  {line.strip()}" for line in (*seen, *rest, *added)))


def about(told: tuple[str, ...]) -> str:
    """Return what a finding is about: its check, and the subject."""
    return told[0].removeprefix("cannot tell").partition(" ")[2].partition(": ")[0]


async def told_of(name: str) -> list[str]:
    kind = name.partition(":")[0] if ":" in name else ""
    if kind not in SOUND:
        seen = await sound(kind).seen()
        SOUND[kind] = seen, blocks(findings_of(seen))
    seen, before = SOUND[kind]
    if name in FAULTS:
        there = sound(kind)
        FAULTS[name](there)
        seen = await there.seen()
    elif name in SEEN:
        seen = SEEN[name](seen)
    else:
        before = []
    after = blocks(findings_of(seen))
    spoken = {about(each) for each in after}
    silent = [about(each) for each in before if about(each) not in spoken]
    gone = [f"silent: {', '.join(dict.fromkeys(silent))}"] if silent else []
    new = [line for each in after if each not in before for line in each]
    return [
        reduce(lambda told, long: told.replace(long, NAMES[long]), NAMES, line)
        for line in (*gone, *new)
    ]


@cache
def expected() -> dict[str, list[str]]:
    parts = (part.splitlines() for part in TOLD.read_text().split("\n\n"))
    return {head.removeprefix("== "): list(rest) for head, *rest in parts}


@pytest.mark.parametrize("name", EVERY)
async def test_a_fault_is_told_whole(name: str) -> None:
    """If this fails, a fault has another verdict, reason or mend than a person was promised."""
    assert await told_of(name) == expected()[name]


def test_nothing_is_expected_of_a_fault_that_is_gone() -> None:
    """If this fails, `faults.txt` promises what nobody looks at."""
    assert list(expected()) == EVERY
