"""The method, one section of the paper a file: otam, fusion, hsmr, spm, padm, and clipspm that assembles them."""
