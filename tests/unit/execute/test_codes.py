"""Every code that an entry can end with has its sentence, and no sentence is without a code."""

from backfill.execute.codes import SENTENCES, Code
from backfill.plan.reasons import REASON_TEXTS
from backfill.plan.routes import Reason


def test_every_code_is_told_in_one_sentence_of_its_own() -> None:
    """If this fails, a report shows a bare code, or two codes that nobody can tell apart."""
    assert set(SENTENCES) == set(Code)
    assert len(set(SENTENCES.values())) == len(Code)
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())


def test_a_code_that_a_plan_knows_too_is_the_plans_word() -> None:
    """If this fails, one cause is counted under two names, before and after the copy."""
    words = {reason.value for reason in Reason}
    shared = {code.value for code in Code} & words
    assert shared >= {"archived", "object-lock", "destination-differs", "website-redirect"}
    assert {Reason(word) for word in shared} <= set(REASON_TEXTS)
