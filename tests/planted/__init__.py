"""Bugs planted on purpose in a copy of the source: would the proofs find them?"""
