"""The table of needs, row by row: what is asked of people who grant, and of nobody else."""

from pathlib import Path

from backfill.policies.need import Need
from backfill.policies.needs import NEEDS
from backfill.policies.other_needs import other_needs
from backfill.policies.replication_needs import ON_DESTINATION_BUCKET, REPLICATION_NEEDS

TABLE = Path(__file__).with_name("needs.txt")
"""Who, on what, may do what; with its weight where it is not required, the features that ask for
it, and S3's codes of its lack. A row that changes here changes what people must grant."""


def line(need: Need) -> str:
    words = [f"{need.party}, {need.on}: {need.action}"]
    words += [f"({need.weight})"] if need.weight != "required" else []
    words += [f"with {', '.join(sorted(need.features))}"] if need.features else []
    words += [f"else {' '.join(need.codes)}"] if need.codes else []
    return " ".join(words)


def test_the_table_of_needs_is_what_is_written_down() -> None:
    """If this fails, somebody is asked to grant another permission than was decided upon."""
    rows = (*REPLICATION_NEEDS, *ON_DESTINATION_BUCKET, *other_needs())
    assert [line(need) for need in rows] == TABLE.read_text().splitlines()
    assert all(need.why for need in rows)


def test_everybody_reads_the_same_table() -> None:
    """If this fails, a check asks for something that no generated policy grants."""
    assert (*REPLICATION_NEEDS, *other_needs()) == NEEDS
