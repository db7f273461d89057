"""The steps of a run, their deadlines, the signals that cut them, and the state on disk."""
