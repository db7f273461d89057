"""The readers' contract as single rules: a table of what breaks whom, and pure checks of documents, JUnit files and trees."""
