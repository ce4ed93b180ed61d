"""The explorers of the course: stock ipywidgets over the drawing functions of `clipspm_lite.plots`."""
