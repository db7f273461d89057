"""The harness: command line, lifecycle, pytest plugin and the suite."""
