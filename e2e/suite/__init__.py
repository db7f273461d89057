"""The end-to-end tests, by SIG."""
