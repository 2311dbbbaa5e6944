"""The site: `pages` gathers what it shows, `navigation` orders it, `pictures` draws into it, `__main__` builds it."""
