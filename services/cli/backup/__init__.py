"""Backups: both schemas as of one point of the feed, in a folder with a manifest."""
