"""Videos, data sets and episodes, and the generated sample world."""
