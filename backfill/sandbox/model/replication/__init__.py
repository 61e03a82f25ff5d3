"""S3's live replication: rules of its own reading, an engine that is stepped.

`configuration.py` parses and validates a ReplicationConfiguration (`refusals.py` lists what it
refuses), `evaluation.py` decides which rules a write meets, `obstacles.py` what stands in a
replica's way, `engine.py` carries replicas over when `advance(now)` is called, `settings.py` says
how it behaves where S3 promises nothing.
"""
