"""What the journal says: its records, and how they are written and read."""

VERSION = 3
"""The format that is written."""
