"""The whole runner with the real AWS adapters, in the emulator, against an adversary of many kinds of faults at once.

Each seed enables a random subset of the kinds (Groce et al., Swarm Testing, ISSTA 2012): what one kind hides the
runs without it show. `python -m tests.swarm --help` says how to run it.
"""
