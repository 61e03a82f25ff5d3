"""The pure floor: its modules, the tests that are asked about each, and what is known of them.

Law: a module is pure by `tests.architecture.house`, not by a list that somebody keeps here.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.architecture.house import ROOT, Module, modules

SCORES = Path(__file__).with_name("scores.json")
EQUIVALENTS = Path(__file__).with_name("equivalent.txt")
"""A mutant's name, a tab, and why nobody can tell it from the product."""

_SUITES = {
    "policies": ("policies", "preflight"),
    "model": ("model", "execute", "verify"),
    "campaign_options": ("campaign", "cli"),
    "errors": ("test_errors.py", "cli"),
    "events": ("observe",),
    "settings": ("campaign",),
}
"""Below tests/unit; a stage's is of its own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What is known of one module: its `digest` then, and what became of the mutants tried."""

    digest: str
    possible: int
    tried: int
    caught: int
    by_time: int
    unreached: int
    equivalent: int

    @property
    def percent(self) -> float:
        """Return how many of those tried were caught; 100 where there were none."""
        return 100.0 * self.caught / self.tried if self.tried else 100.0


def floor() -> tuple[Module, ...]:
    """Return the modules of the pure floor that hold anything beside definitions of data."""
    return tuple(module for module in modules() if module.floor == 0)


def suite_of(module: Module) -> tuple[str, ...]:
    """Return the folders of unit tests that are asked about a module."""
    return tuple(f"tests/unit/{name}" for name in _SUITES.get(module.top, (module.top,)))


def scores() -> dict[str, Score]:
    """Return what the release lane found out last, by module."""
    held: dict[str, dict[str, Any]] = json.loads(SCORES.read_text())  # as `keep` wrote it
    return {name: Score(**said) for name, said in held.items()}


def keep(found: dict[str, Score]) -> None:
    """Keep scores beside those of modules that were not tried now."""
    whole = {**scores(), **found}
    known = {module.name for module in floor()}
    content = {name: asdict(whole[name]) for name in sorted(whole) if name in known}
    SCORES.write_text(json.dumps(content, indent=1) + "\n")


def equivalents() -> dict[str, str]:
    """Return the mutants that are no mistakes, each with its reason."""
    lines = EQUIVALENTS.read_text().splitlines()
    rows = [line.partition("\t") for line in lines if line and not line.startswith("#")]
    return {name: reason for name, _, reason in rows}


def test_paths(suite: tuple[str, ...], *, naming: Module | None) -> tuple[str, ...]:
    """Return the files of a suite, or only those that name a module if any do."""
    paths = [path for name in suite for path in _files(ROOT / name)]
    if naming is not None:
        package, _, last = naming.name.rpartition(".")
        words = (naming.name, f"from {package} import {last}")
        named = [path for path in paths if any(word in path.read_text() for word in words)]
        paths = named or paths
    return tuple(str(path.relative_to(ROOT)) for path in paths)


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob("test_*.py"))
