"""Files of events, items and users, brought into a suite."""
