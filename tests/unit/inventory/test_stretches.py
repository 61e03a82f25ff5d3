"""How sealed stretches tile a key space, and what is missing between them."""

from backfill.inventory.stretches import Gap, Stretch, bad_junctions, laid_out, position_of


def stretch(
    start: str | None,
    end: str | None,
    *,
    prefix: int = 0,
    amid: tuple[str | None, str | None] = (None, None),
    first: str | None = None,
    beyond: str | None = None,
) -> Stretch:
    """Return a stretch; `amid` gives version IDs to its start and end."""
    start_id, end_id = amid
    return Stretch(
        prefix=prefix, start_key=start, start_version_id=start_id, end_key=end,
        end_version_id=end_id, last_key=None, last_version_id=None, is_first=start_id is None,
        is_last=end_id is None, first=first, beyond=beyond, keys=1, keys_current=1, versions=1,
        delete_markers=0, size_bytes=1, pages=1,
    )  # fmt: skip


def test_stretches_are_ordered_by_where_they_meet() -> None:
    """Version IDs have no order: within a key only the end of one says what comes next."""
    stretches = {
        1: stretch("m", None),
        2: stretch("k", "m", amid=("z", None)),
        3: stretch(None, "k", amid=(None, "b")),
        4: stretch("k", "k", amid=("b", "z")),
        5: stretch(None, None, prefix=1),
    }
    layout = laid_out(stretches, prefixes=2)
    assert layout.order == (3, 4, 2, 1, 5)
    assert layout.gaps == ()


def test_what_is_missing_is_listed_up_to_the_next_cut() -> None:
    """Too short a gap loses keys, too long a one doubles them."""
    stretches = {
        1: stretch("c", "f", amid=(None, "v")),
        2: stretch("h", "k"),
        # Its predecessor is gone, so nothing says where in the key it lies.
        3: stretch("r", "t", amid=("lost", None)),
    }
    layout = laid_out(stretches, prefixes=1)
    assert layout.order == (1, 2)
    assert layout.gaps == (
        Gap(0, None, "c"),
        Gap(0, position_of("f", "v"), "h"),
        Gap(0, position_of("k", None), None),
    )
    assert laid_out({}, prefixes=2).gaps == (Gap(0, None, None), Gap(1, None, None))


def test_of_two_that_begin_at_one_place_the_newest_counts() -> None:
    """Once a lost stretch is listed again, so is what followed it: neither may stop the run."""
    stretches = {
        5: stretch("k", "p", amid=("v", "x")),
        1: stretch("k", "m", amid=("v", "w")),
        4: stretch(None, "k", amid=(None, "v")),
        2: stretch("m", None, amid=("w", None)),
    }
    layout = laid_out(stretches, prefixes=1)
    assert layout.order == (4, 5)
    assert layout.gaps == (Gap(0, position_of("p", "x"), None),)


def test_neighbours_meet_where_the_one_saw_the_other_begin() -> None:
    """Equal bounds prove nothing: a server with another order shows other keys between them."""
    one = stretch(None, "c", first="a", beyond="d")
    two = stretch("c", "m", first="d", beyond="x")
    empty = stretch("m", "p", first="x", beyond="x")
    last = stretch("p", None, first="x")
    assert bad_junctions([one, two, empty, last]) == []
    late = last._replace(first="y")
    assert bad_junctions([one, two, empty, late]) == [(empty, late)]
    full = one._replace(is_last=False, beyond=None)
    assert bad_junctions([full, two._replace(is_first=False)]) == []
    assert bad_junctions([last, one._replace(prefix=1)]) == []
