"""Amazon Web Services: the only part of the tool that talks to it."""
