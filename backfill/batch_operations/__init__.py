"""S3 Batch Operations: how a job is asked for, found again, watched, and its report believed.

Serves execute (Replicate) and verify (Compute checksum).
Never moves a byte itself, and never takes "Complete" for done: the completion report is read.
Law: however a process dies, each piece of work has one job, and that job's report is read.
"""
