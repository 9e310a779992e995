"""Golden journals: what every released version wrote must fold to the same next decision for ever."""
