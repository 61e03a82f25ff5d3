"""The verify stage: evidence for every planned version, and a verdict that rests on it."""
