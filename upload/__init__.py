"""Results: JUnit in, the published tree out. Imports nothing else of this project."""
