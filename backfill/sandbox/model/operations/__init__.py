"""What each S3 operation is asked and what it answers: a request and a result each.

Requests and results only; `model.py` has the operations.
"""
