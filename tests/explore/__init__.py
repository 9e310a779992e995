"""A search of every state that the shipped engine can reach, with the environment as its adversary (docs/reliability.md)."""
