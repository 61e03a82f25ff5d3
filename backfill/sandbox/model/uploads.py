"""Multipart uploads under way."""


class Upload:
    """An upload; follows."""
