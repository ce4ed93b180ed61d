"""Video files to frames, decoded in processes of their own."""
