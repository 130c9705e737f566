"""Drills: what docs/production.md says, done on this machine from beginning to end."""
