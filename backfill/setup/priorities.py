"""Priorities of rules that their spec left open.

Never moves another's rule, and never one of ours that has its place.
Law: two rules of a configuration never have the same priority.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from backfill.setup.layouts import Item
from backfill.setup.wanted import WantedPart


def with_priorities(parts: Sequence[WantedPart], items: Sequence[Item]) -> list[WantedPart]:
    """Return the rules with priorities: as the spec says, as they have, or above all others.

    The next above, so that a new rule wins against one that is there for the same bucket: what was
    asked for last is what is wanted. The change tells the number.
    """
    ours = {part.identifier for part in parts}
    held = {item.identifier: _priority(item.content) for item in items}
    said = [priority for part in parts if (priority := _priority(part.content)) is not None]
    taken = {priority for word, priority in held.items() if word not in ours} | set(said)
    next_free = max(
        (priority for priority in (*held.values(), *said) if priority is not None), default=0
    )
    placed = []
    for part in parts:
        if _priority(part.content) is not None:
            placed.append(part)
            continue
        priority = held.get(part.identifier)
        if priority is None or priority in taken:
            next_free += 1
            priority = next_free
        taken.add(priority)
        content = {**part.content, "Priority": priority}
        placed.append(
            replace(part, content=content, reason=f"{part.reason}, with priority {priority}")
        )
    return placed


def _priority(content: object) -> int | None:
    value = content.get("Priority") if isinstance(content, Mapping) else None
    return value if isinstance(value, int) else None
