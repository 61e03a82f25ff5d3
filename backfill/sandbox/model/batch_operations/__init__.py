"""S3 Batch Operations: jobs that carry out Replicate and Compute checksum on the model.

`engine.py` is the door (`model.batch_operations`): the s3control operations, and `advance(now)`,
which alone moves jobs on. `validation.py` judges CreateJob, `schedule.py` says whose turn it is,
`stages.py` moves a job from status to status, `manifests.py` and `generation.py` find out its
tasks, `replicating.py` and `checksumming.py` carry one out, `reports.py` writes the completion
report, `faults.py` is what a test may plant.
"""
