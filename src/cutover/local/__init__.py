"""This machine: plan files, run directories, the journal, leases, commands, signals and the clock."""
