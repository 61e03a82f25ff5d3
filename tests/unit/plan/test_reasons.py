from backfill.plan.reasons import REASON_TEXTS, ROUTE_TEXTS
from backfill.plan.routes import HANDLINGS, PLAIN, Handling, Reason, Route

NEEDS_NOTHING = {
    Reason.ALREADY_REPLICATED,
    Reason.ALREADY_COPIED,
    Reason.ALREADY_DELETED,
    Reason.AFTER_HORIZON,
    Reason.OUT_OF_SCOPE,
}


def test_every_route_and_reason_has_its_sentence() -> None:
    """If this fails, a report line says nothing to the person who must act on it."""
    assert set(REASON_TEXTS) == set(Reason)
    assert set(ROUTE_TEXTS) == set(Route)
    for text in (*REASON_TEXTS.values(), *ROUTE_TEXTS.values()):
        assert text.sentence.endswith(".")
        assert not text.remedy or text.remedy.endswith(".")


def test_only_what_needs_nothing_has_no_remedy() -> None:
    """If this fails, a person is told of a trouble and not what to do about it."""
    without = {reason for reason, text in REASON_TEXTS.items() if not text.remedy}
    assert without == NEEDS_NOTHING


def test_how_a_version_is_handled_is_told_by_its_number() -> None:
    """If this fails, a row's number names another handling: a lock or a grant is left behind."""
    assert Handling(0) is PLAIN
    assert [int(handling) for handling in HANDLINGS] == list(range(32))
    assert HANDLINGS[-1] == (
        Handling.HISTORY
        | Handling.READ_SOURCE
        | Handling.RESTORE
        | Handling.GRANTS
        | Handling.DEFAULT_ACL
    )
