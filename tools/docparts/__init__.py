"""The generated parts of the documentation, one module for each kind; ``tools/docs.py`` puts them together."""
