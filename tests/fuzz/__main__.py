"""Fuzz one parser, guided by which lines it reaches: scripts/fuzz NAME [--minutes M].

libFuzzer by way of atheris, which scripts/fuzz installs beside the project; the whole product is
instrumented. What breaks a parser is made smaller, shown, and added to its file in `corpus/`;
with `--keep` so are the smallest inputs that reached something new. Exits 1 if something broke.
"""

import argparse
import importlib
import mmap
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.doubles.figures import leave, share
from tests.doubles.trust_table import FUZZED
from tests.fuzz.corpus import INPUT_BYTES_MAX, keep, kept
from tests.fuzz.mutation import RECIPE_BYTES, mutated

KEPT_MAX = 24
"""Of a parser's inputs that led on: the shortest, so that a person may still read them."""
LENGTH_MAX = 4_096
"""Of a document, unless a specimen is longer: what is shorter is tried more often."""
SHORTENING_TRIES_MAX = 2_000


def main(argv: Sequence[str]) -> int:
    """Run the fuzzer in a process of its own: libFuzzer ends the one that it runs in."""
    arguments = _arguments(argv)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        found, broken = Path(folder) / "found", Path(folder) / "broken"
        found.mkdir()
        seconds, count = round(60 * arguments.minutes), mmap.mmap(-1, 8)
        child = os.fork()
        if child == 0:
            _fuzz(arguments.parser, found, broken, seconds=seconds, count=count)
            os._exit(70)  # libFuzzer does not come back
        _, status = os.waitpid(child, 0)
        leave(FUZZED, cases=int.from_bytes(count[:8], "little"), failed=int(status != 0))
        if arguments.keep:
            inputs = [path.read_bytes() for path in found.iterdir()]
            short = sorted((each for each in inputs if len(each) <= 400), key=len)
            keep(arguments.parser, short[-KEPT_MAX:], why="reached something new")
        if broken.exists():
            return _told(arguments.parser, broken.read_bytes())
    return 0 if status == 0 else 70


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("parser", metavar="NAME", help="a parser of tests/fuzz/registry.py")
    minutes = 5.0 * share()
    parser.add_argument("--minutes", type=float, default=minutes, help="how long (5)")
    parser.add_argument("--keep", action="store_true", help="keep inputs that led on")
    return parser.parse_args(argv)


def _fuzz(name: str, found: Path, broken: Path, *, seconds: int, count: mmap.mmap) -> None:
    # Any: atheris has no types, and is no dependency of the project.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["backfill"]):
        parser = importlib.import_module("tests.fuzz.registry").PARSERS[name]
        attempt: Callable[..., bool] = importlib.import_module("tests.fuzz.parser").attempt
    specimens = (*parser.specimens, *kept(name))
    for number, specimen in enumerate(specimens):
        (found / f"specimen-{number}").write_bytes(specimen)

    tried = 0

    def one(data: bytes) -> None:
        nonlocal tried
        tried += 1
        count[:8] = tried.to_bytes(8, "little")
        try:
            attempt(parser, data)
        except BaseException:  # noqa: BLE001 - whatever it is, that is what is looked for
            broken.write_bytes(data)
            os._exit(1)

    def bent(data: bytes, size_max: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5:
            bytes_bent: bytes = atheris.Mutate(data, size_max)
            return bytes_bent
        recipe = bytes(1) + chance.randbytes(chance.randrange(3, RECIPE_BYTES))
        return mutated((data, *specimens), recipe)[:size_max]

    options = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-max_len={max(LENGTH_MAX, *map(len, specimens))}",
        "-timeout=25",
        "-print_final_stats=1",
        str(found),
    ]
    atheris.Setup(options, one, custom_mutator=bent)
    atheris.Fuzz()


def _told(name: str, data: bytes) -> int:
    """Make a breaking input smaller, show what it breaks, and keep it."""
    registry = importlib.import_module("tests.fuzz.registry")
    attempt: Callable[..., bool] = importlib.import_module("tests.fuzz.parser").attempt

    def broken_by(document: bytes) -> str:
        try:
            attempt(registry.PARSERS[name], document)
        except BaseException as failure:  # noqa: BLE001 - whatever it is, that is what was found
            return f"{type(failure).__name__}: {failure}"
        return ""

    shown = broken_by(data)
    kind = shown.partition(":")[0]
    data = _shortened(data, lambda document: broken_by(document).partition(":")[0] == kind)
    sys.stdout.write(
        f"{name} breaks by {broken_by(data)[:500]}\n  {data[:500]!r} of {len(data)} bytes\n"
    )
    if len(data) <= INPUT_BYTES_MAX:
        keep(name, [data], why=kind)
    return 1


def _shortened(data: bytes, breaks: Callable[[bytes], bool]) -> bytes:
    """Take pieces out, large ones first, as long as it still breaks."""
    size, tries = len(data) // 2, 0
    while size and tries < SHORTENING_TRIES_MAX:
        at = 0
        while at < len(data) and tries < SHORTENING_TRIES_MAX:
            shorter = data[:at] + data[at + size :]
            tries += 1
            if breaks(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
