"""A photograph of any size through an exported network, tile by tile, without seams."""
