"""The commands of `python -m clipspm_lite`."""
