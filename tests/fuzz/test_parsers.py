"""Every parser of the product keeps its word: on what hypothesis draws, on seeds, on what is kept.

A failure shows the input. To keep it for ever: `scripts/fuzz NAME --keep` or a line in `corpus/`.
"""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doubles.figures import Row, Tried, figure, first_seed, is_release
from tests.fuzz.corpus import keep, kept
from tests.fuzz.mutation import RECIPE_BYTES, mutated
from tests.fuzz.parser import Parser, attempt
from tests.fuzz.registry import PARSERS

SEEDED = figure(ci=250, release=3_500)
"""Documents of seeded recipes, for each parser."""
DRAWN = figure(ci=60, release=1_000)
"""Documents that hypothesis draws for each parser: half of them free bytes, half by recipe."""
SHOWN_BYTES_MAX = 2_000


def tried_on(name: str, data: bytes) -> bool:
    """Attempt one input; a failure says with what."""
    try:
        return attempt(PARSERS[name], data)
    except BaseException as failure:
        failure.add_note(f"{name}: {data[:SHOWN_BYTES_MAX]!r} of {len(data)} bytes")
        raise


def recipes(name: str) -> Iterator[bytes]:
    for seed in range(first_seed(), first_seed() + SEEDED):
        chance = random.Random(f"{name} {seed}")
        yield chance.randbytes(chance.randrange(4, RECIPE_BYTES + 1))


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_its_specimens(name: str) -> None:
    """If this fails, the inputs of the other tests are in the neighbourhood of nothing."""
    parser = PARSERS[name]
    taken = [tried_on(name, each) for each in parser.specimens]
    assert taken[0]


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_keeps_its_word_on_documents_that_are_almost_right(
    name: str, tried: Tried
) -> None:
    """If this fails, a cut, doubled, nested or hostile document ends a run with a bug's code."""
    specimens = (*PARSERS[name].specimens, *kept(name))
    documents = [*specimens, *(mutated(specimens, recipe) for recipe in recipes(name))]
    for document in documents:
        tried_on(name, document)
    tried(Row.PARSER_EXAMPLES, len(documents))


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_keeps_its_word_on_whatever_hypothesis_draws(name: str, tried: Tried) -> None:
    """If this fails, the example shown is the smallest that breaks it."""
    specimens = PARSERS[name].specimens
    by_recipe = st.binary(max_size=RECIPE_BYTES).map(lambda recipe: mutated(specimens, recipe))
    free = st.binary(max_size=200) | st.text(max_size=100).map(
        lambda text: text.encode(errors="surrogatepass")
    )
    examples = 0

    @settings(max_examples=DRAWN, derandomize=not is_release(), database=None)
    @given(by_recipe | free)
    def holds(document: bytes) -> None:
        nonlocal examples
        examples += 1
        tried_on(name, document)

    holds()
    tried(Row.PARSER_EXAMPLES, examples)


@pytest.mark.parametrize("name", PARSERS)
def test_a_seal_or_an_inverse_is_no_ornament(name: str) -> None:
    """If this fails, a parser with one spelling takes another one as well."""
    parser = PARSERS[name]
    if not parser.is_canonical:
        assert parser.written is None or parser.written(parser.parse(parser.specimens[0]))
        return
    for specimen in parser.specimens:
        for other in (specimen + b" ", b" " + specimen, specimen.replace(b" ", b"", 1)):
            with pytest.raises(parser.refusals):
                parser.parse(other)


def test_what_breaks_a_promise_is_found() -> None:
    """If this fails, all of the above holds of any parser whatever."""
    whole = Parser(
        name="sloppy", parse=int, refusals=(ValueError,), specimens=(b"17",), place="literal"
    )
    assert attempt(whole, b"17")
    assert not attempt(whole, b"x")
    silent = Parser(name="silent", parse=_fails, refusals=(KeyError,), specimens=(b"",))
    with pytest.raises(ZeroDivisionError):
        attempt(silent, b"")
    with pytest.raises(AssertionError, match="does not name its place"):
        attempt(
            Parser(name="vague", parse=int, refusals=(ValueError,), specimens=(), place="file"),
            b"x",
        )
    with pytest.raises(AssertionError, match="is read again"):
        attempt(
            Parser(name="one-way", parse=int, refusals=(), specimens=(), written=lambda _: b"1"),
            b"2",
        )
    with pytest.raises(AssertionError, match="other bytes"):
        attempt(
            Parser(
                name="lax",
                parse=int,
                refusals=(),
                specimens=(),
                written=lambda number: b"%d" % number,
                is_canonical=True,
            ),
            b"02",
        )


def _fails(_: bytes) -> float:
    return 1 / 0


def test_what_is_kept_is_read_as_it_was_written(
    tmp_path: "pytest.TempPathFactory", monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, what once broke a parser is tried no more."""
    monkeypatch.setattr("tests.fuzz.corpus.FOLDER", tmp_path)
    inputs = [b"\0\xff'\"\n#", b"", b"x" * 9]
    keep("a", inputs, why="because")
    keep("a", inputs, why="again")
    assert kept("a") == inputs
    assert kept("b") == []
