"""`make bench`: how fast the big tables are, beside the least that PostgreSQL needs and beside what others do."""
