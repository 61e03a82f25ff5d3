"""The rows of Batch Replication of one manifest: jobs, their reports, and whether it arrived.

Never writes to a destination: S3 does, under the versions' own IDs.
Law: "Complete" means started; a row is replicated when the destination lists its version.
"""
