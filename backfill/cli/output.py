"""What verbs print: data on stdout, for people or as JSON.

Never colours and never moves the cursor: output makes sense in a file.
Law: text from a bucket is escaped before it is shown to a person.
"""

import dataclasses
import enum
import json
import sys
from collections.abc import Iterable
from datetime import datetime


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to stdout."""
    for line in lines:
        print(line)


def print_json(document: object) -> None:
    """Print one JSON document to stdout."""
    json.dump(document, sys.stdout, indent=2, default=_json_value)
    sys.stdout.write("\n")


def print_json_line(document: object) -> None:
    """Print one JSON document to stdout as a line, at once: somebody may read along."""
    print(json.dumps(document, default=_json_value), flush=True)


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    assert dataclasses.is_dataclass(value), "results are dataclasses"
    assert not isinstance(value, type), "results are instances"
    return dataclasses.asdict(value)
