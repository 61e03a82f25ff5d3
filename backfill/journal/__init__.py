"""Durable run state: intent before, outcome after, durable before counted."""
