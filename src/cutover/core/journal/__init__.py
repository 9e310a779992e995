"""What the journal says: its records, and how they are written and read."""
