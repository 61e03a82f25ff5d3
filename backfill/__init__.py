"""Backfill what S3 replication left behind, and prove that it arrived."""

__version__ = "0.1.0"
