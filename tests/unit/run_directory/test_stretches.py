"""Artefacts in stretches: what was sealed stands after a crash, and nothing else does."""

import errno
import os
from pathlib import Path

import pytest

from backfill.errors import RefusedError
from backfill.model.rows import Row
from backfill.run_directory import stretches
from backfill.run_directory.artifacts import LocalArtifacts
from backfill.run_directory.stretches import LOG_FILE, StretchedWriter

NAME = "inventory/source"
INPUTS = {"run": "RUN"}


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path, segment_rows_max=4)


def rows(*numbers: int) -> list[Row]:
    return [(f"key {number}\n", number) for number in numbers]


def sealed(writer: StretchedWriter, *numbers: int) -> int:
    stretch = writer.begin()
    if numbers:
        writer.write(stretch, rows(*numbers))
    writer.seal(stretch, [*numbers, None, "é\n"])
    return stretch


def read(artifacts: LocalArtifacts) -> list[Row]:
    return [tuple(row) for row in artifacts.rows(NAME)]


def test_rows_come_in_the_order_of_the_commit(artifacts: LocalArtifacts) -> None:
    """Ranges end in any order, and an inventory must be sorted."""
    with artifacts.stretched_writer(NAME, columns=("key", "n"), inputs=INPUTS) as writer:
        upper, lower = writer.begin(), writer.begin()
        assert not writer.write(upper, rows(5, 6))
        assert not writer.write(lower, rows(1, 2, 3))
        assert writer.write(upper, rows(7, 8))
        assert writer.write(lower, rows(4))
        writer.seal(upper, ["up"])
        writer.seal(lower, ["low"])
        empty = sealed(writer)
        index = writer.commit([lower, empty, upper], {"rows": 8})
    assert read(artifacts) == rows(1, 2, 3, 4, 5, 6, 7, 8)
    assert artifacts.index(NAME) == index
    assert (index.rows, index.summary, index.inputs) == (8, {"rows": 8}, INPUTS)


def test_a_successor_finds_what_was_sealed(artifacts: LocalArtifacts, tmp_path: Path) -> None:
    """A crash must cost what was open, and no more."""
    with artifacts.stretched_writer(NAME, columns=("key", "n"), inputs=INPUTS) as writer:
        first, nothing = sealed(writer, 1, 2), sealed(writer)
        lost = writer.begin()
        writer.write(lost, rows(9))
    with artifacts.stretched_writer(NAME, columns=("key", "n"), inputs=INPUTS) as writer:
        assert writer.sealed() == {first: [1, 2, None, "é\n"], nothing: [None, "é\n"]}
        last = sealed(writer, 3)
        assert last not in (first, nothing)
        writer.commit([first, nothing, last], {})
    assert read(artifacts) == rows(1, 2, 3)
    names = {path.name for path in (tmp_path / NAME).iterdir()}
    assert LOG_FILE not in names
    assert len(names) == 3


@pytest.mark.parametrize("other", [({"run": "OTHER"}, ("key", "n")), (INPUTS, ("key", "m"))])
def test_another_artefacts_stretches_are_not_taken_over(
    artifacts: LocalArtifacts, tmp_path: Path, other: tuple[dict[str, str], tuple[str, ...]]
) -> None:
    """Half a listing of another run is not this run's."""
    with artifacts.stretched_writer(NAME, columns=("key", "n"), inputs=INPUTS) as writer:
        sealed(writer, 1)
    inputs, columns = other
    with artifacts.stretched_writer(NAME, columns=columns, inputs=inputs) as writer:
        assert writer.sealed() == {}
        assert not list((tmp_path / NAME).glob("rows-*"))


def test_what_a_power_cut_took_is_not_there(artifacts: LocalArtifacts, tmp_path: Path) -> None:
    """Nothing is synced before the commit, so neither log nor segments are taken at their word."""
    with artifacts.stretched_writer(NAME, columns=("key", "n"), inputs=INPUTS) as writer:
        altered, cut, gone, kept, torn = (sealed(writer, number) for number in range(5))
    folder = tmp_path / NAME
    files = sorted(folder.glob("rows-*"))
    data = bytearray(files[altered].read_bytes())
    data[-9] ^= 1
    files[altered].write_bytes(data)
    files[cut].write_bytes(files[cut].read_bytes()[:-1])
    files[gone].unlink()
    log = folder / LOG_FILE
    log.write_bytes(log.read_bytes()[:-5])
    for _ in range(2):
        with artifacts.stretched_writer(NAME, columns=("key", "n"), inputs=INPUTS) as writer:
            assert list(writer.sealed()) == [kept]
    assert torn not in writer.sealed()
    with artifacts.stretched_writer(NAME, columns=("key", "n"), inputs=INPUTS) as writer:
        again = sealed(writer, 7)
        writer.commit([kept, again], {})
    assert read(artifacts) == rows(3, 7)


def test_what_is_discarded_is_gone(artifacts: LocalArtifacts, tmp_path: Path) -> None:
    """A listing that cannot be believed must not come back at the next resume."""
    with artifacts.stretched_writer(NAME, columns=("key", "n"), inputs=INPUTS) as writer:
        sealed(writer, 1)
        writer.write(writer.begin(), rows(2))
        writer.discard()
        assert not list((tmp_path / NAME).glob("rows-*"))
        stands = sealed(writer, 3)
    with artifacts.stretched_writer(NAME, columns=("key", "n"), inputs=INPUTS) as writer:
        assert list(writer.sealed()) == [stands]


def test_an_older_artefact_stands_until_the_commit(artifacts: LocalArtifacts) -> None:
    """A verification lists again: until it is done, the last listing is the one that counts."""
    for number, inputs in enumerate((INPUTS, {"run": "NEXT"})):
        with artifacts.stretched_writer(NAME, columns=("key", "n"), inputs=inputs) as writer:
            stretch = sealed(writer, number)
            if number:
                assert read(artifacts) == rows(0)
            writer.commit([stretch], {})
    assert read(artifacts) == rows(1)


def test_a_disk_that_fails_at_the_commit_is_refused(
    artifacts: LocalArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a disk that is full at the end of a listing looks like a bug (exit 70)."""

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with artifacts.stretched_writer("list", columns=("n",), inputs={}) as writer:
        number = sealed(writer, 1, 2)
        monkeypatch.setattr(stretches, "sync_directory", full)
        with pytest.raises(RefusedError, match="No space left on device") as caught:
            writer.commit([number], {})
    assert "the same command resumes" in caught.value.hint
    assert artifacts.index("list") is None
