"""The tester ``e2e.test``: upstream's compiled suite, run by Ginkgo."""
