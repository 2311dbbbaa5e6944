"""What the page shows, as HTML: templates filled with values, all of which are escaped."""
