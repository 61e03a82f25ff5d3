"""The preflight stage: which buckets, whose, where, under which rules, and may we begin?"""
