"""From a Bento to traffic: the image, and what rolls it out."""
