"""Forms of LoRA files that tools write, and what happens to each here; see `__main__`."""
