"""Rows of an artefact: what a stage's types become on disk, and are read back from.

Never a file: the run directory writes and reads them.
Law: a row holds JSON scalars only, in the order of its artefact's columns.
"""

from collections.abc import Sequence

Scalar = str | int | bool | None
"""No floats: nothing that is kept is a fraction, and JSON has no spelling of all of them."""
Row = Sequence[Scalar]
