"""Opening challenges, judging them, and ending them."""
