"""Prompts that a server was asked to log, and how they differ from the validation text."""
