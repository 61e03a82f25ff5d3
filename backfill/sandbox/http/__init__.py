"""Serves the reference model as S3 and STS over HTTP/1.1.

From socket to model: `protocol` (bytes to requests) → `signature`, `payload` (who asks, is the body
whole) → `routing` (which operation) → `reading` (request to dataclass) → model → `rendering`
(result to headers and XML). No file here decides what S3 does with an object: the model does.
"""
