"""This machine: plan files, run directories, the journal, leases, words, signals and the clock."""
