"""From a table to a page that shows it: what people look at before they train, and when a gate refuses a table."""
