"""open_clip behind one small interface, checkpoints, and the feature store."""
