"""Serving answers as tables, JSON, charts and launch lines."""
