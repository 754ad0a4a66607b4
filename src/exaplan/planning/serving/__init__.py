"""Serving plans: the fewest chips or the cheapest cluster that keeps a promise, and simulations of one."""
