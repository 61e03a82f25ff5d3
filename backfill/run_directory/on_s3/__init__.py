"""A run directory on S3: a local working copy that all stages work on, and a mirror of it.

`location`, `head`, `catalogue`, `lease` and `mending` are pure; `keeper` and `mirror` act, in the
thread of `background`; `directory` is what the composition root holds.
Law: one object is ever changed, `head.json`, and only by the condition that it is as it was read.
"""
