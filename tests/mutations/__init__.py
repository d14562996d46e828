"""`make mutants`: every mechanism is taken out of the source once, and a test must notice."""
