"""Regular expressions mean the same to every Python that the project runs on."""

import re
from pathlib import Path

from tests.architecture.house import ROOT

POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9]*,[0-9]*\})\+")
"""As in `(?:...)*+`; of a set of characters, as in `[...]*+`, every Python makes the same."""


def possessive_groups(folder: Path) -> list[str]:
    return [
        f"{path.relative_to(folder)}:{number}"
        for path in sorted(folder.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if POSSESSIVE_GROUP.search(line)
    ]


def test_no_group_is_repeated_possessively() -> None:
    """If this fails, Python 3.11.0 to 3.11.4, Debian's too, reads other values than are there.

    Before 3.11.5 a possessive group that fails keeps what it took until then (gh-106052): metadata
    came back with a space at its end.
    """
    assert possessive_groups(ROOT / "backfill") == []


def test_one_that_is_would_be_seen(tmp_path: Path) -> None:
    """If this fails, the test above looks for nothing."""
    (tmp_path / "fine.py").write_text('PLAIN = "(?:a[!-~]++)*"\n')
    (tmp_path / "wrong.py").write_text('\nPLAIN = "(?:a[!-~]++)*+"\nSOME = "(?:a){1,2}+"\n')
    assert possessive_groups(tmp_path) == ["wrong.py:2", "wrong.py:3"]
