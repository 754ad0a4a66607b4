"""exaplan: the open-source planner of AI factories."""
