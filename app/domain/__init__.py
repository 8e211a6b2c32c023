"""What the words mean. No input, no output."""
