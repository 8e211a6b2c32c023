"""What people can do: one file for each mutation."""
