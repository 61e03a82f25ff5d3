"""Whether a statement speaks of an action on a resource, whoever asks.

Never decides what follows from it: that takes all the documents.
Law: an element that is not known here, or a variable without a value, leaves the statement open.
"""

from backfill.policies.answers import YES, Answer, any3, not3, unsure
from backfill.policies.conditions import holds
from backfill.policies.context import Context
from backfill.policies.document import Statement
from backfill.policies.patterns import is_action_named, pattern_of
from backfill.policies.quoting import shown
from backfill.policies.request import Request


def names_action(statement: Statement, action: str) -> bool:
    """Whether Action or NotAction mean the action."""
    is_named = any(is_action_named(each, action) for each in statement.actions)
    return is_named is not statement.is_not_action


def speaks(statement: Statement, request: Request, context: Context) -> tuple[Answer[str], ...]:
    """Return whether resource, conditions and unknown elements let the statement apply."""
    variables = statement.variables(context)
    answers = [_covers(statement, request, variables)]
    if answers[0].value is False:
        return tuple(answers)
    for condition in statement.conditions:
        held = holds(condition, context, variables)
        if held.value is False:
            says = f"its condition {condition.written} on {shown(condition.key)} does not hold"
            held = Answer(value=False, why=(says,))
        answers.append(held)
    answers += (
        unsure(f"its element {shown(each)} is not known here") for each in statement.unknown
    )
    return tuple(answers)


def _covers(statement: Statement, request: Request, variables: Context | None) -> Answer[str]:
    if statement.resources is None:
        # Only trust policies have no Resource: they speak of the role that they are attached to.
        is_trust = request.action.lower().startswith("sts:")
        return YES if is_trust else unsure("it has neither Resource nor NotResource")
    resource = request.resource
    patterns = [pattern_of(each, variables) for each in statement.resources]
    truth = any3(None if pattern is None else pattern.covers(resource) for pattern in patterns)
    truth = not3(truth) if statement.is_not_resource else truth
    if truth is None:
        if None in patterns:
            return unsure("its Resource holds a policy variable whose value is not known")
        return unsure(f"its Resource covers only a part of {shown(str(resource))}")
    if truth:
        return YES
    return Answer(value=False, why=(f"its Resource does not cover {shown(str(resource))}",))
