"""Queueing: requests through engines, step by step, with a compiled event loop and its plain twin."""
