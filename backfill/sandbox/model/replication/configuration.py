"""A replication configuration, parsed."""


class ReplicationConfiguration:
    """Parsed rules; follows."""
