"""Recognisers: from a few clips per action to the name of the action in a new clip."""
