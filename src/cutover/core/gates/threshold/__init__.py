"""The threshold judge: a minute against what it is allowed, and which rule speaks."""
