"""Behind S3's back: damage and history that no S3 request can make, and reading without a request.

For tests, checkers and the demo. Nothing here asks for permission, makes a version ID of S3's own
accord or wakes live replication. Checksums and ETags of replaced bytes are derived as S3 would.
Law: what is left is always a state that S3 itself could show.
"""
