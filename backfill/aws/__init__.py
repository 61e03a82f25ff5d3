"""The adapter to AWS: sessions, the S3 data plane, the control plane, faults, retries, pacing.

Never decides what to copy; it carries out one request and says how it ended.
Law: one request of ours is one request on the wire, and every failure has one disposition.
"""
