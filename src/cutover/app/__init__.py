"""One composition per way to work: the only places that name concrete classes together."""
