"""docs/internals/MUTATION.md: how many mutants of each pure module the unit tests notice."""

from tests.architecture.house import ROOT
from tests.mutation.floor import floor, scores
from tests.mutation.operators import digest

PAGE = ROOT / "docs" / "internals" / "MUTATION.md"
_INTRODUCTION = """\
# Mutation testing of the pure floor

The pure floor is every module that `tests/architecture/house.py` puts on floor 0: what decides,
without clock, chance or I/O. `scripts/mutants` makes one small mistake at a time (a comparison, a
condition, a sum, a constant, an entry of a table, a result, a statement, a case) and runs the unit
tests of the stage that reach it, until one fails. Wanted are 90 % of each module.

- **tried**: mutants that were run; less than **of** is a seeded sample. **caught**: by a test that
  fails; *by time* where the mutant ran into the limit of CPU or memory. **unreached**: no unit test
  of the stage runs the statement.
- What nobody could notice stands with its reason in `tests/mutation/equivalent.txt`, and does not
  count.
- Left alone: assertions, docstrings, prose (texts with a space), formatted strings, names of types,
  limits and sizes that have a name, and what classes hold beside methods.
- *not run*: nobody has tried that module yet. *older*: its code has changed since.
- CI tries twelve mutants of each of at most three modules that differ from this table
  (`scripts/mutants --changed`), and wants half of them: it finds code that nobody tests.
  `scripts/mutants --release` tries all, wants 90 %, and writes this page.

mutmut 3.8 was tried first: it leaves out decorated functions (properties among them) and the tables
of modules, in which much of this floor is decided, and took two thirds of a minute of CPU to write
its copies of one stage before the first test ran. Python's own `ast` and `fork` need neither.

"""


def table() -> str:
    """Return the page."""
    known = scores()
    heads = ("module", "score", "caught", "tried", "of", "by time", "unreached", "equivalent")
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for module in floor():
        score = known.get(module.name)
        if score is None:
            lines.append(f"| {module.name} | not run | | | | | | |")
            continue
        older = "" if score.digest == digest(module.tree) else " *older*"
        lines.append(
            f"| {module.name} | {score.percent:.0f} %{older} | {score.caught} | {score.tried}"
            f" | {score.possible} | {score.by_time} | {score.unreached} | {score.equivalent} |"
        )
    tried = sum(score.tried for score in known.values())
    caught = sum(score.caught for score in known.values())
    share = f"{100 * caught / tried:.1f} %" if tried else "nothing"
    lines += ["", f"Together {caught:,} of {tried:,} caught: {share}.", ""]
    return _INTRODUCTION + "\n".join(lines)


def write_table() -> None:
    """Write the page anew."""
    PAGE.write_text(table())
